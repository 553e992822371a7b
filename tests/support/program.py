"""A program in a process of its own that can be killed, stopped and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from server.embedded.child import GUARD, stop_child

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0  # a busy machine loads slowly


class Refused(Exception):
    """The program ended before it was ready."""


class Program:
    """Runs `python -m …`; it is ready when it has written its first line, which `start` returns.

    `start` and `kill` may be called again and again. It ends with the tests, however those end.
    """

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self._arguments = [sys.executable, "-m", *arguments]
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Start the program and wait for its first line."""
        assert self._process is None
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *self._arguments],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                cwd=ROOT,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            await self.stop()
            raise Refused(self.told())
        return line.decode().strip()

    @property
    def pid(self) -> int:
        """Return the id of the running process."""
        assert self._process is not None
        return self._process.pid

    async def line(self) -> str:
        """Return the next line that the program writes, "" after its last."""
        assert self._process is not None
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        """End the program by SIGKILL."""
        process, self._process = self._process, None
        assert process is not None
        assert process.returncode is None, self.told()
        process.kill()
        await process.wait()

    def pause(self) -> None:
        """Stop the program in its tracks by SIGSTOP, as a hypervisor might."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stopped program go on."""
        self._signal(signal.SIGCONT)

    def interrupt(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the program to end, and go on."""
        self._signal(number)

    async def ended(self, within: float) -> int:
        """Return the program's code when it has ended."""
        assert self._process is not None
        async with asyncio.timeout(within):
            code = await self._process.wait()
        self._process = None
        return code

    async def stop(self) -> None:
        """End the program as its operator would, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            await stop_child(process)

    def told(self) -> str:
        """Return the end of what the program has logged."""
        return self._log.read_text()[-4000:]

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
