"""Looks after what time and death leave behind: overdue chats, orphaned replies and work."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from schemas.envelope import Id
from schemas.stored import Work
from server.engine.attempts.work import Works
from server.engine.conversation import Conversation
from server.engine.ids import derive
from server.errors import Unavailable
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
DUE_SECONDS = 0.5
ORPHAN_SECONDS = 2.0


class Keeper:
    """Runs in every process; compare-and-sets make several of them harmless."""

    def __init__(self, *, store: Store, conversation: Conversation, works: Works, process: Process) -> None:
        self._store = store
        self._conversation = conversation
        self._works = works
        self._process = process
        self._suspects: set[str] = set()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again(self.end_overdue, DUE_SECONDS))
            group.create_task(_again(self.adopt_orphans, ORPHAN_SECONDS))
            group.create_task(_again(self._conversation.obey_stops, ORPHAN_SECONDS))

    async def end_overdue(self) -> None:
        """End the chats whose time is up, graded, as their owner would."""
        for chat_id in await self._store.chats.overdue():
            await self._each(chat_id, lambda c=chat_id: self._end(c))  # type: ignore[misc]

    async def _end(self, chat_id: Id) -> None:
        chat = await self._conversation.load(chat_id)
        args = {
            "attempt_id": chat.attempt_id,
            "grade_id": derive(chat_id, "overdue") if chat.rubric else None,
            "ending": False,
        }
        work = Work(id=derive(chat_id, "overdue-end"), kind="end", owner=self._process.name, args=args)
        await self._works.close(chat_id, work)

    async def adopt_orphans(self) -> None:
        """Take over replies and work of dead processes, and our own that no task is at any more."""
        if not self._process.alive:
            return
        living = await self._process.living()
        suspects: set[str] = set()
        dead = await self._store.chats.orphans(living)
        # asked for apart, so that much work of our own never hides the work of the dead
        own = await self._store.chats.orphans(
            living - {self._process.name}, besides=self._conversation.replying | {c.id for c in dead}
        )
        for chat in [*dead, *own]:
            if chat.reply is not None and self._abandoned(
                f"reply:{chat.reply.message_id}",
                owner=chat.reply.owner,
                living=living,
                running=self._conversation.is_running(chat.id),
                suspects=suspects,
            ):
                await self._each(chat.id, lambda c=chat: self._conversation.take_over(c))  # type: ignore[misc]
            for work in chat.work:
                if self._abandoned(
                    work.id,
                    owner=work.owner,
                    living=living,
                    running=self._works.running(work),
                    suspects=suspects,
                ):
                    await self._each(chat.id, lambda c=chat, w=work: self._works.take_over(c, w))  # type: ignore[misc]
        self._suspects = suspects

    def _abandoned(
        self, key: str, *, owner: str, living: set[str], running: bool, suspects: set[str]
    ) -> bool:
        """Tell whether nobody is at something; our own must be seen so twice, it may just be starting."""
        if owner not in living:
            return True
        if owner != self._process.name or running:
            return False
        suspects.add(key)
        return key in self._suspects

    async def _each(self, chat_id: Id, call: Callable[[], Awaitable[None]]) -> None:
        """Do something to one chat; what is wrong with it does not keep the others waiting."""
        try:
            await call()
        except Unavailable:
            raise
        except Exception:
            log.exception("chat not looked after", chat_id=chat_id)


async def _again(call: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await call()
        except Unavailable:
            log.warning("keeper waits for the database")
        await asyncio.sleep(seconds)
