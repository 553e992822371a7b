"""The request to generate: who may, what is to be made, and the run that makes it (socket-v5 §6)."""

import hashlib
from collections.abc import Callable

from schemas.attempt import Attempt
from schemas.draft import Draft
from schemas.envelope import Id, utc_now
from schemas.generation import Generate, GenerateReply, Generation, Lookup
from schemas.stored import Owner, Work
from server.engine.access import Identity
from server.engine.drafting.building import present_in
from server.engine.drafting.drafts import Drafts
from server.engine.drafting.limits import Limits
from server.engine.drafting.plan import Plan, complete, plan_of
from server.engine.drafting.running import Runner, room_of
from server.engine.drafting.subject import Subject, Subjects
from server.engine.ids import derive
from server.engine.watching.ops import ops_event
from server.errors import BadRequest, Conflict, Forbidden
from server.rooms.outbox import Outboxes
from server.store import Store

NewId = Callable[[str], Id]


class Generating:
    """Takes requests to generate; durable when it returns, and the same run for the same run_id."""

    def __init__(
        self,
        *,
        store: Store,
        outboxes: Outboxes,
        runner: Runner,
        drafts: Drafts,
        process: str,
        limits: Limits,
        images: bool,
    ) -> None:
        self._store = store
        self._outboxes = outboxes
        self._runner = runner
        self._drafts = drafts
        self._subjects = Subjects(store)
        self._process = process
        self._images = images
        self._limits = limits

    async def generate(self, caller: Identity, msg: Generate, *, new_id: NewId) -> GenerateReply:
        """Start a run; raises what speaks against it before anything is made."""
        _check_role(caller, msg)
        plan = plan_of(msg, images=self._images)
        run_id = msg.run_id or new_id("run")
        digest = _digest(msg)
        stored = await self._store.generations.get(run_id)
        if stored is not None:
            return _again(stored, caller, digest)
        gen = await self._prepared(caller, msg, plan, run_id=run_id, group_id=msg.group_id or new_id("group"))
        gen = gen.model_copy(update={"digest": digest})
        if not await self._store.generations.claim_group(gen.group_id, caller.key):
            raise Conflict("group_id: this id is another's; give another one, or none.")
        await self._limits.count(gen.owner)
        started = ops_event(
            "generation", key=gen.id, room=room_of(gen), phase="started", owner=gen.owner, org=gen.org
        )
        if not await self._store.generations.create(gen, [started]):
            stored = await self._store.generations.get(run_id)
            return _again(stored or gen, caller, digest)
        self._outboxes.publish("generations", gen.id, [started])
        self._runner.start(gen)
        return _reply(gen)

    async def _prepared(
        self, caller: Identity, msg: Generate, plan: Plan, *, run_id: Id, group_id: Id
    ) -> Generation:
        """Return the run with all its steps; raises what keeps it from being made or saved."""
        draft = await self._draft(caller, msg, plan, run_id=run_id)
        subject = await self._subject(caller, msg, plan, draft)
        present = present_in(subject.body or {}, draft.form_state if draft else {})
        steps = complete(plan, present=present)
        _check_save(plan, subject, draft)
        if not steps and not plan.save:
            raise BadRequest("resource_types: name at least one to create or link.")
        return Generation(
            id=run_id,
            owner=Owner(kind=caller.kind, id=caller.id),
            org=caller.org,
            author=caller.is_author,
            digest="",
            group_id=group_id,
            artifact_type=plan.artifact,
            artifact_id=_artifact_id(msg, draft),
            version=subject.version,
            draft_id=draft.id if draft else None,
            save=plan.save,
            steps=steps,
            lookups=_distinct(plan.lookups),
            wishes=msg.user_instructions or [],
            extra_messages=msg.extra_messages or [],
            metadata=msg.metadata,
            work=[Work(id=derive(run_id, "work"), kind="generate", owner=self._process)],
            created_at=utc_now(),
        )

    async def _draft(self, caller: Identity, msg: Generate, plan: Plan, *, run_id: Id) -> Draft | None:
        """Return the draft that is written into, made now when the first operation is draft."""
        if msg.draft_id is not None:
            draft = await self._drafts.owned(caller, msg.draft_id)
            if draft.artifact_type != plan.artifact:
                raise BadRequest(f"draft_id: this is a draft of a {draft.artifact_type}.")
            if msg.artifact_id not in (None, draft.artifact_id):
                raise BadRequest("artifact_id: the draft is of something else.")
            return draft
        if plan.artifact == "chat":
            raise BadRequest("draft_id: a chat needs the draft of a lobby; POST /api/v1/drafts makes one.")
        if not plan.draft:
            return None
        return await self._drafts.make(
            caller, plan.artifact, msg.artifact_id, draft_id=derive(run_id, "draft")
        )

    async def _subject(self, caller: Identity, msg: Generate, plan: Plan, draft: Draft | None) -> Subject:
        key = _artifact_id(msg, draft)
        if plan.artifact == "chat":
            if draft is None or draft.place is None:
                raise BadRequest("draft_id: this draft belongs to no lobby.")
            place = draft.place
            owner = Owner(kind=caller.kind, id=caller.id)
            attempt, subject = await self._subjects.lobby(place.attempt_id, place.chat_entry_id, owner=owner)
            check_waits(attempt, place.chat_entry_id)
            return subject
        if plan.artifact in ("attempt", "test"):
            if key is None:
                raise BadRequest(f"artifact_id: the {plan.artifact} that this is about is needed.")
            find = self._subjects.talk if plan.artifact == "attempt" else self._subjects.test
            return await find(key, org=caller.org)
        return await self._subjects.content(plan.artifact, key, org=caller.org) if key else Subject()


