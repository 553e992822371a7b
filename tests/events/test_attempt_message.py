"""attempt_message: a turn, and everything that stands in its way."""

import asyncio

import pytest

from server.engine.conversation.parties import OPENING
from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Client, begin, one_after_another, refused, stored
from tests.support.clients import Socket
from tests.support.running import Server

LONGEST = "ö" * 32_000


async def asked(server: Server) -> list[tuple[str, str]]:
    """Return (role, content) of what the model was asked last, without the system prompt."""
    messages = (await server.asked())[-1]["messages"]
    return [(m["role"], m["content"]) for m in messages if m["role"] != "system"]


async def test_a_turn_streams_and_is_stored(server: Server, client: Client) -> None:
    await server.script({"chunks": ["Hel", "lo ", "there"], "delay_ms": 30})
    talk = await begin(client)
    ack = await talk.send("Hi!")
    assert set(ack) == {"success", "message_id", "assistant_message_id"}  # its room is followed already
    done = await client.until("attempt_assistant_complete", chat_id=talk.chat_id)
    assert done["message_id"] == ack["assistant_message_id"]
    assert done["content"] == "Hello there"
    assert done["state"] == "complete"
    assert done["usage"]["completion_tokens"] == 3
    assert {"prompt_tokens", "first_token_ms", "duration_ms", "finish_reason"} <= set(done["usage"])
    entries = talk.entries()
    names = [n for n, _ in entries]
    assert names[:3] == ["attempt_user_start", "attempt_user_complete", "attempt_assistant_start"]
    assert set(names[3:-1]) == {"attempt_progress"}
    assert names[-1] == "attempt_assistant_complete"
    assert one_after_another(entries)
    user = entries[1][1]
    assert (user["message_id"], user["content"]) == (ack["message_id"], "Hi!")
    deltas = [d for n, d in entries if n == "attempt_progress"]
    assert "".join(d["content"] for d in deltas) == "Hello there"
    assert {(d["content_type"], d["message_id"]) for d in deltas} == {("delta", done["message_id"])}


async def test_its_refusals(server: Server, cast: Cast, client: Client) -> None:
    talk, other = await begin(client), await begin(client)
    ids = talk.ids
    await refused(client, "attempt_message", "not_found", **{**ids, "chat_id": new()}, message="Hi")
    await refused(client, "attempt_message", "not_found", **{**ids, "attempt_id": new()}, message="Hi")
    await refused(
        client, "attempt_message", "not_found", **{**ids, "attempt_id": other.attempt_id}, message="Hi"
    )
    await refused(client, "attempt_message", "not_found", **ids, message="Hi", parent_message_id=new())
    for message in ("", "   ", "\n\t\u2003", LONGEST + "!"):
        error = await refused(client, "attempt_message", "bad_request", **ids, message=message)
        assert [d["loc"] for d in error["details"]] == [["message"]]
    await refused(await cast.stranger(), "attempt_message", "not_found", **ids, message="Hi")
    await refused(await cast.guest(), "attempt_message", "not_found", **ids, message="Hi")
    await refused(await cast.author(), "attempt_message", "forbidden", **ids, message="Hi")
    await refused(await cast.ops(), "attempt_message", "forbidden", **ids, message="Hi")
    await talk.end(grade=False)
    await refused(client, "attempt_message", "conflict", **ids, message="Hi")
    chats = await stored(server, "chats", owner=cast.learner_id)
    assert all("messages" not in c or c["messages"] == [] for c in chats)
    assert not [r for r in await server.asked() if r["stream"]]


async def test_the_longest_message_is_taken_whole(server: Server, client: Client) -> None:
    talk = await begin(client)
    await talk.say(LONGEST)
    assert client.named("attempt_user_complete")[0]["content"] == LONGEST
    assert (await asked(server))[-1] == ("user", LONGEST)


async def test_a_chat_without_text_takes_none(server: Server, learner: Socket) -> None:
    talk = await begin(learner, "silent")
    await refused(learner, "attempt_message", "conflict", **talk.ids, message="Hi")


async def test_one_reply_at_a_time(server: Server, client: Client) -> None:
    await server.script({"chunks": ["Wait"], "hang": True})
    talk = await begin(client)
    await talk.send()
    await refused(client, "attempt_message", "conflict", **talk.ids, message="And?", retryable=True)
    await client.send("attempt_stop", chat_id=talk.chat_id)
    await server.script()
    await talk.say("And?")


