"""Turns of a chat: saying, replying, stopping (socket-v5 §5, core §11, §12)."""

from collections import OrderedDict
from collections.abc import Callable

import structlog

from schemas.attempt import (
    AttemptAssistantStart,
    AttemptHintProgress,
    AttemptMessage,
    AttemptMessageReply,
    AttemptUserComplete,
    AttemptUserStart,
    Chat,
    Message,
)
from schemas.envelope import Id, JsonObject, utc_now
from schemas.stored import Pending, RunningReply
from server.engine.access import Identity, not_yours
from server.engine.conversation.aloud import Aloud, Spoken
from server.engine.conversation.chat_place import ChatPlace, room_of
from server.engine.conversation.grounded import GroundedPersona, Grounding
from server.engine.conversation.grounds import Grounds
from server.engine.conversation.parties import Party, ScriptedParty, path_to, persona_party
from server.engine.conversation.replies import Replies
from server.engine.conversation.reply import ReplyEnd, announcing
from server.engine.pending import pending
from server.engine.tasks import Tasks
from server.errors import Conflict, GreenroomError, NotFound, TooLarge
from server.llm import Models
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store
from server.store.chats import MAX_CHAT_BYTES

log = structlog.get_logger(__name__)
KNOWN_CHATS = 1000
HEARD_TRIES = 5
KNOWN_BYTES = 64 * 1024 * 1024  # of messages in chats kept at hand


