"""Runs the real command line as processes, as people do."""

import asyncio
import contextlib
import os
import select
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]
OURS = ("GREENROOM_", "MONGODB_", "REDIS_", "OPENAI_", "PORT")
WITHIN = 60.0  # seconds for one thing to happen; a busy machine loads slowly


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str


class Program:
    """A command that runs; it is killed when its context ends."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._told = asyncio.Condition()
        self._errors = asyncio.create_task(self._read_errors())

    async def until(self, text: str) -> str:
        """Return the next line of output that contains a text."""
        async with asyncio.timeout(WITHIN):
            while True:
                line = await self._line()
                assert line, f"it ended without {text!r}:\n{''.join([*self.out, *self.err])}"
                if text in line:
                    return line.strip()

    async def told(self, text: str) -> None:
        """Return when stderr has a line with a text."""
        async with asyncio.timeout(WITHIN), self._told:
            await self._told.wait_for(lambda: any(text in line for line in self.err))

    async def finish(self, number: signal.Signals | None = None, *, within: float = WITHIN) -> Finished:
        """Send a signal and return what the command left behind when it has ended."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(within):
            while await self._line():
                pass
            await self._errors
            code = await self.process.wait()
        return Finished(code, "".join(self.out), "".join(self.err))

    async def write(self, text: str) -> None:
        """Type something."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        await self.process.stdin.drain()

    def children(self) -> list[int]:
        """Return the processes that it has started and that still run."""
        return children_of(self.process.pid)

    async def _line(self) -> str:
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        self.out.append(line)
        return line

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.err.append(line.decode())
            async with self._told:
                self._told.notify_all()


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without what configures Greenroom, and with changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "PYTHONWARNINGS": "error", "COLUMNS": "200", **changes}


@asynccontextmanager
async def program(
    *arguments: str, env: Mapping[str, str] | None = None, shell: str | None = None
) -> AsyncIterator[Program]:
    """Run `python -m server …`, from a line of bash when `shell` is given; kills it at the end."""
    command = [sys.executable, "-m", "server", *arguments]
    if shell is not None:
        command = ["bash", "-c", f'{shell}; exec "$@"', "bash", *command]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT, env=environment(env or {})
    )
    running = Program(process)
    try:
        yield running
    finally:
        left = running.children()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await running.finish()
        await ended(left)


async def command(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", shell: str | None = None
) -> Finished:
    """Run a command to its end."""
    async with program(*arguments, env=env, shell=shell) as running:
        await running.write(stdin)
        assert running.process.stdin is not None
        running.process.stdin.close()
        return await running.finish()


def children_of(pid: int) -> list[int]:
    """Return the living children of a process."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in found.split()]


async def ended(pids: Iterable[int]) -> None:
    """Return when processes have ended, whoever their parent is."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            file = os.pidfd_open(pid)
            try:
                await asyncio.to_thread(select.select, [file], [], [], WITHIN)
                assert select.select([file], [], [], 0)[0], f"process {pid} still runs"
            finally:
                os.close(file)


def is_alive(pid: int) -> bool:
    """Tell whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def post(url: str, body: object, *, token: str) -> tuple[int, dict[str, object]]:
    """Return status and JSON of a POST."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as response:
        return response.status, await response.json()


async def get(url: str, *, token: str = "") -> tuple[int, dict[str, object]]:
    """Return status and JSON of a GET."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as response:
        return response.status, await response.json()
