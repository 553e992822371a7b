"""Looks after sessions: answers to be stopped, answers of the dead, and what deleted ones leave behind."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from schemas.playground import PlaygroundSession
from server.engine.playground.forgetting import Forgetting
from server.engine.playground.playground import Playground
from server.errors import Unavailable
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
LOOK_SECONDS = 2.0
FORGET_SECONDS = 10.0


class PlaygroundKeeper:
    """Runs in every process; compare-and-sets make several of them harmless."""

    def __init__(
        self, *, store: Store, playground: Playground, forgetting: Forgetting, process: Process
    ) -> None:
        self._store = store
        self._playground = playground
        self._forgetting = forgetting
        self._process = process
        self._suspects: set[str] = set()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again(self._playground.replies.obey_stops, LOOK_SECONDS))
            group.create_task(_again(self._playground.replies.end_strays, LOOK_SECONDS))
            group.create_task(_again(self.adopt_orphans, LOOK_SECONDS))
            group.create_task(_again(self.forget, FORGET_SECONDS))

    async def adopt_orphans(self) -> None:
        """Take over answers of dead processes, and our own that no task is at any more."""
        if not self._process.alive:
            return
        living = await self._process.living()
        running = self._playground.replies.running
        dead = await self._store.playground.orphans(living)
        # asked for apart, so that many answers of our own never hide those of the dead
        own = await self._store.playground.orphans(
            living - {self._process.name}, besides=running | {session.id for session in dead}
        )
        seen = {s.reply.message_id for s in own if s.reply and s.reply.owner == self._process.name}
        for session in dead:
            await self._take_over(session)
        for session in own:  # seen so twice: it may just be starting
            if session.reply is not None and session.reply.message_id in seen & self._suspects:
                await self._take_over(session)
        self._suspects = seen

    async def forget(self) -> None:
        """Finish what was begun to be forgotten."""
        await self._forgetting.forget_deleted()
        await self._forgetting.finish()

    async def _take_over(self, session: PlaygroundSession) -> None:
        """Close an answer; what is wrong with one session does not keep the others waiting."""
        try:
            await self._playground.take_over(session)
        except Unavailable:
            raise
        except Exception:
            log.exception("session not looked after", session_id=session.id)


async def _again(call: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await call()
        except Unavailable:
            log.warning("playground's keeper waits for the database")
        await asyncio.sleep(seconds)
