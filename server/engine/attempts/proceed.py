"""Moves an attempt on: the next chat, its lobby, or the end (socket-v5 §4, Proceed)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from schemas.attempt import (
    Attempt,
    AttemptChatStarted,
    AttemptEnded,
    AttemptError,
    AttemptStarted,
    Chat,
    ChatEntry,
)
from schemas.draft import Draft
from schemas.envelope import Id, utc_now
from schemas.generation import Generation, GenerationError
from schemas.stored import Pending
from server.engine.attempts.chats import ChatMaker
from server.engine.attempts.contents import Contents
from server.engine.attempts.plan import Step, ended, finish, plan, with_entry
from server.engine.conversation import Conversation
from server.engine.conversation.chat_place import room_of
from server.engine.pending import pending
from server.engine.watching.ops import attempt_event
from server.errors import Conflict, GreenroomError, RateLimited, Unavailable
from server.rooms.outbox import Outboxes
from server.store import Store

Enter = Callable[[str], Awaitable[None]]
TRIES = 5


async def nobody_enters(room: str) -> None:
    """Enter no room, because no client waits for this step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A step that was taken: the changed attempt, its events, and the chat or the run that comes of it."""

    step: Step
    outbox: list[Pending]
    chat: Chat | None = None
    run_id: Id | None = None


class Proceeding:
    """Changes attempts by compare-and-set; two who proceed at once take one step together."""

    def __init__(
        self,
        *,
        store: Store,
        outboxes: Outboxes,
        conversation: Conversation,
        maker: ChatMaker,
        contents: Contents,
    ) -> None:
        self._store = store
        self._contents = contents
        contents.tell(prepared=self.prepared, failed=self.not_prepared)
        self._outboxes = outboxes
        self._conversation = conversation
        self._maker = maker

    async def begin(self, attempt: Attempt, begun: list[Pending], *, enter: Enter) -> Attempt:
        """Store a new attempt with its first step."""
        taken = await self._step(attempt, begun, force=False, enter=enter)
        if await self._store.attempts.create(taken.step.attempt, taken.outbox):
            self._outboxes.publish("attempts", attempt.id, taken.outbox)
        await self._follow_up(taken)
        return taken.step.attempt

    async def go_on(self, attempt: Attempt, *, by: Id, enter: Enter, draft: Draft | None = None) -> Id | None:
        """Take an attempt's next step, past its lobby; return the chat that it opened.

        With a lobby's draft the next scenario is the one that it is for: raises Conflict otherwise.
        """
        step = plan(attempt, force=True)
        if draft is not None:
            _check_draft(step, draft)
        if step.kind == "chat" and step.entry is not None:
            update = {"by": by, **({"draft_id": draft.id} if draft else {})}
            attempt = with_entry(step.attempt, step.entry.model_copy(update=update))
        return await self.change(attempt, [], force=True, enter=enter)

    async def change(self, attempt: Attempt, begun: list[Pending], *, force: bool, enter: Enter) -> Id | None:
        """Store a changed attempt with its next step; raises Conflict when it was changed meanwhile."""
        stored, chat_id = await self._try(attempt, begun, force=force, enter=enter)
        if not stored:
            raise Conflict("The attempt changed at the same time; look again.", retryable=True)
        return chat_id

    async def finish(self, attempt_id: Id, chat_id: Id, *, ending: bool) -> None:
        """Mark a chat as done and go on; done before is done. Raises Unavailable.

        When the next chat cannot be made the attempt waits: its owner is told, and attempt_next tries again.
        """
        for _ in range(TRIES):
            attempt = await self._store.attempts.get(attempt_id)
            done = finish(attempt, chat_id, ending=ending) if attempt else None
            if done is None:
                return
            try:
                stored, _ = await self._try(done, [], force=False, enter=nobody_enters)
            except GreenroomError as error:
                if error.may_retry and not isinstance(error, RateLimited):
                    raise
                stored = await self._halt(done, chat_id, error)
            if stored:
                return
        raise Unavailable("The attempt keeps changing; try again.")

    async def wind_up(self, attempt: Attempt) -> Attempt:
        """End an attempt once its open chats have ended, now if there are none; return it as it is then."""
        for _ in range(TRIES):
            if attempt.status != "open":
                return attempt
            is_open = any(e.state == "open" for e in attempt.entries)
            changed = attempt.model_copy(update={"status": "ending"}) if is_open else ended(attempt)
            if (await self._try(changed, [], force=False, enter=nobody_enters))[0]:
                return changed
            attempt = await self._store.attempts.get(attempt.id) or attempt
        raise Unavailable("The attempt keeps changing; try again.")

    async def prepared(self, gen: Generation) -> None:
        """Open the chat whose content has been made; nothing when the attempt waits for it no more."""
        for _ in range(TRIES):
            waiting = await self._waiting(gen)
            if waiting is None:
                return
            attempt, entry = waiting
            entry = entry.model_copy(update={"preparing": None, "generation_id": gen.id})
            if (await self._try(with_entry(attempt, entry), [], force=True, enter=nobody_enters))[0]:
                return
        raise Unavailable("The attempt keeps changing; try again.")

    async def not_prepared(self, gen: Generation, error: GenerationError) -> None:
        """Let an attempt wait whose chat's content could not be made; attempt_next tries again."""
        for _ in range(TRIES):
            waiting = await self._waiting(gen)
            if waiting is None:
                return
            attempt, entry = waiting
            attempt = with_entry(attempt, entry.model_copy(update={"preparing": None}))
            if await self._halt(attempt, gen.id, error):
                return
        raise Unavailable("The attempt keeps changing; try again.")

    async def _waiting(self, gen: Generation) -> tuple[Attempt, ChatEntry] | None:
        """Return the attempt and entry that wait for a run, None when they do not."""
        place = gen.for_chat
        attempt = await self._store.attempts.get(place.attempt_id) if place else None
        if attempt is None or attempt.status != "open":
            return None
        entry = next((e for e in attempt.entries if e.preparing == gen.id), None)
        return (attempt, entry) if entry else None

    async def _halt(self, attempt: Attempt, key: Id, error: GreenroomError | GenerationError) -> bool:
        """Store an attempt without its next step, and why there is none."""
        event = AttemptError(type="proceed", message=error.message, code=error.code)
        halted = [
            pending(own_room(attempt), event, f"{attempt.id}:{key}:proceed"),
            attempt_event(attempt, "error", code=error.code, step=key),
        ]
        stored = await self._store.attempts.replace(attempt, halted)
        if stored is None:
            return False
        self._outboxes.publish("attempts", attempt.id, stored)
        return True

    async def _try(
        self, attempt: Attempt, begun: list[Pending], *, force: bool, enter: Enter
    ) -> tuple[bool, Id | None]:
        """Store a changed attempt and its next step; return whether it was stored, and the chat it opened."""
        taken = await self._step(attempt, begun, force=force, enter=enter)
        stored = await self._store.attempts.replace(taken.step.attempt, taken.outbox)
        if stored is None:
            return False, None
        self._outboxes.publish("attempts", attempt.id, stored)
        await self._follow_up(taken)
        return True, taken.chat.id if taken.chat else None

    async def _follow_up(self, taken: Taken) -> None:
        """Begin what a stored step brings with it."""
        if taken.chat is not None:
            self._open(taken.chat)
        if taken.run_id is not None:
            await self._contents.start(taken.run_id)

    async def _step(self, attempt: Attempt, begun: list[Pending], *, force: bool, enter: Enter) -> Taken:
        """Return the next step with its events; a chat is stored before the attempt names it."""
        step = plan(attempt, force=force)
        room = own_room(attempt)
        outbox = list(begun)
        if step.kind == "chat" and step.entry is not None:
            return await self._chat_step(step, step.entry, outbox, enter=enter)
        if (
            step.kind == "lobby"
            and step.entry is not None
            and not begun_with(begun, step.entry.chat_entry_id)
        ):
            waiting = AttemptStarted(attempt_id=attempt.id, chat_entry_id=step.entry.chat_entry_id)
            outbox.append(pending(room, waiting, f"{step.entry.chat_entry_id}:lobby"))
        if step.attempt.status == "ended" and step.attempt.ended_at is None:
            step = Step("end", step.attempt.model_copy(update={"ended_at": utc_now()}))
            outbox.append(pending(room, _ended(step.attempt), f"{attempt.id}:ended"))
            outbox.append(attempt_event(step.attempt, "ended"))
        return Taken(step=step, outbox=outbox)

    async def _chat_step(self, step: Step, entry: ChatEntry, outbox: list[Pending], *, enter: Enter) -> Taken:
        """Make the chat of an entry, or let its content be generated first."""
        attempt, room = step.attempt, own_room(step.attempt)
        needed = self._contents.makeable(await self._maker.need(attempt, entry))
        if needed.refused is not None and entry.generation_id is None:
            told = AttemptError(type="proceed", message=needed.refused, code="unavailable")
            outbox.append(pending(room, told, f"{entry.chat_entry_id}:{entry.tries}:refused"))
        if needed.types and entry.generation_id is None:
            run_id = await self._contents.prepare(attempt, entry, needed.types)
            waits = entry.model_copy(update={"preparing": run_id, "tries": entry.tries + 1})
            return Taken(step=Step("none", with_entry(attempt, waits)), outbox=outbox, run_id=run_id)
        chat = await self._make(step, enter)
        opened = entry.model_copy(update={"state": "open", "chat_id": chat.id})
        event = AttemptChatStarted(attempt_id=attempt.id, chat_id=chat.id)
        outbox.append(pending(room, event, f"{chat.id}:started"))
        return Taken(step=Step("chat", with_entry(attempt, opened), opened), outbox=outbox, chat=chat)

    async def _make(self, step: Step, enter: Enter) -> Chat:
        if step.entry is None:
            raise Conflict("There is no scenario left.")
        chat, outbox = await self._maker.chat(step.attempt, step.entry)
        await enter(room_of(chat.id))
        if await self._store.chats.create(chat, outbox):
            self._outboxes.publish("chats", chat.id, outbox)
        else:
            chat = await self._conversation.load(chat.id)
        return chat

    def _open(self, chat: Chat) -> None:
        """Let the persona speak first, if it is ours to play."""
        self._conversation.remember(chat)
        if chat.reply is not None and chat.reply.cause == "opening":
            self._conversation.start(chat, chat.reply)


def own_room(attempt: Attempt) -> str:
    """Return the room of an attempt's owner."""
    return f"{attempt.owner.kind}_{attempt.owner.id}"


def _check_draft(step: Step, draft: Draft) -> None:
    place = draft.place
    if place is None or step.attempt.id != place.attempt_id:
        raise Conflict("draft_id: the draft is not for the lobby of this attempt.")
    if step.entry is None or step.entry.chat_entry_id != place.chat_entry_id:
        raise Conflict("draft_id: the draft is for another scenario than the next one.")
    if not step.entry.use_custom:
        raise Conflict("draft_id: the next scenario cannot be made one's own: its use_custom is off.")


def begun_with(begun: list[Pending], chat_entry_id: Id) -> bool:
    """Tell whether attempt_started for this entry is among the events already."""
    return any(p.name == "attempt_started" and chat_entry_id in p.j for p in begun)


def _ended(attempt: Attempt) -> AttemptEnded:
    return AttemptEnded(
        attempt_id=attempt.id, success=True, all_scenarios_complete=attempt.all_scenarios_complete
    )
