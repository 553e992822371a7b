"""Child processes that outlive Ctrl-C but not the process that started them."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")


async def start_child(
    command: list[str],
    *,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes] | None,
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Start a command, given by its full path, in a session of its own.

    A Ctrl-C in the terminal does not reach it, so that its owner can finish first; the owner's death does, on
    Linux.
    Call it from a thread that lives as long as the process, normally the event loop's.
    """
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *command],
        stdin=DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        env=environment,
    )


async def stop_child(process: Process, *, grace: float = 10.0) -> None:
    """End a child by SIGTERM, or SIGKILL after `grace` seconds, and wait for it; shield it from cancel."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
