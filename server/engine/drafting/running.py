"""Runs generations as leased work: what was made stays made when another process takes over (core §12)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from schemas.draft import Draft
from schemas.envelope import Id, ServerEvent, utc_now
from schemas.generation import (
    Generation,
    GenerationComplete,
    GenerationError,
    GenerationProgress,
    GenerationSaved,
    Made,
    Step,
)
from schemas.stored import Pending, Work
from server.engine.attempts.contents import Listener
from server.engine.drafting.making import Maker
from server.engine.drafting.saving import Saver
from server.engine.drafting.subject import Subject, Subjects
from server.engine.drafting.views import form_shown, shown_to
from server.engine.pending import pending
from server.engine.tasks import Tasks
from server.engine.watching.ops import ops_event
from server.errors import Conflict, GreenroomError, Internal, NotFound, Unavailable
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.5
MAX_FENCE = 5  # tries of work that breaks
DRAFT_TRIES = 50


class LeaseLost(Exception):
    """Another process has taken this generation over, or it has ended."""


class Runner:
    """Runs the generations that this process owns; whoever takes over may repeat every step."""

    def __init__(
        self,
        *,
        store: Store,
        outboxes: Outboxes,
        maker: Maker,
        process: Process,
        tasks: Tasks,
    ) -> None:
        self._store = store
        self._outboxes = outboxes
        self._maker = maker
        self._process = process
        self._tasks = tasks
        self._subjects = Subjects(store)
        self._saver = Saver(store)
        self._listener: Listener | None = None
        self._making: set[Id] = set()

    def tell(self, listener: Listener) -> None:
        """Tell somebody, once and for all, of the end of runs for attempts, which wait for it."""
        if self._listener is not None:
            raise RuntimeError("tell: the ends of runs for attempts are told to one listener only.")
        self._listener = listener

    @property
    def making(self) -> frozenset[Id]:
        """Return the generations that this process is at."""
        return frozenset(self._making)

    def start(self, gen: Generation) -> None:
        """Start what is ours of a generation and not running yet."""
        if gen.for_chat is not None:
            self._told()  # before anything is made that nobody could use
        for work in gen.work:
            if work.owner == self._process.name:
                self._tasks.start(_task(work), lambda w=work: self._run(gen.id, w))  # type: ignore[misc]

    def running(self, work: Work) -> bool:
        """Tell whether this process is at a generation."""
        return _task(work) in self._tasks

    async def take_over(self, gen: Generation, work: Work) -> None:
        """Make a dead process's generation ours."""
        mine = work.model_copy(update={"owner": self._process.name, "fence": work.fence + 1})
        outbox = await self._store.generations.change(
            gen.id,
            when={"work": {"$elemMatch": {"id": work.id, "owner": work.owner, "fence": work.fence}}},
            update={"$set": {"work.$.owner": mine.owner, "work.$.fence": mine.fence}},
        )
        if outbox is not None:
            self._outboxes.publish("generations", gen.id, outbox)
            self.start(gen.model_copy(update={"work": [mine]}))

    async def _run(self, key: str, work: Work) -> None:
        """Make what is missing and finish; again when the database was away, not when the lease is lost."""
        lease = self._process.lease
        self._making.add(key)
        try:
            while not await self._tried(key, work):
                if not self._process.holds(lease):
                    log.warning("generation abandoned", run_id=key)
                    return
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._making.discard(key)

    async def _tried(self, key: str, work: Work) -> bool:
        """Make a generation, or tell why it could not be made; False when it is to be tried again."""
        try:
            await self._once_or_broken(key, work)
        except LeaseLost:
            log.warning("generation lost to another process", run_id=key)
        except Unavailable:
            return False
        return True

    async def _once_or_broken(self, key: str, work: Work) -> None:
        """Make a generation; a bug of ours is tried again after a while, some times, then told."""
        try:
            await self._once(key, work)
        except (LeaseLost, Unavailable):
            raise
        except Exception:
            log.exception("generation broke", run_id=key, fence=work.fence)
            if work.fence >= MAX_FENCE:
                await self._fail(key, work, Internal(), None)

    async def _once(self, key: str, work: Work) -> None:
        gen = await self._mine(key, work)
        step: Step | None = None
        try:
            subject = await self._subject(gen)
            if gen.staged is not None:
                gen = await self._keep(gen, work, gen.staged)
            while len(gen.made) < len(gen.steps):
                step = gen.steps[len(gen.made)]
                made = await self._make(gen, step, subject)
                gen = await self._stage(gen, work, made)
                gen = await self._keep(gen, work, made)
            step = None
            await self._finish(gen, work, subject)
        except Unavailable as error:
            if error.may_retry:
                raise
            await self._fail(key, work, error, step)
        except GreenroomError as error:
            await self._fail(key, work, error, step)

    async def _mine(self, key: str, work: Work) -> Generation:
        gen = await self._store.generations.get(key)
        if gen is None or all((w.id, w.fence) != (work.id, work.fence) for w in gen.work):
            raise LeaseLost
        return gen

    async def _subject(self, gen: Generation) -> Subject:
        """Return what a generation is about; content must be at the version at which the run began."""
        if gen.artifact_type == "chat":
            draft = await self._draft(gen)
            place = gen.for_chat or (draft.place if draft else None)
            if place is None:
                return Subject()
            _, subject = await self._subjects.lobby(place.attempt_id, place.chat_entry_id, owner=gen.owner)
            return subject
        if gen.artifact_id is None:
            return Subject()
        if gen.artifact_type == "attempt":
            return await self._subjects.talk(gen.artifact_id, org=gen.org)
        if gen.artifact_type == "test":
            return await self._subjects.test(gen.artifact_id, org=gen.org)
        subject = await self._subjects.content(gen.artifact_type, gen.artifact_id, org=gen.org)
        if gen.version is not None and subject.version != gen.version and not gen.saving:
            raise Conflict("The content changed while it was generated for; run it again.", retryable=True)
        return subject

    async def _make(self, gen: Generation, step: Step, subject: Subject) -> Made:
        draft = await self._draft(gen)
        # a wish could have the model repeat whatever is in its prompt, so that holds only what they may see
        form = form_shown(draft.form_state if draft else {}, author=gen.author)
        values = {**form, **form_shown({m.type: m.value for m in gen.made}, author=gen.author)}
        lines = list(subject.lines)
        for lookup in gen.lookups:
            lines += await self._subjects.looked_up(lookup, subject, form=form, org=gen.org)
        return await self._maker.make(gen, step, subject=subject, values=values, lines=lines)

    # --- keeping --------------------------------------------------------------------------------------------

    async def _stage(self, gen: Generation, work: Work, made: Made) -> Generation:
        """Store what was made before anybody is told of it, and before the draft has it."""
        if gen.draft_id is not None:
            await self._change(gen, work, update={"$set": {"staged": made.model_dump()}})
        return gen.model_copy(update={"staged": made})

    async def _keep(self, gen: Generation, work: Work, made: Made) -> Generation:
        """Write what was made into the draft, once, and announce it."""
        if gen.draft_id is not None:
            await self._apply(gen, made)
        completed = len(gen.made) + 1
        event = GenerationProgress(
            artifact_type=gen.artifact_type,
            group_id=gen.group_id,
            run_id=gen.id,
            completed_resources=completed,
            total_resources=len(gen.steps),
            percentage=round(100 * completed / len(gen.steps), 2),
            last_completed_resource=made.type,
            resource={"type": made.type, "value": shown_to(made.value, author=gen.author)},
        )
        step = gen.steps[len(gen.made)]
        told = [] if gen.for_chat else [self._event(gen, event, f"{step.kind}:{step.type}")]
        await self._change(
            gen, work, update={"$push": {"made": made.model_dump()}, "$unset": {"staged": 1}}, outbox=told
        )
        return gen.model_copy(update={"made": [*gen.made, made], "staged": None})

    async def _draft(self, gen: Generation) -> Draft | None:
        if gen.draft_id is None:
            return None
        draft = await self._store.drafts.get(gen.draft_id)
        if draft is None:
            raise NotFound("draft_id: the draft does not exist any more.")
        return draft

    async def _apply(self, gen: Generation, made: Made) -> None:
        """Write a resource into the draft as a version of its own, beside whoever else changes it."""
        mark = f"{gen.id}:{made.type}"
        for _ in range(DRAFT_TRIES):
            draft = await self._draft(gen)
            if draft is None or mark in draft.applied:
                return
            form = {**draft.form_state, made.type: made.value}
            if await self._store.drafts.write(draft, form, applied=mark) is not None:
                return
        raise Unavailable("The draft keeps changing; try again.")

    # --- the end --------------------------------------------------------------------------------------------

    async def _finish(self, gen: Generation, work: Work, subject: Subject) -> None:
        if gen.for_chat is not None:
            await self._told().prepared(gen)
            await self._end(gen, work, state="done", outbox=[])
            return
        saved_id = None
        if gen.save:
            draft = await self._draft(gen)
            if not gen.saving and gen.artifact_type != "chat":
                made = {m.type: m.value for m in gen.made if m.type in _resources(gen)}
                form = {**(draft.form_state if draft else {}), **made}
                saving = await self._saver.build(gen.artifact_type, form, subject, org=gen.org, key=gen.id)
                await self._change(gen, work, update={"$set": {"saving": [s.model_dump() for s in saving]}})
                gen = gen.model_copy(update={"saving": saving})
            saved_id = await self._saver.save(gen, draft)
        complete = GenerationComplete(
            artifact_type=gen.artifact_type,
            group_id=gen.group_id,
            run_id=gen.id,
            artifact_id=saved_id or gen.artifact_id,
            metadata=gen.metadata,
        )
        outbox = [self._event(gen, complete, "complete"), self._ops(gen, "ended")]
        if saved_id is not None:
            saved = GenerationSaved(
                artifact_type=gen.artifact_type, group_id=gen.group_id, run_id=gen.id, artifact_id=saved_id
            )
            outbox.insert(0, self._event(gen, saved, "saved"))
        await self._end(gen, work, state="done", outbox=outbox, saved_id=saved_id)

    async def _fail(self, key: str, work: Work, error: GreenroomError, step: Step | None) -> None:
        gen = await self._mine(key, work)
        event = GenerationError(
            artifact_type=gen.artifact_type,
            group_id=gen.group_id,
            run_id=gen.id,
            resource_type=step.type if step else None,
            resource_id=gen.artifact_id,
            message=f"{step.type}: {error.message}" if step else error.message,
            code=error.code,
        )
        outbox: list[Pending] = []
        if gen.for_chat is not None:
            await self._told().failed(gen, event)
        else:
            outbox = [self._event(gen, event, "error"), self._ops(gen, "error", event.code)]
        await self._end(gen, work, state="failed", outbox=outbox)

    async def _end(
        self,
        gen: Generation,
        work: Work,
        *,
        state: str,
        outbox: Sequence[Pending],
        saved_id: str | None = None,
    ) -> None:
        done: dict[str, Any] = {"state": state, "ended_at": utc_now(), "saving": []}
        if saved_id is not None:
            done["saved_id"] = saved_id
        update = {
            "$set": done,
            "$unset": {"extra_messages": 1, "staged": 1},
            "$pull": {"work": {"id": work.id}},
        }
        await self._change(gen, work, update=update, outbox=outbox)

    async def _change(
        self, gen: Generation, work: Work, *, update: dict[str, Any], outbox: Sequence[Pending] = ()
    ) -> None:
        """Change a generation while it is ours; raises LeaseLost when it is not."""
        stored = await self._store.generations.change(
            gen.id,
            when={"work": {"$elemMatch": {"id": work.id, "fence": work.fence}}},
            update=update,
            outbox=outbox,
        )
        if stored is None:
            raise LeaseLost
        self._outboxes.publish("generations", gen.id, stored)

    def _told(self) -> Listener:
        if self._listener is None:
            raise RuntimeError("Runner.tell must be called before runs for attempts are started.")
        return self._listener

    def _event(self, gen: Generation, event: ServerEvent, step: str) -> Pending:
        return pending(room_of(gen), event, f"{gen.id}:{step}")

    def _ops(self, gen: Generation, phase: Any, code: Any = None) -> Pending:
        return ops_event(
            "generation", key=gen.id, room=room_of(gen), phase=phase, owner=gen.owner, org=gen.org, code=code
        )


def room_of(gen: Generation) -> str:
    """Return the room of a generation's owner."""
    return f"{gen.owner.kind}_{gen.owner.id}"


def _resources(gen: Generation) -> set[str]:
    return {s.type for s in gen.steps if s.kind == "resource"}


def _task(work: Work) -> str:
    return f"generate:{work.id}:{work.fence}"