class Conversation:
    """Runs the turns of chats; a chat has at most one reply at a time, owned by one process."""

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        outboxes: Outboxes,
        models: Models,
        grounds: Grounds,
        process: Process,
        tasks: Tasks,
    ) -> None:
        self._store = store
        self._hub = hub
        self._outboxes = outboxes
        self._models = models
        self._grounds = grounds
        self._process = process
        self._known: OrderedDict[str, Chat] = OrderedDict()
        self._known_bytes = 0
        self._replies = Replies(
            store.chats,
            stopping="stop_reply",
            hub=hub,
            outboxes=outboxes,
            process=process,
            tasks=tasks,
            settled=self._settled,
        )
        self.on_settled: Callable[[Chat], None] | None = None

    @property
    def running(self) -> int:
        """Return the number of replies that this process is producing."""
        return len(self._replies.running)

    @property
    def replying(self) -> set[Id]:
        """Return the chats in which this process is producing a reply."""
        return self._replies.running

    def is_running(self, chat_id: Id) -> bool:
        """Tell whether this process is producing a reply of this chat."""
        return chat_id in self._replies.running

    async def owned(self, caller: Identity, chat_id: Id) -> Chat:
        """Return the caller's own chat, maybe some changes old; raises NotFound or Forbidden for others'."""
        chat = self._known.get(chat_id) or await self.load(chat_id)
        if not caller.owns(chat.owner, chat.org):
            raise not_yours(caller, "chat", org=chat.org)
        return chat

    async def load(self, chat_id: Id) -> Chat:
        """Return a chat as it is stored; raises NotFound."""
        chat = await self._store.chats.get(chat_id)
        if chat is None:
            raise NotFound("There is no such chat, or it is not yours.")
        self.remember(chat)
        return chat

    def remember(self, chat: Chat) -> None:
        """Keep a chat at hand, so that the next message needs one write and no read."""
        self._forget(chat.id)
        self._known[chat.id] = chat
        self._known_bytes += chat.size
        while self._known_bytes > KNOWN_BYTES or len(self._known) > KNOWN_CHATS:
            self._forget(next(iter(self._known)))

    def _forget(self, chat_id: Id) -> None:
        if (chat := self._known.pop(chat_id, None)) is not None:
            self._known_bytes -= chat.size

    async def say(
        self, chat: Chat, msg: AttemptMessage, *, new_id: Callable[[str], Id]
    ) -> AttemptMessageReply:
        """Store a learner's message and start the answer; durable when it returns."""
        user_id, reply_id = new_id("message"), new_id("reply")
        for fresh in (False, True, True):
            if fresh:  # what was at hand may have been old
                chat = await self.load(chat.id)
            if any(m.id == user_id for m in chat.messages):
                return AttemptMessageReply(message_id=user_id, assistant_message_id=reply_id)
            if (refusal := why_not(chat, msg)) is not None:
                if fresh:
                    raise refusal
                continue
            turn = self._turn(chat, msg, user_id=user_id, reply_id=reply_id)
            if await self._commit_turn(chat, *turn):
                return AttemptMessageReply(message_id=user_id, assistant_message_id=reply_id)
        raise Conflict("The chat changed at the same time; try again.", retryable=True)

    async def hear(self, chat_id: Id, spoken: Spoken, *, aloud: Aloud) -> Chat:
        """Store what a learner has said and start the answer, spoken; return the chat as it is then.

        A reply that still runs is stopped. Raises Conflict when the chat is closed, TooLarge.
        """
        for _ in range(HEARD_TRIES):
            chat = await self.load(chat_id)
            if any(m.id == spoken.message_id for m in chat.messages):
                return chat
            if (refusal := why_not_heard(chat)) is not None:
                raise refusal
            if chat.reply is not None:
                await self.stop(chat_id)
                continue
            user, running = spoken.turn(parent=chat.tip, owner=self._process.name)
            if await self._commit_turn(chat, user, running, item_id=spoken.item_id, aloud=aloud):
                return chat
        raise Conflict("The chat changes too fast; say it again.", retryable=True)

    async def show_hints(self, chat_id: Id, hints: list[JsonObject], *, step: str) -> None:
        """Store hints that a reply has brought, and tell them; `step` names them. Raises Unavailable."""
        event = AttemptHintProgress(chat_id=chat_id, hints=hints)
        outbox = await self._store.chats.change(
            chat_id,
            when={"status": "open"},
            update={"$set": {"hints": hints}},
            outbox=[pending(room_of(chat_id), event, f"{step}:hints")],
        )
        if outbox is not None:
            self._forget(chat_id)
            self._outboxes.publish("chats", chat_id, outbox)

    async def is_open(self, chat_id: Id) -> bool:
        """Tell whether a chat takes turns; raises Unavailable."""
        return await self._store.chats.is_open(chat_id)

    async def stop(self, chat_id: Id, *, end: ReplyEnd = "stopped") -> bool:
        """Stop the running reply wherever it runs; False when it had ended, or there was none.

        Returns when the partial text is stored, or after 3 s.
        """
        chat = await self.load(chat_id)
        if chat.reply is None:
            return False
        message_id = chat.reply.message_id
        await self._replies.stop(chat_id, chat.reply, end=end)
        await self._replies.ended(chat_id, message_id)
        chat = await self.load(chat_id)
        return any(m.id == message_id and m.state == "stopped" for m in chat.messages)

    def start(self, chat: Chat, running: RunningReply, *, aloud: Aloud | None = None) -> None:
        """Produce a reply that is stored as ours; at most one task per chat. Once closed it ends at once."""
        grounding = Grounding()
        party = self._party(chat, running, grounding)
        if aloud is not None:
            party = aloud.party(party)
        self._replies.start(self._place(chat, running, grounding, aloud), running, party)

    async def obey_stops(self) -> None:
        """Stop replies of this process that others asked to stop; raises Unavailable."""
        await self._replies.obey_stops()

    def interrupt_all(self) -> None:
        """Close all replies with what they have: this process ends, or others may own them by now."""
        self._replies.interrupt_all()

    async def close(self, seconds: float) -> None:
        """Interrupt all replies, and those that start from now on.

        Returns when that is stored and on its way into the log, or time is up; may be called again.
        """
        await self._replies.close(seconds)

    async def take_over(self, chat: Chat) -> None:
        """Close the reply of a dead process with the text that watchers have seen (core §12.3)."""
        if chat.reply is not None:
            await self._replies.take_over(
                chat.id,
                chat.reply,
                room=room_of(chat.id),
                place=lambda mine, seen: self._place(chat, mine, Grounding.seen(seen)),
            )

    def _place(
        self, chat: Chat, running: RunningReply, grounding: Grounding, aloud: Aloud | None = None
    ) -> ChatPlace:
        return ChatPlace(
            chat,
            running,
            store=self._store.chats,
            process=self._process.name,
            grounding=grounding,
            aloud=aloud,
        )

    def _party(self, chat: Chat, running: RunningReply, grounding: Grounding) -> Party:
        if running.cause == "opening" and chat.scenario.opening_line:
            return ScriptedParty(chat.scenario.opening_line)
        path = path_to(chat.messages, running.parent_message_id)
        if chat.persona.pipeline_id is None or not path:
            return persona_party(self._models, chat, path)
        return GroundedPersona(
            chat,
            path,
            message_id=running.message_id,
            models=self._models,
            grounds=self._grounds,
            announce=announcing(self._hub, self._process, room_of(chat.id)),
            grounding=grounding,
        )

    def _turn(
        self, chat: Chat, msg: AttemptMessage, *, user_id: Id, reply_id: Id
    ) -> tuple[Message, RunningReply]:
        now = utc_now()
        user = Message(
            id=user_id,
            role="user",
            content=msg.message,
            parent_message_id=msg.parent_message_id or chat.tip,
            created_at=now,
        )
        running = RunningReply(
            message_id=reply_id, parent_message_id=user_id, created_at=now, owner=self._process.name
        )
        return user, running

    async def _commit_turn(
        self,
        chat: Chat,
        user: Message,
        running: RunningReply,
        *,
        item_id: str | None = None,
        aloud: Aloud | None = None,
    ) -> bool:
        when = {"status": "open", "reply": None, "tip": chat.tip, "owner.id": chat.owner.id}
        size = len(user.content.encode()) + 500
        outbox = await self._store.chats.change(
            chat.id,
            when=when,
            update={
                "$push": {"messages": user.model_dump(exclude_none=True)},
                "$set": {"tip": user.id, "reply": running.model_dump(exclude_none=True)},
                "$inc": {"size": size},
            },
            outbox=turn_events(chat.id, user, running, item_id=item_id),
        )
        if outbox is None:
            return False
        self._outboxes.publish("chats", chat.id, outbox)
        update = {
            "messages": [*chat.messages, user],
            "tip": user.id,
            "reply": running,
            "size": chat.size + size,
        }
        spoken = chat.model_copy(update=update)
        self.remember(spoken)
        self.start(spoken, running, aloud=aloud)
        return True

    def _settled(self, chat_id: Id, chat: Chat | None) -> None:
        """Take note of a reply that has ended and is stored; `chat` is None when somebody else ended it."""
        if chat is None:
            self._forget(chat_id)
            return
        self.remember(chat)
        if self.on_settled is not None:
            self.on_settled(chat)


