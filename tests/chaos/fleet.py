"""Servers and workers that are killed, stopped and started again, as chaos and a supervisor would."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from server.settings import Settings
from tests.support.passing import passes
from tests.support.process import environment, free_port
from tests.support.program import Program, Refused

KILL_SECONDS = 2.0


class Fleet:
    """Some servers, each on its own port, and some workers; whoever dies is started again at once."""

    def __init__(self, settings: Settings, *, servers: int, workers: int, logs: Path, seed: int) -> None:
        ports = [free_port() for _ in range(servers)]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.members: dict[str, Program] = {}
        for index, port in enumerate(ports):
            own = settings.model_copy(update={"port": port, "job_slots": 0})
            self.members[f"server-{index}"] = _member("serve", own, logs / f"server-{index}.log")
        for index in range(workers):
            self.members[f"worker-{index}"] = _member("worker", settings, logs / f"worker-{index}.log")
        self._chance = random.Random(seed)
        self._turn = 0
        self.kills = 0
        self._away: set[str] = set()  # being started again, or stopped

    def next_url(self) -> str:
        """Return the servers' addresses in turn."""
        self._turn += 1
        return self.urls[self._turn % len(self.urls)]

    async def start(self) -> None:
        """Start everybody."""
        await asyncio.gather(*(member.start() for member in self.members.values()))

    async def stop(self) -> None:
        """End everybody."""
        await asyncio.gather(*(member.stop() for member in self.members.values()))

    async def suffer(self, *, until: asyncio.Event) -> None:
        """Kill somebody by chance every 2 s; a supervisor starts it again at once."""
        async with asyncio.TaskGroup() as supervisor:
            while not await passes(KILL_SECONDS, because="chaos strikes now and then", until=until):
                here = [name for name in self.members if name not in self._away]
                if not here:
                    continue
                name = self._chance.choice(here)
                self._away.add(name)
                await self.members[name].kill()
                self.kills += 1
                supervisor.create_task(self._start_again(name))

    async def _start_again(self, name: str) -> None:
        while True:
            try:
                await self.members[name].start()
            except Refused:  # the database was away just then
                continue
            self._away.discard(name)
            return

    async def pause(self, name: str, *, seconds: float, until: asyncio.Event) -> None:
        """Stop somebody in its tracks for longer than its lease, then let it go on."""
        while name in self._away:
            await passes(0.1, because="a start tells nobody", until=until)
        self._away.add(name)
        self.members[name].pause()
        try:
            await passes(seconds, because="a lease is to run out", until=until)
        finally:
            self.members[name].resume()
            self._away.discard(name)


def _member(command: str, settings: Settings, log: Path) -> Program:
    return Program(["server", command], environment=environment(settings), log=log)


@asynccontextmanager
async def fleet(settings: Settings, *, logs: Path, seed: int) -> AsyncIterator[Fleet]:
    """Run two servers and two workers."""
    members = Fleet(settings, servers=2, workers=2, logs=logs, seed=seed)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(members.stop)
        await members.start()
        yield members