async def test_of_two_messages_at_once_one_is_taken(server: Server, cast: Cast) -> None:
    await server.script({"chunks": ["Wait"], "hang": True})
    one, two, three = await cast.learner(), await cast.learner(), await cast.http()
    talk = await begin(one)
    acks = await asyncio.gather(
        *(c.call("attempt_message", **talk.ids, message="Me first!") for c in (one, two, three))
    )
    assert sorted(a["success"] for a in acks) == [False, False, True]
    assert {a["error"]["code"] for a in acks if not a["success"]} == {"conflict"}
    chats = await stored(server, "chats", owner=cast.learner_id)
    assert len(chats[0]["messages"]) == 1
    await one.send("attempt_stop", chat_id=talk.chat_id)


async def test_messages_form_a_tree(server: Server, client: Client) -> None:
    await server.script(
        {"match": {"last_contains": "Again"}, "reply": "Another."},
        {"match": {"last_contains": "Second"}, "reply": "Two."},
        {"reply": "One."},
    )
    talk = await begin(client)
    root = await talk.send("First")
    await client.until("attempt_assistant_complete", count=1)
    second = await talk.send("Second")
    await client.until("attempt_assistant_complete", count=2)
    assert await asked(server) == [("user", "First"), ("assistant", "One."), ("user", "Second")]
    again = await talk.send("Again", parent_message_id=root["assistant_message_id"])
    await client.until("attempt_assistant_complete", count=3)
    assert await asked(server) == [("user", "First"), ("assistant", "One."), ("user", "Again")]
    await talk.say("Go on")  # the default parent is the newest message
    assert await asked(server) == [
        ("user", "First"),
        ("assistant", "One."),
        ("user", "Again"),
        ("assistant", "Another."),
        ("user", "Go on"),
    ]
    snapshot = await talk.snapshot()
    tree = {
        m["id"]: (m["parent_message_id"], m["sibling_index"], m["sibling_count"])
        for m in snapshot["messages"]
    }
    assert tree[root["message_id"]] == (None, 0, 1)
    assert tree[root["assistant_message_id"]] == (root["message_id"], 0, 1)
    assert tree[second["message_id"]] == (root["assistant_message_id"], 0, 2)
    assert tree[again["message_id"]] == (root["assistant_message_id"], 1, 2)


async def test_the_persona_is_told_what_learners_are_not(server: Server, learner: Socket) -> None:
    talk = await begin(learner)
    await talk.say()
    system = (await server.asked())[-1]["messages"][0]
    assert system["role"] == "system"
    for known in ("SECRET-INSTRUCTIONS", "SECRET-SITUATION", "A loop repeats."):
        assert known in system["content"]
    snapshot = str(await talk.snapshot())
    assert "SECRET" not in snapshot
    assert "SECRET" not in str(learner.seen)
    assert "A loop repeats." in snapshot


async def test_an_opening_line_is_said_word_for_word(server: Server, client: Client) -> None:
    talk = await begin(client, "opening")
    opened = await client.until("attempt_assistant_complete", chat_id=talk.chat_id)
    assert opened["content"] == "Good morning, can you help me?"
    assert [n for n, _ in talk.entries()] == [
        "attempt_assistant_start",
        "attempt_progress",
        "attempt_assistant_complete",
    ]
    assert await server.asked() == []
    ack = await talk.send("Of course.")
    await client.until("attempt_assistant_complete", count=2)
    assert await asked(server) == [("assistant", opened["content"]), ("user", "Of course.")]
    parents = {m["id"]: m["parent_message_id"] for m in (await talk.snapshot())["messages"]}
    assert parents[opened["message_id"]] is None
    assert parents[ack["message_id"]] == opened["message_id"]


async def test_an_improvised_opening_is_asked_of_the_model(server: Server, learner: Socket) -> None:
    await server.script({"chunks": ["Hey ", "you."], "hang": True, "times": 1})
    talk = await begin(learner, "improvised")
    await learner.until("attempt_progress")
    assert await asked(server) == [("user", OPENING)]
    await refused(learner, "attempt_message", "conflict", **talk.ids, message="Hi", retryable=True)
    await learner.send("attempt_stop", chat_id=talk.chat_id)
    await talk.say("Go on.")
    assert await asked(server) == [("assistant", "Hey you."), ("user", "Go on.")]


