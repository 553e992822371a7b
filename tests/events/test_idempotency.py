"""client_event_id: the same id acts once and is answered alike, over every transport."""

import asyncio

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Client, Data, begin, check_failure, refused, stored
from tests.support.running import Server, practice


def same(ack: Data) -> Data:
    """Return what an ack says about the event; its rooms are those that this connection joined by it."""
    return {name: value for name, value in ack.items() if name != "rooms"}


async def test_a_repeated_message_is_stored_once(server: Server, cast: Cast) -> None:
    socket, http = await cast.learner(), await cast.http()
    talk = await begin(socket)
    message = {**talk.ids, "message": "Once.", "client_event_id": "m-1"}
    first = await socket.send("attempt_message", **message)
    await socket.until("attempt_assistant_complete")
    for client in (socket, http, await cast.learner()):
        assert same(await client.send("attempt_message", **message)) == same(first)
    chats = await stored(server, "chats", owner=cast.learner_id)
    assert [m["content"] for m in chats[0]["messages"] if m["role"] == "user"] == ["Once."]
    assert len([r for r in await server.asked() if r["stream"]]) == 1


async def test_at_the_same_time_it_acts_once_too(server: Server, cast: Cast) -> None:
    clients: list[Client] = [await cast.learner(), await cast.learner(), await cast.http()]
    start = {"practice_id": practice("one"), "client_event_id": new()}
    acks = await asyncio.gather(*(c.send("attempt_start", **start) for c in clients))
    assert {a["attempt_id"] for a in acks} == {acks[0]["attempt_id"]}
    assert same(acks[0]) == same(acks[1]) == same(acks[2])
    assert len(await stored(server, "attempts", owner=cast.learner_id)) == 1
    ids = {"attempt_id": acks[0]["attempt_id"], "chat_id": acks[0]["chat_id"]}
    message = {**ids, "message": "Once.", "client_event_id": new()}
    said = await asyncio.gather(*(c.send("attempt_message", **message) for c in clients))
    assert len({a["message_id"] for a in said}) == 1


async def test_every_change_is_answered_alike_when_repeated(server: Server, client: Client) -> None:
    talk = await begin(client, "two")
    await talk.say()
    for event, data in (
        ("attempt_end", {**talk.ids, "grade": False}),
        ("attempt_grade", {**talk.ids, "resource_types": ["feedbacks"]}),
        ("attempt_end_all", {"attempt_id": talk.attempt_id}),
    ):
        repeated = {**data, "client_event_id": f"{event}-1"}
        first = await client.send(event, **repeated)
        assert same(await client.send(event, **repeated)) == same(first)
    await client.until("attempt_ended")
    await client.until("attempt_graded", chat_id=talk.chat_id)
    assert len(client.named("attempt_chat_ended", chat_id=talk.chat_id)) == 1


async def test_the_lobby_is_passed_once(server: Server, client: Client) -> None:
    ack = await client.send("attempt_start", practice_id=practice("lobby-first"), client_event_id="s")
    step = {"attempt_id": ack["attempt_id"], "client_event_id": "n"}
    first = await client.send("attempt_next", **step)
    assert same(await client.send("attempt_next", **step)) == same(first)
    await client.until("attempt_chat_started")
    assert len(client.named("attempt_chat_started")) == 1


async def test_another_payload_is_a_conflict(server: Server, client: Client) -> None:
    talk = await begin(client, client_event_id="x")
    await refused(client, "attempt_start", "conflict", practice_id=practice("two"), client_event_id="x")
    await refused(client, "attempt_message", "conflict", **talk.ids, message="Hi", client_event_id="x")
    assert "attempt_user_start" not in client.names()


async def test_ids_belong_to_an_identity(server: Server, cast: Cast) -> None:
    acks = [
        await c.send("attempt_start", practice_id=practice("one"), client_event_id="mine")
        for c in (await cast.learner(), await cast.stranger(), await cast.guest())
    ]
    assert len({a["attempt_id"] for a in acks}) == 3


async def test_a_failure_is_remembered(server: Server, client: Client) -> None:
    talk = await begin(client)
    grade = {**talk.ids, "client_event_id": "g"}
    first = await client.call("attempt_grade", **grade)
    check_failure(client, first, "conflict")
    await talk.end(grade=False)
    assert await client.call("attempt_grade", **grade) == first
    await client.send("attempt_grade", **{**grade, "client_event_id": "h"})


async def test_a_failure_that_may_be_retried_is_not(server: Server, client: Client) -> None:
    await server.script({"chunks": ["Wait"], "hang": True})
    talk = await begin(client)
    await talk.send()
    message = {**talk.ids, "message": "Now?", "client_event_id": "later"}
    await refused(client, "attempt_message", "conflict", retryable=True, **message)
    await client.send("attempt_stop", chat_id=talk.chat_id)
    ack = await client.send("attempt_message", **message)
    assert same(await client.send("attempt_message", **message)) == same(ack)


async def test_what_is_not_a_payload_is_not_remembered(server: Server, client: Client) -> None:
    await refused(client, "attempt_start", "bad_request", client_event_id="again")
    await client.send("attempt_start", practice_id=practice("one"), client_event_id="again")


async def test_a_failed_repetition_tells_the_sender_again(server: Server, client: Client) -> None:
    stop: Data = {"chat_id": new(), "client_event_id": "s"}
    await refused(client, "attempt_stop", "not_found", **stop)
    await refused(client, "attempt_stop", "not_found", **stop)
