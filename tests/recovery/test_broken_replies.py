"""Replies that cannot be stored as they are: they end as failed, and the chat goes on."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import structlog

from schemas.attempt import Chat
from schemas.envelope import Usage, utc_now
from schemas.stored import Pending, RunningReply
from server.engine.conversation.chat_place import ChatPlace
from server.engine.conversation.grounded import Grounding
from server.engine.conversation.reply import Reply
from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import begin
from tests.support.running import Server


class Miscounting:
    """Says something, and counts more tokens than the database can store."""

    usage: Usage | None = Usage(prompt_tokens=2**64)

    async def speak(self) -> AsyncGenerator[str, None]:
        yield "Hello!"


async def forbid(server: Server, rule: dict[str, Any]) -> None:
    """Have the database refuse chats in which a rule holds."""
    check = {"$nor": [rule]}
    await server.app[keys.STORE].database.command("collMod", "chats", validator=check)


@pytest.mark.parametrize(
    ("refused", "text"),
    [({"messages.usage": {"$exists": True}}, "Hello you."), ({"messages.role": "assistant"}, None)],
)
async def test_what_can_be_stored_of_a_reply_is(
    server: Server, cast: Cast, refused: dict[str, Any], text: str | None
) -> None:
    await server.script({"reply": "Hello you."})
    talk = await begin(await cast.learner())
    await forbid(server, refused)
    with structlog.testing.capture_logs() as logs:
        ack = await talk.send("Hi")
        error = await talk.client.until("attempt_error", chat_id=talk.chat_id)
    assert (error["type"], error["code"]) == ("send", "internal")
    assert error["message_id"] == ack["assistant_message_id"]
    assert [e["exc_info"] for e in logs if e["event"] == "reply broke"] == [True]
    said = [m for m in (await talk.snapshot())["messages"] if m["role"] == "assistant"]
    assert [(m["content"], m["state"], "usage" in m) for m in said] == (
        [(text, "failed", False)] if text else []
    )
    await forbid(server, {"no_such_field": 1})
    assert (await talk.say("And now?"))["state"] == "complete"


async def test_a_reply_that_cannot_be_encoded_ends_as_failed(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    store, process = server.app[keys.STORE], server.app[keys.PROCESS]
    running = RunningReply(message_id=new(), created_at=utc_now(), owner=process.name)
    stored = running.model_dump(exclude_none=True)
    assert await store.chats.change(talk.chat_id, when={}, update={"$set": {"reply": stored}}) is not None
    chat = await store.chats.get(talk.chat_id)
    assert chat is not None
    ended: asyncio.Future[tuple[Chat | None, list[Pending]]] = asyncio.Future()
    await Reply(
        ChatPlace(chat, running, store=store.chats, process=process.name, grounding=Grounding()),
        running,
        party=Miscounting(),
        hub=server.app[keys.HUB],
        process=process,
        settled=lambda _, chat, outbox: ended.set_result((chat, outbox)),
    ).run()
    known, outbox = await ended
    assert known is not None
    assert [(m.content, m.state, m.usage) for m in known.messages] == [("Hello!", "failed", None)]
    assert "attempt_error" in [entry.name for entry in outbox]
    after = await store.chats.get(talk.chat_id)
    assert after is not None
    assert (after.reply, after.messages) == (None, known.messages)
