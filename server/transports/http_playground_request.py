"""What a request for a chat carries: a conversation that ends with words of the user, settings, and a key."""

import hashlib
from dataclasses import dataclass

from aiohttp import web
from pydantic import TypeAdapter

from schemas.envelope import Id
from schemas.playground import MAX_MESSAGE, MAX_SESSION, ChatRequest, PlaygroundSession, SentMessage
from server.engine.access import Identity
from server.engine.ids import derive, new
from server.transports.http_pipelines_errors import Invalid, invalid
from server.transports.http_pipelines_requests import key_of, parsed
from server.transports.http_playground_kept import message_of
from server.transports.uploads import UPLOADS

MAX_BODY = 2 * MAX_SESSION  # with what JSON adds to the texts of a conversation
CHAT = TypeAdapter(ChatRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat as it was asked for; `key` is what makes it the same one again."""

    caller: Identity
    pipeline_id: Id
    asked: ChatRequest
    key: str | None

    @property
    def digest(self) -> str:
        """Return what two requests under one key must have in common."""
        body = self.asked.model_dump_json(exclude={"client_event_id"}, exclude_unset=True)
        return hashlib.sha256(f"playground_chat {self.pipeline_id} {body}".encode()).hexdigest()

    def new_id(self, what: str) -> Id:
        """Return an id for something new; the same one when the same request is run again."""
        if self.key is None:
            return new()
        return derive(self.caller.key, f"playground_chat:{self.pipeline_id}:{self.key}", what)

    @property
    def last(self) -> SentMessage:
        """Return what the user says now."""
        return self.asked.messages[-1]

    def message_id(self, session: PlaygroundSession) -> Id:
        """Return the id of what is said: the client's own, unless it is said again to be answered anew."""
        own = self.last.id
        if own is None or message_of(session, own) is not None:
            return self.new_id("message")
        return own


async def chat_of(request: web.Request, caller: Identity, pipeline_id: Id) -> Chat:
    """Return what a request asks for; raises Invalid for what cannot be answered."""
    body, upload = await request.app[UPLOADS].read(request, limit=MAX_BODY)
    try:
        asked = parsed(request, body, CHAT)
    finally:
        upload.leave()
    _check(asked)
    key = key_of(request)  # the header comes before the field
    return Chat(
        caller=caller, pipeline_id=pipeline_id, asked=asked, key=asked.client_event_id if key is None else key
    )


def _check(asked: ChatRequest) -> None:
    """Raise Invalid for a conversation that does not end with words of the user, or has an id twice."""
    number = len(asked.messages) - 1
    last = asked.messages[number]
    if last.role != "user":
        raise _invalid(number, "role", "the last message should be the user's")
    if not (last.content or "").strip():
        raise _invalid(number, "content", "the last message should say something")
    if len(last.content or "") > MAX_MESSAGE:
        raise _invalid(number, "content", f"the last message should have at most {MAX_MESSAGE} characters")
    seen: set[Id] = set()
    for index, message in enumerate(asked.messages):
        if message.id is not None and message.id in seen:
            raise _invalid(index, "id", "each message should have an id of its own")
        if message.id is not None:
            seen.add(message.id)


def _invalid(index: int, field: str, message: str) -> Invalid:
    return invalid("body", "messages", index, field, message=message)
