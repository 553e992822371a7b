"""Greenroom's own commands as child processes: started, started again when they die, stopped together."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from server.cli.failure import Failure
from server.cli.run import SERVERS_END
from server.embedded.child import start_child, stop_child

log = structlog.get_logger(__name__)
READY_SECONDS = 60.0
STOP_SECONDS = SERVERS_END + 1.0  # what they need themselves is less
STEADY_SECONDS = 10.0  # who lived as long as this did not die of its start
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a child runs: a name for people, the arguments of `python -m server`, its whole environment."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]


class Child:
    """One child process and those that take its place."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """Return the process that runs now."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it and return when it has said that it is ready; raises Failure. Cancelling ends it."""
        command = [sys.executable, "-m", "server", *self.command.arguments]
        self._process = await start_child(
            command, stdout=PIPE, stderr=None, environment=self.command.environment
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                said = await self._process.stdout.readline()
        except TimeoutError:
            said = b""
        except asyncio.CancelledError:
            await asyncio.shield(self.stop())
            raise
        if not said:
            await self.stop()
            raise Failure(
                f"{self.command.name} did not start (code {self._process.returncode}); what it said is above"
            )

    async def keep(self) -> None:
        """Start it again whenever it dies; runs until cancelled, which is safe."""
        loop = asyncio.get_running_loop()
        wait = FIRST_WAIT
        while self._process is not None:
            began = loop.time()
            code = await self._process.wait()
            wait = FIRST_WAIT if loop.time() - began > STEADY_SECONDS else min(wait * 2, LONGEST_WAIT)
            log.error("child died; it is started again", child=self.command.name, code=code, seconds=wait)
            while not await self._revive(wait):
                wait = min(wait * 2, LONGEST_WAIT)

    async def stop(self) -> None:
        """End it by SIGTERM, or after a while by SIGKILL."""
        if self._process is not None:
            await stop_child(self._process, grace=STOP_SECONDS)

    async def _revive(self, wait: float) -> bool:
        await asyncio.sleep(wait)
        try:
            await self.start()
        except (Failure, OSError) as error:
            log.error("child not started", child=self.command.name, reason=str(error))
            return False
        log.warning("child runs again", child=self.command.name, pid=self.pid)
        return True
