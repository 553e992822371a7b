"""Forgets sessions: nothing of what was said stays, wherever a process dies on the way."""

import asyncio

from schemas.playground import PlaygroundSession
from server.engine.playground.rooms import forgotten, ops, playground_room
from server.rooms.outbox import Outboxes
from server.rooms.retention import Retention
from server.store import Store

LATE_SECONDS = 60.0  # in which answers that were being given can still have said something


class Forgetting:
    """Takes sessions from their users at once, and removes what is left of them in steps that may repeat.

    The session's document stays for a minute without its texts: so long its room is emptied again and again.
    """

    def __init__(self, store: Store, outboxes: Outboxes, retention: Retention) -> None:
        self._store = store
        self._outboxes = outboxes
        self._retention = retention

    async def forget(self, session: PlaygroundSession) -> None:
        """Forget a session; when it returns, its texts are gone. Raises Unavailable: others finish it.

        Followers are told; one that is behind then is cut, and finds nothing when it comes back.
        """
        events = [forgotten(session.id)]
        if session.reply is not None:
            events.append(ops(session, "ended", step=session.reply.message_id))
        outbox = await self._store.playground.forget(session.id, events)
        if outbox is not None:
            await asyncio.gather(*self._outboxes.publish(self._store.playground.name, session.id, outbox))
            await self._retention.empty(playground_room(session.id))

    async def forget_deleted(self) -> None:
        """Forget sessions whose pipelines are deleted; raises Unavailable."""
        if pipelines := await self._store.pipelines.deleted():
            while sessions := await self._store.playground.of_pipelines(pipelines):
                for session in sessions:
                    await self.forget(session)

    async def finish(self) -> None:
        """Remove what is left of forgotten sessions; raises Unavailable."""
        if keys := await self._store.playground.forgotten():
            for key in keys:
                await self._retention.empty(playground_room(key))
            await self._store.playground.drop(keys, seconds=LATE_SECONDS)
