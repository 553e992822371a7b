"""room_replay, room_replay_stop: stored entries played again, at their pace, to who asks."""

import asyncio

import orjson
import pytest

from schemas.room import ReplayEntry
from server.engine.ids import new
from server.rooms.follower import LOW_WATER
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client, Data, Talk, begin, one_after_another, refused
from tests.support.clients import Recorder, http_client, socket
from tests.support.rest import people_of
from tests.support.running import Server, running
from tests.support.slow import Slow

AT_ONCE = 0
HARDLY = 0.001  # so slow that a test does not see what came even a moment later


async def recorded(server: Server, cast: Cast) -> Talk:
    """Return a chat in which a reply came bit by bit."""
    await server.script({"chunks_count": 10, "chunk_text": "word ", "delay_ms": 40})
    talk = await begin(await cast.learner())
    await talk.say("Hi!")
    return talk


def pauses(talk: Talk) -> list[int]:
    """Return the offsets of entries that were followed by a pause."""
    return [d["offset"] for n, d in talk.entries() if n == "attempt_progress"][:-1]


def played(client: Recorder, room: str) -> list[Data]:
    """Return what has been replayed of a room."""
    return client.named("replay_entry", room=room)


async def stored(server: Server, cast: Cast, room: str) -> list[Data]:
    """Return a room's entries as REST gives them."""
    async with people_of(server) as people:
        page = await people.a("learner", profile=cast.learner_id).get(f"rooms/{room}/entries?limit=200")
    entries: list[Data] = page["items"]
    return entries


async def test_at_once_it_plays_exactly_what_is_stored(server: Server, cast: Cast, client: Client) -> None:
    talk = await recorded(server, cast)
    ack = await client.send("room_replay", room=talk.room, speed=AT_ONCE)
    assert ack == {"success": True}
    end = await client.until("replay_end")
    entries = await stored(server, cast, talk.room)
    assert played(client, talk.room) == entries
    for entry in entries:
        ReplayEntry.model_validate(entry)
    assert [(e["name"], e["data"]) for e in entries] == talk.entries()
    assert end == {"room": talk.room, "offset": entries[-1]["offset"]}
    assert client.names()[-1] == "replay_end"
    assert client.names(talk.room)[:1] == ["replay_entry"]  # the room was not joined by that


async def test_it_plays_in_more_than_one_page(server: Server, cast: Cast, client: Client) -> None:
    talk = await begin(await cast.learner())
    log = server.app[keys.HUB].log
    head = 0
    for n in range(700):
        head = await log.publish(talk.room, "attempt_progress", orjson.dumps({"content": str(n)}))
    await client.send("room_replay", room=talk.room, speed=AT_ONCE)
    assert (await client.until("replay_end"))["offset"] == head
    assert [e["offset"] for e in played(client, talk.room)] == list(range(1, head + 1))


@pytest.mark.parametrize("speed", [1, 2.5, 20])
async def test_the_recorded_pauses_are_kept(server: Server, cast: Cast, speed: float) -> None:
    talk = await recorded(server, cast)
    client = await cast.learner()
    loop = asyncio.get_running_loop()
    came: list[tuple[float, int]] = []
    client.client.on("replay_entry", lambda data: came.append((loop.time(), data["at"])))
    began = loop.time()
    await client.send("room_replay", room=talk.room, speed=speed)
    await client.until("replay_end")
    first = came[0][1]
    assert came[-1][1] - first >= 300
    for when, at in came:
        assert when - began >= (at - first) / 1000 / speed
    assert loop.time() - began < (came[-1][1] - first) / 1000 / speed + 15


async def test_from_and_to_are_both_played(server: Server, cast: Cast, client: Client) -> None:
    talk = await recorded(server, cast)
    last = talk.entries()[-1][1]["offset"]
    for wanted, offsets in (
        ({"from": 3, "to": 6}, [3, 4, 5, 6]),
        ({"from": 4, "to": 4}, [4]),
        ({"to": 2}, [1, 2]),
        ({"from": last - 1}, [last - 1, last]),
        ({"from": last, "to": last + 1000}, [last]),
        ({"from": last + 5}, []),
        ({"from": last + 5, "to": last + 6}, []),
    ):
        client.seen.clear()
        await client.send("room_replay", room=talk.room, speed=AT_ONCE, **wanted)
        end = await client.until("replay_end")
        assert [e["offset"] for e in played(client, talk.room)] == offsets
        assert end["offset"] == (offsets[-1] if offsets else last)


