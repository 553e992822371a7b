"""Sessions of the playground: one for each user and pipeline, made when it is first asked for."""

import asyncio
from typing import Protocol, TypeVar

from pydantic import BaseModel

from schemas.envelope import Id, utc_now
from schemas.pipeline import Pipeline
from schemas.playground import PlaygroundSession, SessionPatch, SessionView
from server.engine.access import Identity
from server.engine.attempts.chats import owner_of
from server.engine.ids import new
from server.engine.playground.rooms import updated
from server.errors import Conflict
from server.rooms.outbox import Outboxes
from server.store import Store

M = TypeVar("M", bound=BaseModel)
TRIES = 5


class Readable(Protocol):
    """Tells which pipelines somebody may read."""

    async def readable(self, caller: Identity, pipeline_id: Id) -> Pipeline:
        """Return a pipeline that a caller may read; raises NotFound for all others."""


class Sessions:
    """Gives users their sessions of pipelines that they may read, and changes settings in them."""

    def __init__(self, store: Store, outboxes: Outboxes, pipelines: Readable) -> None:
        self._store = store
        self._outboxes = outboxes
        self._pipelines = pipelines

    async def of(self, caller: Identity, pipeline_id: Id) -> tuple[Pipeline, PlaygroundSession]:
        """Return a pipeline and the caller's session of it, new with the pipeline's preset if there is none.

        Raises NotFound. Cancelling is safe.
        """
        pipeline = await self._pipelines.readable(caller, pipeline_id)
        found = await self.mine(caller, pipeline)
        return pipeline, found or await self._made(caller, pipeline)

    async def known(self, caller: Identity, pipeline_id: Id) -> PlaygroundSession | None:
        """Return the caller's session of a pipeline if there is one; raises NotFound for the pipeline."""
        return await self.mine(caller, await self._pipelines.readable(caller, pipeline_id))

    async def mine(self, caller: Identity, pipeline: Pipeline) -> PlaygroundSession | None:
        """Return the caller's session of a pipeline that it may read, None when there is none."""
        return await self._store.playground.mine(pipeline.id, user_key=caller.key, org=caller.org)

    async def patch(self, caller: Identity, pipeline_id: Id, change: SessionPatch) -> PlaygroundSession:
        """Change the settings that are given and return the session; raises NotFound."""
        for _ in range(TRIES):
            _, session = await self.of(caller, pipeline_id)
            now = merged(session, change)
            update = {"$set": {**settings_of(now), "updated_at": now.updated_at}, "$inc": {"version": 1}}
            outbox = await self._store.playground.change(
                session.id, when={"version": session.version}, update=update, outbox=[updated(now)]
            )
            if outbox is not None:
                self._outboxes.publish(self._store.playground.name, session.id, outbox)
                return now
        raise Conflict("The session changed at the same time; try again.", retryable=True)

    async def _made(self, caller: Identity, pipeline: Pipeline) -> PlaygroundSession:
        now = utc_now()
        session = PlaygroundSession(
            id=new(),
            org=caller.org,
            owner=owner_of(caller),
            user_key=caller.key,
            pipeline_id=pipeline.id,
            created_at=now,
            updated_at=now,
            llm_params_id=new(),
            retrieval_params_id=new(),
            retrieval_params=pipeline.preset_retrieval_parameters,
        )
        outbox = [updated(session)]
        stored = await self._store.playground.obtain(session, outbox)
        if stored.id == session.id:  # awaited, so that a snapshot that is taken next has the settings
            await asyncio.gather(*self._outboxes.publish(self._store.playground.name, session.id, outbox))
        return stored


def view(session: PlaygroundSession) -> SessionView:
    """Return a session as clients read it."""
    fields = session.model_dump(include=set(SessionView.model_fields))
    return SessionView.model_validate({**fields, "user_id": session.owner.id})


def merged(session: PlaygroundSession, change: SessionPatch) -> PlaygroundSession:
    """Return a session with the settings that a change gives, as its next version."""
    return session.model_copy(
        update={
            "llm_params": _with(session.llm_params, change.llm_params),
            "retrieval_params": _with(session.retrieval_params, change.retrieval_params),
            "updated_at": utc_now(),
            "version": session.version + 1,
        }
    )


def settings_of(session: PlaygroundSession) -> dict[str, object]:
    """Return a session's settings as they are stored: nulls stay, because they are no defaults."""
    return {
        "llm_params": session.llm_params.model_dump(),
        "retrieval_params": session.retrieval_params.model_dump(),
    }


def _with(settings: M, change: M | None) -> M:
    """Return settings with those that a client has given."""
    if change is None:
        return settings
    given = change.model_fields_set - {"class_name"}
    return settings.model_copy(update={name: getattr(change, name) for name in given})
