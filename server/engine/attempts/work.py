"""Leased work of chats: ending, grading, hints; and what is due by the clock (core §12)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from schemas.attempt import (
    AttemptChatEnded,
    AttemptContentProgress,
    AttemptError,
    AttemptGraded,
    AttemptGradingProgress,
    AttemptHintProgress,
    Chat,
)
from schemas.envelope import Id, utc_now
from schemas.grade import RESOURCE_TYPES, Grade
from schemas.stored import Pending, Work
from server.engine.attempts.plan import finish, plan
from server.engine.attempts.proceed import Proceeding
from server.engine.conversation import Conversation
from server.engine.conversation.chat_place import room_of
from server.engine.conversation.parties import path_to
from server.engine.grading import Grader, GradingTask
from server.engine.hints import suggest_hints
from server.engine.pending import pending
from server.engine.tasks import Tasks
from server.engine.watching.ops import chat_error
from server.errors import GreenroomError, Internal, Unavailable
from server.llm import Models
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.5
MAX_FENCE = 5  # tries of work that breaks


class LeaseLost(Exception):
    """Another process has taken this work over, or may have."""


class Works:
    """Runs the work items of chats that this process owns; whoever takes over may repeat every step."""

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        outboxes: Outboxes,
        conversation: Conversation,
        proceeding: Proceeding,
        grader: Grader,
        models: Models,
        process: Process,
        tasks: Tasks,
    ) -> None:
        self._store = store
        self._hub = hub
        self._outboxes = outboxes
        self._conversation = conversation
        self._proceeding = proceeding
        self._grader = grader
        self._models = models
        self._process = process
        self._tasks = tasks
        conversation.on_settled = self.start
        self._kinds: dict[str, Callable[[Id, Work], Awaitable[None]]] = {
            "end": self._end,
            "grade": self._grade,
            "hint": self._hint,
        }

    async def close(self, chat_id: Id, work: Work) -> bool:
        """Close an open chat and start its ending; False when it was closed already."""
        outbox = await self._store.chats.change(
            chat_id,
            when={"status": "open"},
            update={
                "$set": {"status": "closed", "closed_at": utc_now(), "closed_by": work.id},
                "$push": {"work": work.model_dump()},
            },
        )
        if outbox is None:
            return False
        self._begin(chat_id, work)
        return True

    async def add(self, chat: Chat, work: Work) -> None:
        """Add a work item to a chat, once, and start it."""
        when = {"work.id": {"$ne": work.id}, "grades.grade_id": {"$ne": work.args.get("grade_id")}}
        update = {"$push": {"work": work.model_dump()}}
        if await self._store.chats.change(chat.id, when=when, update=update) is not None:
            self._begin(chat.id, work)

    def start(self, chat: Chat) -> None:
        """Start what is ours of a chat's work and not running yet."""
        for work in chat.work:
            if work.owner == self._process.name:
                self._begin(chat.id, work)

    async def take_over(self, chat: Chat, work: Work) -> None:
        """Make a dead process's work ours."""
        mine = work.model_copy(update={"owner": self._process.name, "fence": work.fence + 1})
        outbox = await self._store.chats.change(
            chat.id,
            when={"work": {"$elemMatch": {"id": work.id, "owner": work.owner, "fence": work.fence}}},
            update={"$set": {"work.$.owner": mine.owner, "work.$.fence": mine.fence}},
        )
        if outbox is not None:
            self._outboxes.publish("chats", chat.id, outbox)
            self._begin(chat.id, mine)

    def running(self, work: Work) -> bool:
        """Tell whether this process is at a work item."""
        return f"work:{work.id}" in self._tasks

    def _begin(self, chat_id: Id, work: Work) -> None:
        self._tasks.start(f"work:{work.id}", lambda: self._run(chat_id, work))

    async def _run(self, chat_id: Id, work: Work) -> None:
        """Do a work item; again when the database was away, not when the lease is lost."""
        lease = self._process.lease
        while True:
            try:
                await self._kinds[work.kind](chat_id, work)
                return
            except LeaseLost:
                log.warning("work lost to another process", kind=work.kind, chat_id=chat_id)
                return
            except Unavailable:
                if not self._process.holds(lease):
                    log.warning("work abandoned", kind=work.kind, chat_id=chat_id)
                    return
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # a bug of ours: it is tried again after a while, some times
                log.exception("work broke", kind=work.kind, chat_id=chat_id, fence=work.fence)
                if work.fence >= MAX_FENCE:
                    await self._give_up(chat_id, work)
                return

    async def _give_up(self, chat_id: Id, work: Work) -> None:
        """Close work that breaks each time it is tried, so that the chat and its attempt are not stuck."""
        event = AttemptError(
            chat_id=chat_id,
            type="grade" if work.kind == "grade" else "end",
            message="This could not be finished; please report it.",
            code="internal",
            grade_id=work.args.get("grade_id"),
        )
        told = work.kind != "hint"  # nobody waits for hints
        outbox = [pending(room_of(chat_id), event, f"{work.id}:given-up")] if told else []
        outbox.append(chat_error(await self._conversation.load(chat_id), "internal", step=work.id))
        update: dict[str, Any] = {"$pull": {"work": {"id": work.id}}}
        if work.kind == "end":
            update["$set"] = {"ended": True}
            outbox.append(pending(room_of(chat_id), AttemptChatEnded(chat_id=chat_id), f"{work.id}:ended"))
        await self._change(chat_id, work, update=update, outbox=outbox)
        if work.kind == "end":
            ending = bool(work.args.get("ending"))
            await self._proceeding.finish(work.args["attempt_id"], chat_id, ending=ending)

    # --- ending ---------------------------------------------------------------------------------------------

    async def _end(self, chat_id: Id, work: Work) -> None:
        chat = await self._quiet(chat_id)
        grade_id = work.args.get("grade_id")
        graded = await self._graded(chat, work, grade_id) if grade_id else None
        attempt_id = work.args["attempt_id"]
        ending = bool(work.args.get("ending"))
        if not chat.ended:
            finished = await self._finishes(attempt_id, chat_id, ending=ending)
            event = AttemptChatEnded(
                chat_id=chat_id, is_attempt_finished=finished, grade_id=graded.grade_id if graded else None
            )
            await self._change(
                chat_id,
                work,
                update={"$set": {"ended": True}},
                outbox=[pending(room_of(chat_id), event, f"{work.id}:ended")],
            )
        await self._proceeding.finish(attempt_id, chat_id, ending=ending)
        await self._store.entries.close_room(room_of(chat_id))
        await self._done(chat_id, work)

    async def _quiet(self, chat_id: Id) -> Chat:
        """Return a chat once its reply has ended."""
        while True:
            chat = await self._conversation.load(chat_id)
            if chat.reply is None:
                return chat
            if chat.reply.owner not in await self._process.living():
                await self._conversation.take_over(chat)
            await self._conversation.stop(chat_id)

    async def _finishes(self, attempt_id: Id, chat_id: Id, *, ending: bool) -> bool:
        attempt = await self._store.attempts.get(attempt_id)
        after = finish(attempt, chat_id, ending=ending) if attempt else None
        return after is not None and (after.status != "open" or plan(after).kind == "end")

    # --- grading --------------------------------------------------------------------------------------------

    async def _grade(self, chat_id: Id, work: Work) -> None:
        chat = await self._conversation.load(chat_id)
        await self._graded(chat, work, work.args["grade_id"])
        await self._store.entries.close_room(room_of(chat_id))
        await self._done(chat_id, work)

    async def _graded(self, chat: Chat, work: Work, grade_id: Id) -> Grade | None:
        """Grade a chat and store the grade under its id; None when the grading failed."""
        stored = next((g for g in chat.grades if g.grade_id == grade_id), None)
        if stored is not None or chat.rubric is None:
            return stored
        try:
            grade = await self._grader.grade(
                self._task(chat, work, grade_id), self._emitter(chat, work, grade_id)
            )
        except (Unavailable, LeaseLost):
            raise
        except GreenroomError as error:
            await self._failed(chat, work, grade_id, error)
            return None
        except Exception:  # a bug of ours must not keep the chat from ending
            log.exception("grading broke", chat_id=chat.id)
            await self._failed(chat, work, grade_id, Internal())
            return None
        event_ = AttemptGraded(
            chat_id=chat.id,
            grade_id=grade_id,
            score=grade.score,
            total_points=grade.total_points,
            percentage=grade.percentage,
            passed=grade.passed,
        )
        await self._change(
            chat.id,
            work,
            update={"$push": {"grades": grade.model_dump(exclude_none=True)}},
            outbox=[pending(room_of(chat.id), event_, f"{grade_id}:graded")],
            more={"grades.grade_id": {"$ne": grade_id}},
        )
        return grade

    async def _failed(self, chat: Chat, work: Work, grade_id: Id, error: GreenroomError) -> None:
        event = AttemptError(
            chat_id=chat.id, type="grade", message=error.message, code=error.code, grade_id=grade_id
        )
        step = f"{grade_id}:{work.fence}"
        failed = [
            pending(room_of(chat.id), event, f"{step}:failed"),
            chat_error(chat, error.code, step=step),
        ]
        await self._change(chat.id, work, update={"$set": {"status": "closed"}}, outbox=failed)

    def _task(self, chat: Chat, work: Work, grade_id: Id) -> GradingTask:
        if chat.rubric is None:
            raise Unavailable("The chat has no rubric.", retryable=False)
        end = chat.closed_at or utc_now()
        return GradingTask(
            grade_id=grade_id,
            chat_id=chat.id,
            rubric=chat.rubric,
            scenario=chat.scenario,
            transcript=path_to(chat.messages, chat.tip),
            kinds=frozenset(work.args.get("kinds") or RESOURCE_TYPES),
            instructions=work.args.get("instructions") or (),
            private=(chat.persona.instructions,),
            elapsed=(end - chat.created_at).total_seconds(),
        )

    def _emitter(
        self, chat: Chat, work: Work, grade_id: Id
    ) -> Callable[[AttemptGradingProgress | AttemptContentProgress], Awaitable[None]]:
        count = 0
        lease = self._process.lease

        async def emit(event: AttemptGradingProgress | AttemptContentProgress) -> None:
            nonlocal count
            if self._process.lease != lease:
                raise LeaseLost
            count += 1
            eid = f"{grade_id}:{work.fence}:{count}"
            await self._hub.log.publish(room_of(chat.id), event.event, event.encode(), eid=eid, leased=True)

        return emit

    # --- hints ----------------------------------------------------------------------------------------------

    async def _hint(self, chat_id: Id, work: Work) -> None:
        chat = await self._conversation.load(chat_id)
        try:
            hints = await suggest_hints(
                self._models,
                scenario=chat.scenario,
                persona_name=chat.persona.name,
                transcript=path_to(chat.messages, chat.tip),
                private=(chat.persona.instructions,),
            )
        except Unavailable:
            raise
        except GreenroomError as error:
            log.warning("no hints", chat_id=chat_id, code=error.code)
            await self._done(chat_id, work)
            return
        shown = [h.model_dump() for h in hints]
        event = AttemptHintProgress(chat_id=chat_id, hints=shown)
        await self._change(
            chat_id,
            work,
            update={"$set": {"hints": shown}, "$pull": {"work": {"id": work.id}}},
            outbox=[pending(room_of(chat_id), event, f"{work.id}:hints")],
        )

    # --- under the lease ------------------------------------------------------------------------------------

    async def _change(
        self,
        chat_id: Id,
        work: Work,
        *,
        update: dict[str, object],
        outbox: list[Pending],
        more: dict[str, object] | None = None,
    ) -> None:
        """Change a chat while the work is ours; raises LeaseLost when it is not."""
        mine = {"work": {"$elemMatch": {"id": work.id, "fence": work.fence}}}
        stored = await self._store.chats.change(
            chat_id, when={**mine, **(more or {})}, update=update, outbox=outbox
        )
        if stored is None:
            chat = await self._conversation.load(chat_id)
            if any(w.id == work.id and w.fence == work.fence for w in chat.work):
                return  # done before: only `more` did not hold
            raise LeaseLost
        await asyncio.gather(*self._outboxes.publish("chats", chat_id, stored))

    async def _done(self, chat_id: Id, work: Work) -> None:
        await self._store.chats.change(
            chat_id,
            when={"work": {"$elemMatch": {"id": work.id, "fence": work.fence}}},
            update={"$pull": {"work": {"id": work.id}}},
        )