async def test_another_replay_of_a_room_takes_the_place_of_the_first(
    server: Server, cast: Cast, client: Client
) -> None:
    talk = await recorded(server, cast)
    last = talk.entries()[-1][1]["offset"]
    places = [pauses(talk)[i] for i in (1, 3, 0)]
    for place in places:
        await client.send("room_replay", room=talk.room, speed=HARDLY, **{"from": place})
        await client.until("replay_entry", offset=place)
    await client.send("room_replay", room=talk.room, speed=AT_ONCE, **{"from": 4})
    await client.until("replay_end")
    assert [e["offset"] for e in played(client, talk.room)] == [*places, *range(4, last + 1)]
    assert len(client.named("replay_end")) == 1


async def test_what_is_stopped_plays_no_more(server: Server, cast: Cast, client: Client) -> None:
    talk = await recorded(server, cast)
    other = await begin(await cast.learner())
    await client.send("room_replay", room=talk.room, speed=HARDLY, **{"from": pauses(talk)[0]})
    await client.until("replay_entry")
    for _ in range(2):
        assert await client.send("room_replay_stop", room=talk.room) == {"success": True}
    assert await client.send("room_replay_stop", room=f"attempt_{new()}") == {"success": True}
    await client.send("room_replay", room=other.room, speed=AT_ONCE)
    await client.until("replay_end", room=other.room)
    assert len(played(client, talk.room)) == 1
    assert client.named("replay_end", room=talk.room) == []


async def test_following_and_replaying_do_not_disturb_each_other(
    server: Server, cast: Cast, client: Client
) -> None:
    talk = await recorded(server, cast)
    join = await client.send("attempt_join", chat_id=talk.chat_id)
    await client.send("room_replay", room=talk.room, speed=10)
    await talk.say("And more!")
    await client.until("attempt_assistant_complete")
    end = await client.until("replay_end")
    live = [(n, d) for n, d in client.seen if d.get("room") == talk.room and not n.startswith("replay_")]
    assert one_after_another(live)
    assert live[0][1]["offset"] == join["offset"] + 1
    assert [e["offset"] for e in played(client, talk.room)] == list(range(1, end["offset"] + 1))
    assert end["offset"] == join["offset"]  # what came later is not part of it


async def test_two_connections_replay_for_themselves(server: Server, cast: Cast) -> None:
    talk = await recorded(server, cast)
    one, two = await cast.learner(), await cast.http()
    await one.send("room_replay", room=talk.room, speed=HARDLY, **{"from": pauses(talk)[0]})
    await one.until("replay_entry")
    await two.send("room_replay", room=talk.room, speed=AT_ONCE)
    await two.until("replay_end")
    await two.send("room_replay_stop", room=talk.room)
    await one.send("room_replay", room=talk.room, speed=AT_ONCE)
    await one.until("replay_end")
    assert len(played(one, talk.room)) == len(played(two, talk.room)) + 1


async def test_who_may_not_follow_a_room_may_not_replay_it(server: Server, cast: Cast) -> None:
    talk = await recorded(server, cast)
    for someone in (await cast.stranger(), await cast.guest()):
        for room in (talk.room, f"attempt_{new()}", f"profile_{cast.learner_id}", "ops", f"nothing_{new()}"):
            await refused(someone, "room_replay", "not_found", room=room, speed=AT_ONCE)
        assert someone.named("replay_entry") == []
    for watcher in (await cast.author(), await cast.ops()):
        await watcher.send("room_replay", room=talk.room, speed=AT_ONCE)
        await watcher.until("replay_end")
        assert played(watcher, talk.room) == await stored(server, cast, talk.room)


@pytest.mark.parametrize(
    ("wrong", "loc"),
    [
        ({"speed": -1}, ["speed"]),
        ({"speed": 1e6}, ["speed"]),
        ({"speed": "1"}, ["speed"]),
        ({"speed": None}, ["speed"]),
        ({"from": 5, "to": 4}, []),
        ({"from": 0}, ["from"]),
        ({"from": 1.5}, ["from"]),
        ({"to": -1}, ["to"]),
        ({"room": "../ops"}, ["room"]),
    ],
)
async def test_wrong_payloads(server: Server, client: Client, wrong: Data, loc: list[str]) -> None:
    data = {"room": f"profile_{new()}", "speed": 1, **wrong}
    error = await refused(client, "room_replay", "bad_request", **data)
    assert error["details"][0]["loc"] == loc


