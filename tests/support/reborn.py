"""A server that is killed and back within moments, on the same port."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from schemas.envelope import Id, Role
from server.engine.access import mint
from server.settings import Settings
from tests.support.process import environment, free_port
from tests.support.program import PATIENCE, ROOT
from tests.support.running import SECRET


class Reborn:
    """Starts a server process in the time that serving needs, without that of loading."""

    def __init__(self, process: Process, url: str, log: Path) -> None:
        self.url = url
        self._process = process
        self._log = log

    def token(self, profile: Id, *, role: Role = "learner") -> str:
        """Return a token for a profile."""
        return mint(SECRET, role=role, profile_id=profile, seconds=3600)

    async def start(self) -> None:
        """Start a process and wait until it listens."""
        self._order("start")
        assert await self.line() == self.url, self.told()

    async def kill(self) -> None:
        """End the process by SIGKILL."""
        self._order("kill")
        assert await self.line() == "killed"

    def told(self) -> str:
        """Return the end of what the processes have logged."""
        return self._log.read_text()[-4000:]

    async def line(self) -> str:
        """Wait for the next line that is told."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stdout.readline()).decode().strip()

    def _order(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())


@asynccontextmanager
async def reborn(settings: Settings, log: Path) -> AsyncIterator[Reborn]:
    """Give a server that is loaded and not started yet."""
    settings = settings.model_copy(update={"port": free_port()})
    with log.open("ab") as logging:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "tests.support.serve_again"],
            stdin=PIPE,
            stdout=PIPE,
            stderr=logging,
            env=environment(settings),
            cwd=ROOT,
        )
    server = Reborn(process, f"http://127.0.0.1:{settings.port}", log)
    try:
        assert await server.line() == "loaded", server.told()
        yield server
    finally:
        await process.communicate(b"")  # the end of its input ends it, and what it has started