async def test_hints_follow_a_reply_and_delay_nothing(server: Server, client: Client) -> None:
    hints = {"match": {"schema": "HintsDraft"}, "json": {"hints": ["Ask why.", "Thank her."]}}
    await server.script({**hints, "first_delay_ms": 300}, {"reply": "Yes."})
    talk = await begin(client, "hinted")
    first = await talk.say()
    assert "attempt_hint_progress" not in client.names()
    second = await talk.say("And then?")
    shown = [await client.until("attempt_hint_progress", count=n) for n in (1, 2)]
    assert [h["hint"] for h in shown[0]["hints"]] == ["Ask why.", "Thank her."]
    assert [h["idx"] for h in shown[0]["hints"]] == [0, 1]
    assert {h["message_id"] for s in shown for h in s["hints"]} <= {first["message_id"], second["message_id"]}
    assert {h["message_id"] for h in shown[1]["hints"]} == {second["message_id"]}
    await talk.say("Thanks.")
    await client.until("attempt_hint_progress", count=3)
    assert [r["response_format"] for r in await server.asked()].count("HintsDraft") == 3
    assert (await talk.snapshot())["hints"] == client.named("attempt_hint_progress")[2]["hints"]


async def test_hints_that_fail_are_no_error(server: Server, learner: Socket) -> None:
    await server.script({"match": {"schema": "HintsDraft"}, "status": 400}, {"reply": "Yes."})
    talk = await begin(learner, "hinted")
    await talk.say()
    await server.model.until("done", 2)
    await talk.say()
    assert "attempt_error" not in learner.names()


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_a_model_that_fails_leaves_the_message(server: Server, client: Client, status: int) -> None:
    await server.script({"reply": "One."})
    talk = await begin(client)
    root = await talk.say("First")
    await server.script({"status": status, "retry_after": 0.01})
    lost = await talk.send("Second")
    error = await client.until("attempt_error")
    assert (error["type"], error["code"], error["chat_id"]) == ("send", "upstream", talk.chat_id)
    assert error["message_id"] == lost["assistant_message_id"]
    assert error["room"] == talk.room
    assert "scripted failure" not in error["message"]
    kept = (await talk.snapshot())["messages"]
    assert [(m["role"], m["content"]) for m in kept] == [
        ("user", "First"),
        ("assistant", "One."),
        ("user", "Second"),
    ]
    await server.script({"reply": "Two."})
    await talk.say("Second", parent_message_id=root["message_id"])
    assert await asked(server) == [("user", "First"), ("assistant", "One."), ("user", "Second")]


async def test_a_model_that_fails_in_mid_stream_leaves_what_was_said(server: Server, client: Client) -> None:
    await server.script({"chunks": ["Half ", "a ", "sentence"], "delay_ms": 5, "break_after": 2})
    talk = await begin(client)
    ack = await talk.send()
    error = await client.until("attempt_error")
    assert (error["type"], error["code"]) == ("send", "upstream")
    done = await client.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])
    assert (done["content"], done["state"]) == ("Half a ", "failed")
    assert [n for n, _ in talk.entries()][-2:] == ["attempt_assistant_complete", "attempt_error"]
    await server.script({"reply": "Whole."})
    assert (await talk.say("Again?"))["content"] == "Whole."


async def test_an_empty_answer_is_a_failure(server: Server, learner: Socket) -> None:
    await server.script({"chunks": []})
    talk = await begin(learner)
    await talk.send()
    assert (await learner.until("attempt_error"))["code"] == "upstream"


async def test_a_reply_goes_on_when_everybody_has_left(server: Server, cast: Cast) -> None:
    await server.script({"chunks_count": 20, "chunk_text": "word ", "delay_ms": 10})
    first = await cast.learner()
    talk = await begin(first)
    await talk.send()
    await first.until("attempt_progress")
    await first.client.disconnect()
    again = await cast.learner()
    await again.send("attempt_join", chat_id=talk.chat_id, after=0)
    done = await again.until("attempt_assistant_complete")
    assert done["state"] == "complete"
    assert done["content"] == "word " * 20
    assert "".join(d["content"] for d in again.named("attempt_progress")) == done["content"]


async def test_all_sockets_of_a_profile_see_the_same(server: Server, cast: Cast) -> None:
    await server.script({"chunks": ["a", "b", "c"], "delay_ms": 25})
    clients: list[Client] = [
        await cast.learner(),
        await cast.learner(transports=["polling"]),
        await cast.http(),
    ]
    talk = await begin(clients[0])
    for client in clients[1:]:
        started = await client.until("attempt_chat_started")
        await client.send("attempt_join", chat_id=started["chat_id"], after=0)
    await talk.say()
    for client in clients:
        await client.until("attempt_assistant_complete")
    seen = [[(n, d) for n, d in c.seen if d.get("room") == talk.room] for c in clients]
    assert seen[0] == seen[1] == seen[2]