async def test_what_is_not_kept_any_more(server: Server, cast: Cast, client: Client) -> None:
    talk = await recorded(server, cast)
    await server.app[keys.STORE].entries.trim(talk.room, upto=3, floor=0)
    gone: Data = {"room": talk.room, "speed": AT_ONCE, "from": 3}
    await refused(client, "room_replay", "gone", **gone)
    await client.send("room_replay", room=talk.room, speed=AT_ONCE)
    await client.until("replay_end")
    assert played(client, talk.room)[0]["offset"] == 4


async def test_a_connection_replays_some_rooms_at_a_time(server: Server, cast: Cast, client: Client) -> None:
    learner = await cast.learner()
    talks = [await begin(learner) for _ in range(5)]
    for talk in talks:
        await talk.say()
    for talk in talks[:4]:
        await client.send("room_replay", room=talk.room, speed=HARDLY)
    await refused(client, "room_replay", "conflict", room=talks[4].room, speed=HARDLY)
    await client.send("room_replay", room=talks[0].room, speed=HARDLY)
    await client.send("room_replay_stop", room=talks[1].room)
    await client.send("room_replay", room=talks[4].room, speed=AT_ONCE)
    await client.until("replay_end", room=talks[4].room)


async def test_replays_end_with_their_connection(server: Server, cast: Cast) -> None:
    talk = await recorded(server, cast)
    tasks = server.app[keys.TASKS]
    before = len(tasks)
    token = server.token(cast.learner_id)
    async with http_client(server.url, token=token) as http, socket(server.url, {"token": token}) as one:
        await http.connect()
        for client in (one, http):
            await client.send("room_replay", room=talk.room, speed=HARDLY, **{"from": pauses(talk)[0]})
            await client.until("replay_entry")
        assert len(tasks) == before + 2
        await one.client.disconnect()
        await http.drop()
        async with asyncio.timeout(20):
            while len(tasks) > before:
                await talk.client.send("attempt_join", chat_id=talk.chat_id)
        await http.resume()
        assert len(played(http, talk.room)) == 1


async def test_a_server_that_stops_does_not_wait_for_replays(server: Server, cast: Cast) -> None:
    loop = asyncio.get_running_loop()
    talk = await recorded(server, cast)
    token = server.token(cast.learner_id)
    async with running(server.app[keys.SETTINGS]) as (url, _), http_client(url, token=token) as http:
        await http.connect()
        async with socket(url, {"token": token}) as one:
            for client in (one, http):
                await client.send("room_replay", room=talk.room, speed=HARDLY, **{"from": pauses(talk)[0]})
                await client.until("replay_entry")
            stopping = loop.time()
    assert loop.time() - stopping < 20


async def test_a_replay_needs_somebody_who_listens(server: Server, cast: Cast) -> None:
    talk = await recorded(server, cast)
    plain = await cast.http(connect=False)
    ack = await plain.call("room_replay", room=talk.room, speed=AT_ONCE)
    assert (ack["error"]["code"], plain.status) == ("conflict", 409)
    assert "X-Session-Id" in ack["error"]["message"]
    assert (await plain.call("room_replay_stop", room=talk.room))["success"]
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        client.headers["X-Session-Id"] = (await client.send("connect"))["session_id"]
        ack = await client.call("room_replay", room=talk.room, speed=AT_ONCE)
        assert (ack["error"]["code"], client.status) == ("conflict", 409)


async def test_a_slow_reader_gets_everything_and_nothing_piles_up(server: Server, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    log = server.app[keys.HUB].log
    for _ in range(100):
        head = await log.publish(talk.room, "attempt_progress", orjson.dumps({"content": "x" * 4000}))
    async with http_client(server.url, token=server.token(cast.learner_id)) as client:
        slow = Slow(server, client)
        writer = await slow.open()
        await slow.read(100, within=0)
        await client.send("room_replay", room=talk.room, speed=AT_ONCE)
        got, most = b"", 0
        while b"event: replay_end" not in got:
            got += await slow.some()
            most = max(most, slow.session.sink.size)
        assert LOW_WATER / 2 < most < LOW_WATER + 5000
        assert got.count(b"event: replay_entry") == head
        writer.close()
