"""attempt_join, attempt_leave, room_join, room_leave: who may follow, from where, and until when."""

import pytest

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Client, Data, Talk, begin, one_after_another, refused
from tests.support.clients import Http, Socket
from tests.support.running import Server

JOINED = {"success", "room", "epoch", "offset", "recovered"}
Names = tuple[str, Data]


def both(talk: Talk) -> list[Names]:
    """Return the two events that join a chat's room."""
    return [("attempt_join", {"chat_id": talk.chat_id}), ("room_join", {"room": talk.room})]


async def test_joining_from_a_snapshot(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    await talk.say("Hi!")
    for transport in ("socket", "http"):
        for event, data in both(talk):
            client = await cast.over(transport)
            join = await client.send(event, **data)
            assert set(join) == JOINED | {"snapshot"}
            assert (join["room"], join["recovered"]) == (talk.room, False)
            snapshot = join["snapshot"]
            assert snapshot["messages"][0]["content"] == "Hi!"
            assert snapshot["chat"]["scenario"]["problem_statement"] == "Explain loops to Ada."
            assert set(snapshot["timer"]) == {"limit", "elapsed", "exceeded", "negative"}
            joined = await client.until("attempt_joined")
            assert joined == {"chat_id": talk.chat_id, "success": True}
            assert client.names(talk.room) == []
            again = await client.send(event, **data)
            assert set(again) == JOINED
            assert len(client.named("attempt_joined")) == 1


async def test_joining_from_an_offset(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    await talk.say("Hi!")
    known = [d["offset"] for _, d in talk.entries()]
    epoch = talk.client.named("connection_confirmed")[0]["epoch"]
    for transport in ("socket", "http"):
        for after in (0, 2, known[-1]):
            for event, data in both(talk):
                client = await cast.over(transport)
                join = await client.send(event, **data, after=after, epoch=epoch)
                assert set(join) == JOINED
                assert (join["recovered"], join["offset"]) == (True, known[-1])
                await client.until("attempt_joined")
                got = [(n, d) for n, d in client.seen if d.get("room") == talk.room]
                assert [d["offset"] for _, d in got] == known[after:]
                assert client.names()[-1] == "attempt_joined"


@pytest.mark.parametrize("place", [{"after": 999}, {"after": -1}, {"after": 1, "epoch": "another"}])
async def test_a_place_that_is_not_there_gives_a_snapshot(server: Server, cast: Cast, place: Data) -> None:
    talk = await begin(await cast.learner())
    await talk.say("Hi!")
    join = await (await cast.learner()).send("attempt_join", chat_id=talk.chat_id, **place)
    assert join["recovered"] is False
    assert join["snapshot"]["messages"]


async def test_joining_in_the_middle_of_a_reply(server: Server, cast: Cast) -> None:
    await server.script({"chunks_count": 30, "chunk_text": "word ", "delay_ms": 10})
    talk = await begin(await cast.learner())
    await talk.send()
    await talk.client.until("attempt_progress", count=3)
    late, later = await cast.learner(), await cast.http()
    for client in (late, later):
        join = await client.send("attempt_join", chat_id=talk.chat_id)
        running = join["snapshot"]["running"]
        done = await client.until("attempt_assistant_complete")
        assert running["message_id"] == done["message_id"]
        rest = "".join(d["content"] for d in client.named("attempt_progress"))
        assert running["text"] + rest == done["content"] == "word " * 30
        entries = [(n, d) for n, d in client.seen if d.get("room") == talk.room]
        assert entries[0][1]["offset"] == join["offset"] + 1
        assert one_after_another(entries)
        if client is late:
            await talk.send("More!")
            await talk.client.until("attempt_assistant_start", count=2)


async def test_after_leaving_nothing_comes_any_more(server: Server, client: Client) -> None:
    for event in ("attempt_leave", "room_leave"):
        talk = await begin(client)
        name = {"chat_id": talk.chat_id} if event == "attempt_leave" else {"room": talk.room}
        assert await client.send(event, **name) == {"success": True}
        assert await client.send(event, **name) == {"success": True}
        join = await client.send("attempt_join", chat_id=talk.chat_id)
        assert "snapshot" in join
        await client.send(event, **name)
        seen = len(talk.entries())
        other = await begin(client)
        await other.say()
        assert len(talk.entries()) == seen
    assert await client.send("attempt_leave", chat_id=new()) == {"success": True}
    assert await client.send("room_leave", room=f"attempt_{new()}") == {"success": True}


async def test_who_may_follow_a_chat(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    talk = await begin(learner)
    watchers = [await cast.author(), await cast.ops()]
    for watcher in watchers:
        join = await watcher.send("attempt_join", chat_id=talk.chat_id)
        assert "SECRET" not in str(join)
    for someone in (await cast.stranger(), await cast.guest()):
        await refused(someone, "attempt_join", "not_found", chat_id=talk.chat_id)
        await refused(someone, "room_join", "not_found", room=talk.room)
    await talk.say()
    for watcher in watchers:
        await watcher.until("attempt_assistant_complete")
        assert watcher.names(talk.room) == learner.names(talk.room)
    assert someone.names(talk.room) == []


async def test_who_may_follow_a_profile(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    room = f"profile_{cast.learner_id}"
    author, ops, stranger = await cast.author(), await cast.ops(), await cast.stranger()
    await refused(author, "room_join", "not_found", room=room)  # nobody has practised under this name yet
    talk = await begin(learner)
    await learner.until("attempt_chat_started")
    for watcher in (author, ops):
        join = await watcher.send("room_join", room=room)
        assert join["snapshot"]["attempts"][0]["attempt_id"] == talk.attempt_id
    await refused(stranger, "room_join", "not_found", room=room)
    again = await learner.send("room_join", room=room)
    assert set(again) == JOINED  # joined at connect
    second = await begin(learner)
    for watcher in (learner, author, ops):
        await watcher.until("attempt_chat_started", chat_id=second.chat_id)


async def test_a_guests_room_is_the_guests_own(server: Server, cast: Cast) -> None:
    guest = await cast.guest()
    confirmed = guest.named("connection_confirmed")[0]
    await begin(guest)
    for watcher in (await cast.author(), await cast.ops(), await cast.guest()):
        await refused(watcher, "room_join", "not_found", room=f"guest_{confirmed['guest_id']}")


async def test_rooms_that_do_not_exist(server: Server, client: Client) -> None:
    await refused(client, "attempt_join", "not_found", chat_id=new())
    for room in (
        f"attempt_{new()}",
        f"test_{new()}",
        f"nothing_{new()}",
        "ops",
        f"profile_{new()}",
        "attempt",
    ):
        await refused(client, "room_join", "not_found", room=room)
    for room in ("", "Attempt_1", "attempt_1", "attempt_" + "g" * 36, "../ops", "x" * 65):
        error = await refused(client, "room_join", "bad_request", room=room)
        assert error["details"][0]["loc"] == ["room"]


async def test_a_call_that_fails_joins_nothing(server: Server, cast: Cast) -> None:
    phone = await cast.learner()
    talk = await begin(phone, "silent")
    for client in (await cast.learner(), await cast.http()):
        await refused(client, "attempt_message", "conflict", **talk.ids, message="Hi")
        assert "snapshot" in await client.send("attempt_join", chat_id=talk.chat_id)


async def test_a_room_that_was_joined_is_not_left_by_itself(server: Server, client: Client) -> None:
    talk = await begin(client)
    await client.send("attempt_join", chat_id=talk.chat_id)
    if isinstance(client, Http):
        await client.drop()
        await client.resume()
    await talk.end(grade=False)
    ack = await client.send("attempt_grade", **talk.ids)
    assert "rooms" not in ack
    await client.until("attempt_graded")
    again = await client.send("attempt_grade", **talk.ids)
    await client.until("attempt_graded", count=2)
    assert "rooms" not in again


async def test_snapshots_hold_no_secrets(server: Server, cast: Cast) -> None:
    learner: Socket = await cast.learner()
    author = await cast.author()
    for key in ("one", "opening", "quiz", "hinted", "patient"):
        talk = await begin(learner, key)
        for client in (learner, author):
            await client.send("attempt_leave", chat_id=talk.chat_id)
            shown = str(await client.send("attempt_join", chat_id=talk.chat_id))
            for secret in (
                "SECRET",
                "is_correct",
                "instructions",
                "situation",
                "You are Bob",
                "hint_guidance",
            ):
                assert secret not in shown, (key, secret)
