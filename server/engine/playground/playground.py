"""The playground: grounded chats whose settings and conversation are kept (spec/playground.md)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from schemas.envelope import Id
from schemas.pipeline import Pipeline
from schemas.playground import (
    ChatData,
    PlaygroundMessageReply,
    PlaygroundSession,
    SentMessage,
    SessionPatch,
    SessionView,
)
from schemas.retrieval import Found, RetrievalParams
from schemas.stored import RunningReply
from server.engine.access import Identity
from server.engine.conversation.parties import ModelParty
from server.engine.conversation.replies import Replies
from server.engine.conversation.reply import announcing
from server.engine.playground.chat import Said, SessionParty, SessionPlace, seen_of, telling
from server.engine.playground.forgetting import Forgetting
from server.engine.playground.grounding import LARGE_BUDGET, SMALL_BUDGET, instructions, within
from server.engine.playground.rooms import playground_room
from server.engine.playground.sessions import Readable, Sessions, view
from server.engine.playground.turns import Turn, turns_of
from server.engine.tasks import Tasks
from server.errors import Conflict, Unavailable
from server.llm import ChatTurn, Models
from server.llm.providers import is_small
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store

MAX_QUERY = 8_000  # characters
TRIES = 3


class Retrieves(Protocol):
    """Searches pipelines."""

    async def retrieve(self, pipeline: Pipeline, query: str, params: RetrievalParams) -> Found:
        """Return what a pipeline has to a query; raises Unavailable and Upstream."""


class Playground:
    """Runs the sessions of users; a session has at most one answer at a time, owned by one process."""

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        outboxes: Outboxes,
        process: Process,
        tasks: Tasks,
        models: Models,
        pipelines: Readable,
        retrieval: Retrieves,
        forgetting: Forgetting,
        model_names: Mapping[str, str],
    ) -> None:
        self._store = store
        self._hub = hub
        self._outboxes = outboxes
        self._process = process
        self._models = models
        self._retrieval = retrieval
        self._forgetting = forgetting
        self._model_names = model_names
        self._sessions = Sessions(store, outboxes, pipelines)
        self.replies = Replies(
            store.playground,
            stopping="stop_answer",
            hub=hub,
            outboxes=outboxes,
            process=process,
            tasks=tasks,
        )

    async def session(self, caller: Identity, pipeline_id: Id) -> PlaygroundSession:
        """Return the caller's session of a pipeline, which is made if there is none; raises NotFound."""
        _, session = await self._sessions.of(caller, pipeline_id)
        return session

    def view(self, session: PlaygroundSession) -> SessionView:
        """Return a session as clients read it."""
        return view(session)

    async def patch(self, caller: Identity, pipeline_id: Id, change: SessionPatch) -> PlaygroundSession:
        """Change the settings that are given and return the session; raises NotFound."""
        return await self._sessions.patch(caller, pipeline_id, change)

    async def forget(self, caller: Identity, pipeline_id: Id) -> None:
        """Delete the caller's session with all that was said in it; harmless when there is none.

        A running answer is ended without a trace. Raises NotFound for the pipeline.
        """
        session = await self._sessions.known(caller, pipeline_id)
        if session is not None:
            if session.reply is not None:
                await self.replies.stop(session.id, session.reply)
                with suppress(Unavailable):  # what goes on all the same is ended by the keeper
                    await self.replies.ended(session.id, session.reply.message_id)
            await self._forgetting.forget(session)

    async def say(
        self,
        caller: Identity,
        pipeline_id: Id,
        *,
        message: str,
        message_id: Id,
        reply_id: Id,
        history: Sequence[SentMessage] | None = None,
        data: ChatData | None = None,
    ) -> PlaygroundMessageReply:
        """Store what a user says and start the answer; durable when it returns, and harmless when repeated.

        A `history` takes the place of what was said before where it differs; the settings in `data` are kept.
        """
        turn = Turn(
            message=message,
            message_id=message_id,
            reply_id=reply_id,
            history=history,
            data=data or ChatData(),
        )
        for _ in range(TRIES):
            pipeline, session = await self._sessions.of(caller, pipeline_id)
            if turn.is_in(session):
                return PlaygroundMessageReply(message_id=message_id, assistant_message_id=reply_id)
            step = turn.step(session, owner=self._process.name)
            outbox = await self._store.playground.change(
                session.id, when=step.when, update=step.update, outbox=step.events
            )
            if outbox is not None:
                self._outboxes.publish(self._store.playground.name, session.id, outbox)
                self._start(pipeline, step.after, step.running)
                said = step.after.chat_messages[-1].id
                return PlaygroundMessageReply(message_id=said, assistant_message_id=reply_id)
        raise Conflict("The session changed at the same time; try again.", retryable=True)

    async def stop(self, caller: Identity, pipeline_id: Id) -> Id:
        """Stop the answer that is being given, wherever that is, and return the message that it became.

        Returns when its text is stored, or raises Unavailable after 3 s. Raises Conflict when there is none.
        """
        session = await self._sessions.known(caller, pipeline_id)
        if session is None or session.reply is None:
            raise Conflict("No answer is being given in this session.")
        message_id = session.reply.message_id
        await self.replies.stop(session.id, session.reply)
        await self.replies.ended(session.id, message_id)
        ended = await self._store.playground.get(session.id)
        if ended is None or all(m.id != message_id for m in ended.chat_messages):
            raise Conflict("The answer had failed before it was stopped.")
        return message_id

    async def take_over(self, session: PlaygroundSession) -> None:
        """Close the answer of a dead process with what its followers have seen."""
        if session.reply is not None:
            await self.replies.take_over(
                session.id,
                session.reply,
                room=playground_room(session.id),
                place=lambda mine, seen: self._place(session, mine, seen_of(seen)),
            )

    def _start(self, pipeline: Pipeline, session: PlaygroundSession, running: RunningReply) -> None:
        said = Said()
        announce = announcing(self._hub, self._process, playground_room(session.id))
        model = self._model_names.get(session.llm_params.model_name)
        small = is_small(model or self._models.name)

        async def find() -> Found:
            query = (session.chat_messages[-1].content or "")[:MAX_QUERY]
            found = await self._retrieval.retrieve(pipeline, query, session.retrieval_params)
            return within(found, budget=SMALL_BUDGET if small else LARGE_BUDGET)

        party = SessionParty(
            find,
            lambda found: self._answering(session, found, model=model),
            tell=telling(session.id, running.message_id, said=said, announce=announce),
            said=said,
            reasoning=bool(session.llm_params.use_chain_of_thought_reasoning),
        )
        self.replies.start(self._place(session, running, said), running, party)

    def _answering(self, session: PlaygroundSession, found: Found, *, model: str | None) -> ModelParty:
        settings = session.llm_params
        prompt = instructions(
            settings.system_prompt,
            found.passages,
            reasoning=bool(settings.use_chain_of_thought_reasoning),
        )
        turns = [ChatTurn(role="system", content=prompt), *turns_of(session.chat_messages)]
        return ModelParty(self._models, turns, model=model, temperature=settings.temperature)

    def _place(self, session: PlaygroundSession, running: RunningReply, said: Said) -> SessionPlace:
        return SessionPlace(session, running, store=self._store.playground, said=said)