def turn_events(
    chat_id: Id, user: Message, running: RunningReply, *, item_id: str | None = None
) -> list[Pending]:
    """Return the events of a new turn; of one that was spoken, the start has been told already."""
    room = room_of(chat_id)
    if item_id is not None:
        heard = AttemptUserComplete(
            chat_id=chat_id,
            message_id=user.id,
            content=user.content,
            created_at=user.created_at,
            item_id=item_id,
            parent_message_id=user.parent_message_id,
            audio=user.audio,
        )
        return [pending(room, heard, f"{user.id}:complete"), reply_started(chat_id, running)]
    start = AttemptUserStart(
        chat_id=chat_id,
        message_id=user.id,
        created_at=user.created_at,
        parent_message_id=user.parent_message_id,
    )
    complete = AttemptUserComplete(
        chat_id=chat_id, message_id=user.id, content=user.content, created_at=user.created_at
    )
    return [
        pending(room, start, f"{user.id}:start"),
        pending(room, complete, f"{user.id}:complete"),
        reply_started(chat_id, running),
    ]


def reply_started(chat_id: Id, running: RunningReply) -> Pending:
    """Return the event with which a reply begins."""
    event = AttemptAssistantStart(
        chat_id=chat_id,
        message_id=running.message_id,
        created_at=running.created_at,
        parent_message_id=running.parent_message_id,
    )
    return pending(room_of(chat_id), event, f"{running.message_id}:start")


def why_not_heard(chat: Chat) -> GreenroomError | None:
    """Return what stands in the way of something said aloud."""
    if chat.status != "open":
        return Conflict("The chat is closed.")
    if not chat.template.audio_enabled:
        return Conflict("This chat takes no speech.")
    if chat.size > MAX_CHAT_BYTES:
        return TooLarge("The conversation has become too large; end this chat and start another.")
    return None


def why_not(chat: Chat, msg: AttemptMessage) -> GreenroomError | None:
    """Return what stands in the way of a message."""
    if msg.attempt_id != chat.attempt_id:
        return NotFound("attempt_id: the chat does not belong to this attempt.")
    if chat.status != "open":
        return Conflict("The chat is closed.")
    if not chat.template.text_enabled:
        return Conflict("This chat takes no text messages.")
    if chat.reply is not None:
        return Conflict("A reply is running; wait for it or stop it first.", retryable=True)
    if chat.size > MAX_CHAT_BYTES:
        return TooLarge("The conversation has become too large; end this chat and start another.")
    parent = msg.parent_message_id
    if parent is not None and all(m.id != parent for m in chat.messages):
        return NotFound("parent_message_id: there is no such message in this chat.")
    return None
