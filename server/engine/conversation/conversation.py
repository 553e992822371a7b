"""Turns of a chat: saying, replying, stopping (socket-v5 §5, core §11, §12)."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

import structlog

from schemas.attempt import (
    AttemptAssistantStart,
    AttemptMessage,
    AttemptMessageReply,
    AttemptUserComplete,
    AttemptUserStart,
    Chat,
    Message,
)
from schemas.envelope import Id, utc_now
from schemas.stored import Pending, RunningReply
from server.engine.access import Identity, not_yours
from server.engine.conversation.parties import Party, ScriptedParty, path_to, persona_party
from server.engine.conversation.reply import Reply, ReplyEnd, reply_key
from server.engine.pending import pending
from server.engine.tasks import Tasks
from server.errors import Conflict, GreenroomError, NotFound, TooLarge, Unavailable
from server.llm import Models
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store
from server.store.chats import MAX_CHAT_BYTES

log = structlog.get_logger(__name__)
KNOWN_CHATS = 1000
KNOWN_BYTES = 64 * 1024 * 1024  # of messages in chats kept at hand
STOP_SECONDS = 3.0


class Conversation:
    """Runs the turns of chats; a chat has at most one reply at a time, owned by one process."""

    def __init__(
        self, *, store: Store, hub: Hub, outboxes: Outboxes, models: Models, process: Process, tasks: Tasks
    ) -> None:
        self._store = store
        self._hub = hub
        self._outboxes = outboxes
        self._models = models
        self._process = process
        self._tasks = tasks
        self._known: OrderedDict[str, Chat] = OrderedDict()
        self._known_bytes = 0
        self._replies: dict[str, Reply] = {}
        self._closed = False
        self.on_settled: Callable[[Chat], None] | None = None
        hub.bell.on_told("stop_reply", lambda chat_id: tasks.start(f"obey:{chat_id}", self.obey_stops))

    @property
    def running(self) -> int:
        """Return the number of replies that this process is producing."""
        return len(self._replies)

    @property
    def replying(self) -> set[Id]:
        """Return the chats in which this process is producing a reply."""
        return set(self._replies)

    def is_running(self, chat_id: Id) -> bool:
        """Tell whether this process is producing a reply of this chat."""
        return chat_id in self._replies

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

    async def stop(self, chat_id: Id, *, end: ReplyEnd = "stopped") -> bool:
        """Stop the running reply wherever it runs; False when it had ended, or there was none.

        Returns when the partial text is stored, or after 3 s.
        """
        chat = await self.load(chat_id)
        if chat.reply is None:
            return False
        message_id = chat.reply.message_id
        if (reply := self._replies.get(chat_id)) is not None:
            reply.stop(end)
        else:
            when = {"reply.message_id": message_id}
            await self._store.chats.change(chat_id, when=when, update={"$set": {"reply.stop": True}})
            self._hub.bell.tell(chat.reply.owner, "stop_reply", chat_id)
        ended = await self._ended(chat_id, message_id)
        return ended is not None and ended.state == "stopped"

    def start(self, chat: Chat, running: RunningReply) -> None:
        """Produce a reply that is stored as ours; at most one task per chat. Once closed it ends at once."""
        reply = Reply(
            chat,
            running,
            party=self._party(chat, running),
            store=self._store,
            hub=self._hub,
            process=self._process,
            settled=self._settled,
        )
        if self._tasks.start(reply.key, reply.run):
            self._replies[chat.id] = reply
            if self._closed:
                reply.stop("interrupted")

    async def obey_stops(self) -> None:
        """Stop replies of this process that others asked to stop; raises Unavailable."""
        for chat_id in await self._store.chats.stops(self._process.name):
            if (reply := self._replies.get(chat_id)) is not None:
                reply.stop("stopped")

    def interrupt_all(self) -> None:
        """Close all replies with what they have: this process ends, or others may own them by now."""
        for reply in list(self._replies.values()):
            reply.stop("interrupted")

    async def close(self, seconds: float) -> None:
        """Interrupt all replies, and those that start from now on.

        Returns when that is stored and on its way into the log, or time is up; may be called again.
        """
        self._closed = True
        self.interrupt_all()
        replies = list(self._replies.values())
        await asyncio.gather(*(self._tasks.wait(reply.key, seconds) for reply in replies))

    async def take_over(self, chat: Chat) -> None:
        """Close the reply of a dead process with the text that watchers have seen (core §12.3)."""
        running = chat.reply
        if running is None:
            return
        outbox = await self._store.chats.change(
            chat.id,
            when={"reply.message_id": running.message_id, "reply.owner": running.owner},
            update={"$set": {"reply.owner": self._process.name}, "$inc": {"reply.fence": 1}},
        )
        if outbox is None:
            return
        await asyncio.gather(*self._outboxes.publish("chats", chat.id, outbox))
        await self._hub.settle_head(room_of(chat.id))  # deltas of the dead that were not heard here
        snapshot = (await self._hub.place(room_of(chat.id), after=None, epoch=None)).snapshot or {}
        seen = snapshot.get("running") or {}
        text = seen.get("text", "") if seen.get("message_id") == running.message_id else ""
        mine = running.model_copy(update={"owner": self._process.name, "fence": running.fence + 1})
        reply = Reply(
            chat,
            mine,
            party=ScriptedParty(""),
            store=self._store,
            hub=self._hub,
            process=self._process,
            settled=self._settled,
        )
        await reply.settle(text, end="interrupted")

    def _party(self, chat: Chat, running: RunningReply) -> Party:
        if running.cause == "opening" and chat.scenario.opening_line:
            return ScriptedParty(chat.scenario.opening_line)
        return persona_party(self._models, chat, path_to(chat.messages, running.parent_message_id))

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

    async def _commit_turn(self, chat: Chat, user: Message, running: RunningReply) -> bool:
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
            outbox=turn_events(chat.id, user, running),
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
        self.start(spoken, running)
        return True

    def _settled(self, reply: Reply, chat: Chat | None, outbox: list[Pending]) -> None:
        """Take note of a reply that has ended and is stored; `chat` is None when somebody else ended it."""
        if self._replies.get(reply.chat_id) is reply:
            del self._replies[reply.chat_id]
        if chat is None:
            self._forget(reply.chat_id)
            return
        self.remember(chat)
        self._outboxes.publish("chats", chat.id, outbox)
        if self.on_settled is not None:
            self.on_settled(chat)

    async def _ended(self, chat_id: Id, message_id: Id) -> Message | None:
        """Wait up to 3 s for a reply to be stored."""
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        await self._tasks.wait(reply_key(chat_id, message_id), STOP_SECONDS)
        while True:
            chat = await self.load(chat_id)
            if chat.reply is None or chat.reply.message_id != message_id:
                return next((m for m in chat.messages if m.id == message_id), None)
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("The reply is being stopped, but has not ended yet; look again soon.")
            await asyncio.sleep(0.1)


def room_of(chat_id: Id) -> str:
    """Return the room of a chat."""
    return f"attempt_{chat_id}"


def turn_events(chat_id: Id, user: Message, running: RunningReply) -> list[Pending]:
    """Return the events of a new turn."""
    room = room_of(chat_id)
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
