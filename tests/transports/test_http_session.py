"""HTTP sessions: what they follow, however requests interleave and wherever their streams break (core §6)."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import orjson
from aiohttp import web

from schemas.envelope import Id
from server.app import make_app
from server.engine.ids import new
from server.errors import Unavailable
from server.rooms.cursor import parse
from server.store import connect
from server.store.sessions import Session
from server.transports import keys
from server.transports.http_events import SESSIONS, SWEEP_SECONDS
from server.transports.http_session import HttpSession
from tests.conftest import Cast
from tests.support.attempts import Talk, begin
from tests.support.clients import PATIENCE, Http, http_client
from tests.support.running import SECRET, Server, settings_for
from tests.support.tail import Tail


def session_of(server: Server, client: Http) -> HttpSession:
    """Return the session of a client as its process holds it."""
    return server.app[SESSIONS][client.headers["X-Session-Id"]]


async def stored(server: Server, client: Http) -> Session:
    """Return the session of a client as any process would find it."""
    await session_of(server, client).rooms.save()
    found = await server.app[keys.STORE].sessions.find(client.headers["X-Session-Id"])
    assert found is not None
    return found


async def publish(server: Server, room: str, count: int, size: int = 10) -> None:
    """Add entries to a room."""
    j = orjson.dumps({"content": "x" * size})
    log = server.app[keys.HUB].log
    await asyncio.gather(*[log.publish(room, "attempt_progress", j) for _ in range(count)])


async def chats(cast: Cast, count: int) -> list[Talk]:
    """Begin chats over a socket."""
    learner = await cast.learner()
    return [await begin(learner) for _ in range(count)]


async def without_stream(server: Server, cast: Cast, stack: AsyncExitStack) -> Http:
    """Open a session whose stream nobody has asked for yet."""
    client = await stack.enter_async_context(http_client(server.url, token=server.token(cast.learner_id)))
    answer = await client.send("connect")
    client.headers = {**client.headers, "X-Session-Id": answer["session_id"]}
    client.stream_path = answer["stream"]
    return client


async def test_a_room_that_is_joined_many_times_at_once_is_joined_once(server: Server, cast: Cast) -> None:
    client = await cast.http()
    (talk,) = await chats(cast, 1)
    acks = await asyncio.gather(
        *[client.send("attempt/join", chat_id=talk.chat_id) for _ in range(10)],
        *[client.send("attempt/join", chat_id=talk.chat_id, after=0) for _ in range(10)],
    )
    assert sum("snapshot" in ack for ack in acks) <= 1
    session = await stored(server, client)
    assert [r.room for r in session.rooms] == [f"profile_{cast.learner_id}", talk.room]
    assert session.aliases == 2


async def test_rooms_that_are_joined_and_left_at_once_are_stored_as_they_are(
    server: Server, cast: Cast
) -> None:
    client = await cast.http()
    talks = await chats(cast, 8)
    await asyncio.gather(*[client.send("attempt/join", chat_id=t.chat_id) for t in talks])
    await asyncio.gather(
        *[client.send("attempt/leave", chat_id=t.chat_id) for t in talks[:4]],
        *[client.send("attempt/message", **t.ids, message="Hi!") for t in talks[4:]],
    )
    wanted = {f"profile_{cast.learner_id}", *(t.room for t in talks[4:])}
    session = await stored(server, client)
    assert {r.room for r in session.rooms} == wanted == set(session_of(server, client).rooms.members)
    assert len({r.alias for r in session.rooms}) == len(session.rooms) == 5
    assert session.aliases == 9


async def test_no_more_rooms_than_allowed_are_joined_at_once(server: Server, cast: Cast) -> None:
    client = await cast.http()
    talks = await chats(cast, 55)
    acks = await asyncio.gather(*[client.call("attempt/join", chat_id=t.chat_id) for t in talks])
    assert sum(ack["success"] for ack in acks) == 49
    assert {ack["error"]["code"] for ack in acks if not ack["success"]} == {"conflict"}
    assert len((await stored(server, client)).rooms) == 50


async def test_a_room_that_cannot_be_stored_is_not_joined(server: Server, cast: Cast) -> None:
    (talk,) = await chats(cast, 1)
    away = connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200", "away")
    record = Session(id=new(), identity={}, aliases=0, process="")
    session = HttpSession(server.app[keys.HUB], record, away.sessions)
    joins = [session.join(talk.room, after=0, epoch=None, marker=None) for _ in range(3)]
    refused = await asyncio.gather(*joins, session.enter(talk.room), return_exceptions=True)
    assert [type(error) for error in refused] == [Unavailable] * 4
    assert session.rooms.members == {}
    await asyncio.to_thread(away.close)


async def test_a_session_that_joins_and_leaves_forever_stays_small(server: Server, cast: Cast) -> None:
    client = await cast.http()
    (talk,) = await chats(cast, 1)
    for _ in range(30):
        await client.send("attempt/join", chat_id=talk.chat_id, after=0)
        await client.send("attempt/leave", chat_id=talk.chat_id)
    session = await stored(server, client)
    assert (len(session.rooms), session.aliases) == (1, 31)


async def test_an_old_string_does_not_move_a_room_that_was_joined_again(server: Server, cast: Cast) -> None:
    client = await cast.http()
    (talk,) = await chats(cast, 1)
    join = await client.send("attempt/join", chat_id=talk.chat_id, after=0)
    await client.when(lambda: len(client.names(talk.room)) == join["offset"])
    await publish(server, talk.room, 20)
    await client.when(lambda: len(client.names(talk.room)) == join["offset"] + 20)
    await client.drop()
    await client.send("attempt/leave", chat_id=talk.chat_id)
    await client.send("attempt/join", chat_id=talk.chat_id, after=3)
    before = len(client.seen)
    await client.resume()
    await client.when(lambda: client.seen[-1][1].get("offset") == join["offset"] + 20)
    offsets = [d["offset"] for _, d in client.seen[before:] if d.get("room") == talk.room]
    assert offsets == list(range(4, join["offset"] + 21))


async def test_every_id_holds_the_place_in_all_rooms(server: Server, cast: Cast) -> None:
    client = await cast.http()
    talks = await chats(cast, 3)
    for talk in talks:
        await client.send("attempt/join", chat_id=talk.chat_id, after=0)
    for _ in range(3):
        await asyncio.gather(*[publish(server, t.room, 4) for t in talks])
        await publish(server, talks[0].room, 3)
    await client.send("attempt/leave", chat_id=talks[2].chat_id)
    await publish(server, talks[0].room, 1)
    await publish(server, talks[1].room, 1)
    head = server.app[keys.HUB].loaded_room(talks[1].room)
    assert head is not None
    await client.when(lambda: client.last_id is not None and client.last_id.startswith(f"{head.head}.2;"))
    places: dict[str, int] = {}
    for (_, data), string in zip(client.seen, client.ids, strict=True):
        if string is None:
            continue
        places[data["room"]] = data["offset"]
        found = parse(string, session_tag=string[-4:])
        assert found is not None
        aliases = [f"profile_{cast.learner_id}", *(t.room for t in talks)]
        assert {aliases[alias]: n for alias, n in found.items() if n and aliases[alias] in places} == {
            room: n for room, n in places.items() if aliases.index(room) in found
        }
    assert found is not None
    assert set(found) == {0, 1, 2}


async def test_what_a_client_came_back_with_is_told(server: Server, cast: Cast) -> None:
    client = await cast.http()
    (talk,) = await chats(cast, 1)
    assert "recovered" not in client.seen_last("connection_confirmed")
    await client.send("attempt/join", chat_id=talk.chat_id, after=0)
    await client.until("attempt_joined")
    await client.until("attempt_chat_started")  # of another room, so maybe later; it has an id
    good = client.last_id
    assert good is not None
    for string, recovered in [
        (good, True),
        ("garbage", False),
        (f"7.0~{'0' * 4}", False),
        (f"7.5{good[-5:]}", False),
        (f"999.1{good[-5:]}", False),
        (good, True),
    ]:
        await client.drop()
        client.last_id = string
        await client.resume()
        assert client.seen_last("connection_confirmed").get("recovered") is recovered, string
    reset = await client.until("room_reset")  # 999 is past the head
    assert reset["room"] == talk.room
    assert len(client.named("room_reset")) == 1


async def over(client: Http, cast: Cast) -> tuple[Talk, list[str | None]]:
    """Practise a chat to its end; return it and the ids of its entries."""
    talk = await begin(client)
    await talk.say()
    await talk.end(grade=False)
    pairs = zip(client.seen, client.ids, strict=True)
    return talk, [string for (_, data), string in pairs if data.get("room") == talk.room]


async def test_an_end_that_did_not_arrive_comes_again(server: Server, cast: Cast) -> None:
    client = await cast.http()
    talk, ids = await over(client, cast)
    for count, lost in enumerate((1, 3, len(ids) - 1), start=2):
        await client.drop()
        client.last_id = ids[-1 - lost]
        before = len(client.seen)
        await client.resume()
        await client.until("attempt_chat_ended", count=count)
        entries = [d["offset"] for _, d in client.seen[before:] if d.get("room") == talk.room]
        assert entries == list(range(entries[-1] - lost + 1, entries[-1] + 1))
        assert not session_of(server, client).member(talk.room)


async def test_a_room_whose_end_has_arrived_is_forgotten(server: Server, cast: Cast) -> None:
    client = await cast.http()
    talk, _ = await over(client, cast)
    (kept,) = [r for r in (await stored(server, client)).rooms if r.room == talk.room]
    assert kept.until == {"attempt_chat_ended"}
    assert kept.ended == next(d["offset"] for n, d in talk.entries() if n == "attempt_chat_ended")
    await client.drop()
    before = len(client.names(talk.room))
    await client.resume()
    await publish(server, talk.room, 3)
    other = await begin(client)
    await other.say()
    assert len(client.names(talk.room)) == before
    assert talk.room not in [r.room for r in (await stored(server, client)).rooms]


async def test_another_process_knows_which_rooms_are_left_by_themselves(server: Server, cast: Cast) -> None:
    client = await cast.http()
    talk = await begin(client)
    await talk.say()
    tail = Tail(talk.room)
    tail.take(client)
    await client.drop()
    del server.app[SESSIONS][client.headers["X-Session-Id"]]  # as in a process that has not seen it
    await client.resume()
    assert session_of(server, client).member(talk.room)
    await talk.end(grade=False)
    tail.take(client)
    assert tail.named("attempt_chat_ended")
    assert not session_of(server, client).member(talk.room)


async def test_a_chat_that_is_graded_after_its_end_is_followed_again(server: Server, cast: Cast) -> None:
    client = await cast.http()
    talk, ids = await over(client, cast)
    await client.drop()
    ack = await client.send("attempt/grade", **talk.ids)
    assert [place["room"] for place in ack["rooms"]] == [talk.room]
    client.last_id = ids[-3]
    before = len(client.seen)
    await client.resume()
    await client.until("attempt_graded")
    offsets = [d["offset"] for _, d in client.seen[before:] if d.get("room") == talk.room]
    first = len(ids) - 1 + client.named("attempt_chat_ended")[0]["offset"] - len(ids)
    assert offsets == list(range(first, offsets[-1] + 1))


async def test_notices_wait_for_the_next_stream(server: Server, cast: Cast) -> None:
    async with AsyncExitStack() as stack:
        client = await without_stream(server, cast, stack)
        for n in range(70):
            await client.call("attempt/message", attempt_id=new(), chat_id=_numbered(n), message="Hi")
            assert client.status == 404
        await client.resume()
        await client.until("attempt_error", count=64)
        told = [d["chat_id"] for d in client.named("attempt_error")]
        assert told == [_numbered(n) for n in range(6, 70)]
        assert client.names()[0] == "connection_confirmed"
        await client.call("attempt/message", attempt_id=new(), chat_id=_numbered(99), message="Hi")
        await client.until("attempt_error", chat_id=_numbered(99))


def _numbered(n: int) -> Id:
    return f"00000000-0000-4000-8000-{n:012}"


async def test_rooms_that_are_not_allowed_any_more_are_dropped(server: Server, cast: Cast) -> None:
    (mine, other) = await chats(cast, 2)
    async with http_client(server.url, token=server.token(cast.author_id, role="author")) as author:
        await author.connect()
        for talk in (mine, other):
            await author.send("attempt/join", chat_id=talk.chat_id, after=0)
            await publish(server, talk.room, 2)
        await author.when(lambda: len(author.names(mine.room) + author.names(other.room)) >= 4)
        await author.drop()
        await server.app[keys.STORE].database.chats.update_one(
            {"_id": other.chat_id}, {"$set": {"org": "another"}}
        )
        await author.resume()
        assert author.seen_last("connection_confirmed")["recovered"] is False
        before = len(author.names(other.room))
        await publish(server, other.room, 3)
        await publish(server, mine.room, 3)
        await author.when(lambda: author.names(mine.room)[-3:] == ["attempt_progress"] * 3)
        assert len(author.names(other.room)) == before
        assert other.room not in [r.room for r in (await stored(server, author)).rooms]


async def test_a_stream_replaces_an_open_one(server: Server, cast: Cast) -> None:
    client = await cast.http()
    (talk,) = await chats(cast, 1)
    await client.send("attempt/join", chat_id=talk.chat_id, after=0)
    await client.until("attempt_joined")
    old = client.reader
    await client.resume()
    async with asyncio.timeout(PATIENCE):
        await old  # it has ended as it should, not been cut
    before = len(client.names(talk.room))
    await publish(server, talk.room, 5)
    await client.when(lambda: len(client.names(talk.room)) == before + 5)
    Tail(talk.room).take(client)


async def test_disconnecting_ends_the_stream(server: Server, cast: Cast) -> None:
    client = await cast.http()
    await client.send("disconnect")
    async with asyncio.timeout(PATIENCE):
        await client.reader
    async with aiohttp.ClientSession() as http, http.get(server.url + client.stream_path) as response:
        assert response.status == 404
    assert (await client.call("attempt/join", chat_id=new()))["error"]["code"] == "not_found"


async def test_who_may_not_use_a_session_does_not_move_it(server: Server, cast: Cast) -> None:
    client, stranger = await cast.http(), await cast.http()
    await client.drop()
    session_id, store = client.headers["X-Session-Id"], server.app[keys.STORE].sessions
    here = await stored(server, client)
    del server.app[SESSIONS][session_id]
    assert await store.take(here, process="elsewhere")  # as if it lived in another process
    stream = client.stream_path.partition("?")[0]
    for address in (stream, f"{stream}?key=wrong"):
        async with aiohttp.ClientSession() as http, http.get(server.url + address) as response:
            assert response.status == 404
    stranger.headers = {"Authorization": f"Bearer {server.token(new())}", "X-Session-Id": session_id}
    for event in ("attempt/join", "disconnect"):
        assert (await stranger.call(event, chat_id=new()))["error"]["code"] == "not_found"
    found = await store.find(session_id)
    assert found is not None
    assert found.process == "elsewhere"
    assert session_id not in server.app[SESSIONS]
    await client.resume()
    assert (await stored(server, client)).process == here.process


async def test_a_stream_is_only_gotten(server: Server, cast: Cast) -> None:
    client = await cast.http()
    async with aiohttp.ClientSession() as http, http.head(server.url + client.stream_path) as response:
        assert response.status == 405
    assert session_of(server, client).attached


async def test_a_client_of_http_1_0_gets_no_chunks(server: Server, cast: Cast) -> None:
    client = await cast.http()
    await client.drop()
    version = aiohttp.HttpVersion10
    async with (
        aiohttp.ClientSession(version=version) as http,
        http.get(server.url + client.stream_path) as response,
    ):
        assert "Transfer-Encoding" not in response.headers
        assert await response.content.readline() == b"event: connection_confirmed\n"


async def test_a_token_that_ends_is_told_and_ends_the_stream(server: Server, cast: Cast) -> None:
    async with http_client(server.url, token=server.token(cast.learner_id, seconds=3)) as client:
        await client.connect()
        await client.until("auth_expired")
        async with asyncio.timeout(PATIENCE):
            await client.reader
        async with aiohttp.ClientSession() as http, http.get(server.url + client.stream_path) as response:
            assert response.status == 401


async def test_a_bug_in_sweeping_ends_the_process(mongod_url: str) -> None:
    app = make_app(settings_for(mongod_url, "http://127.0.0.1:1/v1"), secret=SECRET, guests=True)
    app[SWEEP_SECONDS] = 0.01
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        app[SESSIONS]["broken"] = object()  # type: ignore[assignment] # a bug, as sweeping sees it
        async with asyncio.timeout(PATIENCE):
            await app[keys.BROKEN].wait()
    finally:
        del app[SESSIONS]["broken"]
        await runner.cleanup()
