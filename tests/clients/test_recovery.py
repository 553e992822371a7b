"""Connection state recovery with npm's socket.io-client, unmodified: what it keeps, and what is refused."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import pytest
import socketio

from server.engine.ids import new
from server.transports import keys
from tests.clients.remote import Remote, remote
from tests.conftest import Cast
from tests.support.attempts import begin
from tests.support.clients import Recorder
from tests.support.proxy import Proxy, proxy
from tests.support.publishing import publish
from tests.support.running import Server
from tests.support.tail import Tail

STRING = re.compile(r"\d+\.\d+(;\d+@\d+)*~[0-9a-z]{4}")
WEBSOCKET = ["websocket"]
TRANSPORTS = {"polling": ["polling"], "websocket": WEBSOCKET, "default": ["polling", "websocket"]}
TOO_LONG_MS = 121_000


@dataclass
class Stage:
    """A client behind a proxy, the rooms it has joined, and what it has seen of them."""

    server: Server
    cast: Cast
    client: Remote
    through: Proxy
    tails: list[Tail]

    @property
    def rooms(self) -> list[str]:
        """Return the names of the rooms, in the order of the joins."""
        return [tail.room for tail in self.tails]

    async def tell(self, *contents: str, room: int | None = None) -> None:
        """Put each content into every room, or into one."""
        for name in self.rooms if room is None else [self.rooms[room]]:
            await publish(self.server.app, name, *contents)

    async def check(self) -> None:
        """Check that the client has seen every entry of every room once and in order, to the last."""
        for tail in self.tails:
            head = await self.server.app[keys.STORE].entries.top(tail.room)
            await self.client.when(partial(_has_come, self.client, tail, head))
            tail.take(self.client)
            assert tail.last == head

    async def cut(self) -> None:
        """Reset the connection until the client has noticed, who does not between two polls."""
        before = len(self.client.losses)
        while len(self.client.losses) == before:
            self.through.cut()
            with suppress(TimeoutError):
                await self.client.when(lambda: len(self.client.losses) > before, within=5)

    async def join(self, tail: Tail) -> dict[str, Any]:
        """Join a room from where its tail ends."""
        ack = await self.client.send("room_join", room=tail.room, after=tail.last)
        assert ack["recovered"] is True
        return ack


def _has_come(client: Recorder, tail: Tail, offset: int) -> bool:
    return tail.last >= offset or any(
        d.get("room") == tail.room and d.get("offset") == offset for _, d in client.seen
    )


@asynccontextmanager
async def stage(
    server: Server, cast: Cast, *, transports: list[str] = WEBSOCKET, reconnection: bool = True
) -> AsyncIterator[Stage]:
    """Run a client that asks for recovery and has joined three rooms."""
    learner = await cast.learner()
    rooms = [(await begin(learner)).room for _ in range(3)]
    auth = {"token": server.token(cast.learner_id), "recovery": True}
    async with (
        proxy(server.url) as through,
        remote(through.url, auth, transports=transports, reconnection=reconnection) as client,
    ):
        tails = []
        for room in rooms:
            ack = await client.send("room_join", room=room)
            tails.append(Tail(room, last=ack["offset"]))
        yield Stage(server, cast, client, through, tails)


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_cut_is_recovered(server: Server, cast: Cast, kind: str) -> None:
    async with stage(server, cast, transports=TRANSPORTS[kind]) as on:
        await on.tell("one", "two")
        await on.check()
        await on.tell("three", room=1)
        await on.cut()
        await on.tell("four")
        first, again = on.client.lives[0], await on.client.connected(2)
        assert first["pid"]
        assert (again["recovered"], again["id"], again["pid"]) == (True, first["id"], first["pid"])
        assert on.client.seen_last("connection_confirmed")["recovered"] is True
        await on.tell("five")
        await on.check()
        check_extras(on.client)


def check_extras(client: Remote) -> None:
    """Check that entries carry a string behind the payload, and nothing else does."""
    for (name, data), extra in zip(client.seen, client.extras, strict=True):
        if "offset" in data and name != "room_reset":
            assert len(extra) == 1, (name, extra)
            assert STRING.fullmatch(extra[0]), extra
        else:
            assert extra == [], (name, extra)


async def test_the_own_room_is_recovered_too(server: Server, cast: Cast) -> None:
    async with stage(server, cast, reconnection=False) as on:
        learner = await cast.learner()
        await begin(learner)
        await on.client.until("attempt_started")
        await on.cut()
        missed = await begin(learner)
        assert (await on.client.connect())["recovered"] is True
        await on.client.until("attempt_started", attempt_id=missed.attempt_id)
        offsets = [d["offset"] for _, d in on.client.seen if d.get("room") == f"profile_{cast.learner_id}"]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))


async def test_without_the_other_rooms_cursors_entries_come_twice(server: Server, cast: Cast) -> None:
    """The control: a string that names the last room only must fail the same check."""
    async with stage(server, cast, reconnection=False) as on:
        await on.tell("one", "two")
        await on.check()
        await on.cut()
        offset = (await on.client.kept())["offset"]
        on.client.order("keep", offset=re.sub(r";[^~]*", "", offset))
        assert (await on.client.connect())["recovered"] is True
        await on.tell("three")
        with pytest.raises(AssertionError, match="attempt_progress"):
            await on.check()


async def test_a_listener_that_throws_costs_nothing(server: Server, cast: Cast) -> None:
    """The client keeps no string of an event whose listener has thrown: the next one covers it."""
    async with stage(server, cast, reconnection=False) as on:
        on.client.order("throwFor", name="attempt_progress", content="boom")
        await on.tell("one", "boom", "two", room=0)
        await on.tell("three", room=1)
        await on.check()
        assert on.client.uncaught == ["thrown for boom"]
        await on.cut()
        await on.tell("four")
        assert (await on.client.connect())["recovered"] is True
        await on.check()


async def test_an_event_whose_listener_threw_last_comes_again(server: Server, cast: Cast) -> None:
    async with stage(server, cast, reconnection=False) as on:
        on.client.order("throwFor", name="attempt_progress", content="boom")
        await on.tell("one")
        await on.tell("boom", room=2)
        await on.check()
        await on.cut()
        await on.tell("two")
        assert (await on.client.connect())["recovered"] is True
        again = await on.client.until("attempt_progress", count=2, content="boom")
        on.tails[2].last = again["offset"] - 1
        await on.check()
        assert len(on.client.named("attempt_progress", content="boom")) == 2
        assert on.client.uncaught == ["thrown for boom"]


async def grow_old(on: Stage) -> None:
    """Cut the connection, wait until the server has noted that, and let two minutes pass for the session."""
    sessions = on.server.app[keys.STORE].sessions._sessions
    session_id = {"_id": (await on.client.kept())["pid"]}
    before = await sessions.find_one(session_id)
    assert before is not None
    await on.cut()
    async with asyncio.timeout(20):
        while not await sessions.find_one({**session_id, "seen_at": {"$gt": before["seen_at"]}}):
            await asyncio.sleep(0)
    await sessions.update_one(session_id, [{"$set": {"seen_at": {"$subtract": ["$$NOW", TOO_LONG_MS]}}}])


async def test_a_refused_client_joins_anew_and_its_old_string_means_nothing(
    server: Server, cast: Cast
) -> None:
    async with stage(server, cast, reconnection=False) as on:
        await on.tell("one", "two")
        await on.tell("three", room=2)
        await on.check()
        old = await on.client.kept()
        await grow_old(on)
        await on.tell("missed")
        refused = await on.client.connect()
        assert refused["recovered"] is False
        assert on.client.seen_last("connection_confirmed")["recovered"] is False
        assert refused["pid"] not in (None, old["pid"])
        await on.cut()  # before anything has come: the client has the old string and the new pid
        assert await on.client.kept() == {"pid": refused["pid"], "offset": old["offset"]}
        assert (await on.client.connect())["recovered"] is True
        for tail in reversed(on.tails):  # what was an alias of one room is one of another now
            await on.join(tail)
        await on.check()
        on.client.order("keep", offset=old["offset"])
        await on.cut()
        assert (await on.client.connect())["recovered"] is True
        for tail in on.tails:  # no string, so from where this session has joined
            tail.last = await _last_before(server, tail, "missed")
        await on.tell("four")
        await on.check()


async def _last_before(server: Server, tail: Tail, content: str) -> int:
    """Return the offset before that of the entry with a content."""
    (found,) = [d["offset"] for d in tail.named("attempt_progress") if d["content"] == content]
    return int(found) - 1


async def test_somebody_else_gets_nothing_with_a_foreign_session(server: Server, cast: Cast) -> None:
    async with stage(server, cast, reconnection=False) as on:
        await on.tell("one")
        await on.check()
        await on.cut()
        mine = await on.client.kept()
        stranger = new()
        on.client.order("auth", auth={"token": server.token(stranger), "recovery": True})
        before = len(on.client.seen)
        theirs = await on.client.connect()
        assert theirs["recovered"] is False
        assert theirs["pid"] not in (None, mine["pid"])
        confirmed = on.client.seen_last("connection_confirmed")
        assert (confirmed["profile_id"], confirmed["recovered"]) == (stranger, False)
        await on.tell("secret")
        refused = await on.client.call("room_join", room=on.rooms[0], after=0)
        assert refused["error"]["code"] == "not_found"
        rooms = {d["room"] for _, d in on.client.seen[before:] if "room" in d}
        assert rooms <= {f"profile_{stranger}"}

        # the session is still its owner's
        await on.cut()
        on.client.order("auth", auth={"token": server.token(cast.learner_id), "recovery": True})
        on.client.order("keep", **mine)
        assert (await on.client.connect())["recovered"] is True
        await on.check()


@pytest.mark.parametrize("auth", [{}, {"recovery": False}], ids=str)
async def test_who_does_not_ask_gets_one_argument_and_no_pid(
    server: Server, cast: Cast, auth: dict[str, Any]
) -> None:
    token = server.token(cast.learner_id)
    async with remote(server.url, {"token": token, **auth}, transports=WEBSOCKET) as client:
        talk = await begin(await cast.learner())
        await client.send("room_join", room=talk.room)
        await publish(server.app, talk.room, "one")
        await client.until("attempt_progress")
        assert not any(client.extras)
        assert await client.kept() == {"pid": None, "offset": None}


async def test_a_python_client_keeps_its_handlers_of_one_argument(server: Server, cast: Cast) -> None:
    """It does not ask, so it resumes by offset; a second argument would be a TypeError in its handlers."""
    talk = await begin(await cast.learner())
    tail, recorder, broken = Tail(talk.room), Recorder(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    async with AsyncExitStack() as stack:
        through = await stack.enter_async_context(proxy(server.url))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        client = socketio.AsyncClient(reconnection_delay=0.02, reconnection_delay_max=0.1, http_session=http)

        async def confirmed(data: dict[str, Any]) -> None:
            recorder.record("connection_confirmed", data)

        def progress(data: dict[str, Any]) -> None:
            recorder.record("attempt_progress", data)

        client.on("connection_confirmed", confirmed)
        client.on("attempt_progress", progress)
        auth = {"token": server.token(cast.learner_id)}
        await client.connect(through.url, auth=auth, transports=WEBSOCKET)
        stack.push_async_callback(client.shutdown)
        await recorder.until("connection_confirmed")
        tail.last = (await client.call("attempt_join", {"chat_id": talk.chat_id}))["offset"]
        for count in (1, 2, 3):
            await publish(server.app, talk.room, "on", "line")
            await recorder.until("attempt_progress", content="line", count=count)
            tail.take(recorder)
            through.cut()
            await publish(server.app, talk.room, "away")
            await recorder.until("connection_confirmed", count=count + 1)
            again = await client.call("attempt_join", {"chat_id": talk.chat_id, "after": tail.last})
            assert again["recovered"] is True
            await recorder.until("attempt_progress", content="away", count=count)
        tail.take(recorder)
    assert [d["content"] for d in tail.named("attempt_progress")] == ["on", "line", "away"] * 3
    assert broken == []
