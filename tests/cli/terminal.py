"""Runs the command line in a terminal of its own, as people see it."""

import asyncio
import contextlib
import os
import pty
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.cli.programs import ROOT, WITHIN, environment


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self._text = ""
        self._read: asyncio.Queue[str] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(master, self._take)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    async def until(self, text: str) -> None:
        """Return when a text has appeared since the last one waited for."""
        async with asyncio.timeout(WITHIN):
            while text not in self._text:
                more = await self._read.get()
                assert more, f"it ended without {text!r}: {self._text}"
                self._text += more
        self._text = self._text.partition(text)[2]

    async def finish(self) -> int:
        """Return the exit code."""
        async with asyncio.timeout(WITHIN):
            return await self.process.wait()

    def close(self) -> None:
        """Give the terminal up."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _take(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            data = b""
            asyncio.get_running_loop().remove_reader(self._master)
        self._read.put_nowait(data.decode(errors="replace"))


@asynccontextmanager
async def terminal(*words: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Terminal]:
    """Run `python -m server …` in a terminal; kills it at the end."""
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "server", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment({"TERM": "xterm", **(env or {})}),
    )
    os.close(slave)
    screen = Terminal(process, master)
    try:
        yield screen
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        screen.close()
