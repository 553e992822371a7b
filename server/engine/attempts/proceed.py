"""Moves an attempt on: the next chat, its lobby, or the end (socket-v5 §4, Proceed)."""

from collections.abc import Awaitable, Callable

from schemas.attempt import (
    Attempt,
    AttemptChatStarted,
    AttemptEnded,
    AttemptError,
    AttemptStarted,
    Chat,
)
from schemas.envelope import Id, utc_now
from schemas.stored import Pending
from server.engine.attempts.chats import ChatMaker
from server.engine.attempts.plan import Step, ended, finish, plan, with_entry
from server.engine.conversation import Conversation
from server.engine.conversation.conversation import room_of
from server.engine.pending import pending
from server.engine.watching.ops import attempt_event
from server.errors import Conflict, GreenroomError, Unavailable
from server.rooms.outbox import Outboxes
from server.store import Store

Enter = Callable[[str], Awaitable[None]]
TRIES = 5


async def nobody_enters(room: str) -> None:
    """Enter no room, because no client waits for this step."""


class Proceeding:
    """Changes attempts by compare-and-set; two who proceed at once take one step together."""

    def __init__(
        self, *, store: Store, outboxes: Outboxes, conversation: Conversation, maker: ChatMaker
    ) -> None:
        self._store = store
        self._outboxes = outboxes
        self._conversation = conversation
        self._maker = maker

    async def begin(self, attempt: Attempt, begun: list[Pending], *, enter: Enter) -> Attempt:
        """Store a new attempt with its first step."""
        step, chat, outbox = await self._step(attempt, begun, force=False, enter=enter)
        if await self._store.attempts.create(step.attempt, outbox):
            self._outboxes.publish("attempts", attempt.id, outbox)
        if chat is not None:
            self._open(chat)
        return step.attempt

    async def go_on(self, attempt: Attempt, *, by: Id, enter: Enter) -> Id | None:
        """Take an attempt's next step, past its lobby; return the chat that it opened."""
        step = plan(attempt, force=True)
        if step.kind == "chat" and step.entry is not None:
            attempt = with_entry(step.attempt, step.entry.model_copy(update={"by": by}))
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
                if error.may_retry:
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

    async def _halt(self, attempt: Attempt, chat_id: Id, error: GreenroomError) -> bool:
        """Store an attempt without its next step, and why there is none."""
        event = AttemptError(type="proceed", message=error.message, code=error.code)
        halted = [
            pending(own_room(attempt), event, f"{attempt.id}:{chat_id}:proceed"),
            attempt_event(attempt, "error", code=error.code, step=chat_id),
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
        step, chat, outbox = await self._step(attempt, begun, force=force, enter=enter)
        stored = await self._store.attempts.replace(step.attempt, outbox)
        if stored is None:
            return False, None
        self._outboxes.publish("attempts", attempt.id, stored)
        if chat is not None:
            self._open(chat)
        return True, chat.id if chat else None

    async def _step(
        self, attempt: Attempt, begun: list[Pending], *, force: bool, enter: Enter
    ) -> tuple[Step, Chat | None, list[Pending]]:
        """Return the next step with its events; a chat is stored before the attempt names it."""
        step = plan(attempt, force=force)
        room = own_room(attempt)
        chat: Chat | None = None
        outbox = list(begun)
        if step.kind == "chat" and step.entry is not None:
            chat = await self._make(step, enter)
            opened = step.entry.model_copy(update={"state": "open", "chat_id": chat.id})
            step = Step("chat", with_entry(step.attempt, opened), opened)
            event = AttemptChatStarted(attempt_id=attempt.id, chat_id=chat.id)
            outbox.append(pending(room, event, f"{chat.id}:started"))
        elif (
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
        return step, chat, outbox

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


def begun_with(begun: list[Pending], chat_entry_id: Id) -> bool:
    """Tell whether attempt_started for this entry is among the events already."""
    return any(p.name == "attempt_started" and chat_entry_id in p.j for p in begun)


def _ended(attempt: Attempt) -> AttemptEnded:
    return AttemptEnded(
        attempt_id=attempt.id, success=True, all_scenarios_complete=attempt.all_scenarios_complete
    )
