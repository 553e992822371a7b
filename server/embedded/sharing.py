"""How processes share an embedded part of a data directory: one runs it, the others attach."""

import asyncio
import contextlib
import socket
from pathlib import Path

from server.embedded import EmbeddedError
from server.embedded.runfile import Claim, Part, Run, read_run


async def claim_or_run(data_dir: Path, *, part: Part = "run", what: str, within: float) -> Claim | Run:
    """Return the claim, or where its holder's part listens once it answers; raises EmbeddedError."""
    try:
        async with asyncio.timeout(within):
            while True:
                if claim := Claim.take(data_dir, part):
                    return claim
                if (run := read_run(data_dir, part)) and await answers(run.port):
                    return run
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        run = read_run(data_dir, part)
        holder = f"process {run.owner}" if run else "another process"
        raise EmbeddedError(
            f"{holder} holds {data_dir} but its {what} does not answer; stop it first"
        ) from error
    except OSError as error:
        raise EmbeddedError(f"cannot use {data_dir}: {error.strerror}; choose another --data-dir") from error


async def answers(port: int) -> bool:
    """Tell whether something listens on a local port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def free_port() -> int:
    """Return a local port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