def check_waits(attempt: Attempt, chat_entry_id: Id) -> None:
    """Raise Conflict unless a scenario of an attempt may still be made one's own."""
    entry = next(e for e in attempt.entries if e.chat_entry_id == chat_entry_id)
    if attempt.status != "open" or entry.state not in ("pending", "lobby"):
        raise Conflict("This scenario has been run already, or the attempt has ended.")
    if not entry.use_custom:
        raise Conflict("This scenario cannot be made one's own: its use_custom is off.")


def _check_role(caller: Identity, msg: Generate) -> None:
    if caller.is_author:
        return
    # any other artifact, also one to look up, would bring what only authors know into the prompt
    if caller.may_practise and all(item.name == "chat" for item in msg.artifact_types):
        return
    raise Forbidden("Only authors generate content; learners the chat of a lobby draft of theirs.")


def _check_save(plan: Plan, subject: Subject, draft: Draft | None) -> None:
    """Raise BadRequest for a save that cannot be done, before anything is made."""
    if not plan.save:
        return
    made = {s.type for s in plan.steps if s.kind == "resource"}
    form = set(draft.form_state) if draft else set()
    if plan.artifact == "test":
        raise BadRequest("save: entries of a test are delivered, not saved; test_end stores grades.")
    if plan.artifact == "attempt" and not made:
        raise BadRequest("save: entries are delivered, not saved; attempt_grade stores feedback.")
    if plan.artifact == "cohort" and subject.body is None and "simulations" not in made | form:
        raise BadRequest("save: a cohort needs simulations; link some, or give the artifact_id of a home.")
    linked = any(s.type == "run_positions" and s.operation == "link" for s in plan.steps)
    if plan.artifact == "eval" and subject.body is None and not linked and "run_positions" not in form:
        raise BadRequest(
            "save: a benchmark needs recorded runs; link some with run_positions, or give its artifact_id."
        )


def _artifact_id(msg: Generate, draft: Draft | None) -> Id | None:
    return msg.artifact_id or (draft.artifact_id if draft else None)


def _again(stored: Generation, caller: Identity, digest: str) -> GenerateReply:
    if (stored.owner.kind, stored.owner.id, stored.org) != (caller.kind, caller.id, caller.org):
        raise Conflict("run_id: this id is another's; give another one, or none.")
    if stored.digest != digest:
        raise Conflict("run_id: this run was started by another request.")
    return _reply(stored)


def _reply(gen: Generation) -> GenerateReply:
    return GenerateReply(run_id=gen.id, group_id=gen.group_id, draft_id=gen.draft_id, metadata=gen.metadata)


def _digest(msg: Generate) -> str:
    return hashlib.sha256(msg.model_dump_json(exclude={"client_event_id"}).encode()).hexdigest()


def _distinct(lookups: list[Lookup]) -> list[Lookup]:
    return [look for i, look in enumerate(lookups) if look not in lookups[:i]]
