"""The Admin UI's namespace: who gets in, what is shown, and that nothing can be done or learnt there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import bcrypt
import orjson
import pytest
import pytest_asyncio
import socketio
from pydantic import SecretStr
from socketio.exceptions import ConnectionError as Refused

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from server.transports.socketio import admin_door
from server.transports.socketio.admin import Admin
from server.transports.socketio.admin_door import Door
from server.transports.socketio.admin_watcher import AdminLimits
from server.transports.socketio.peer import Refusal
from server.transports.socketio.server import SocketTransport
from tests.support.attempts import begin
from tests.support.clients import PATIENCE, socket
from tests.support.passing import passes
from tests.support.running import Server, load_pack, running, settings_for

PASSWORD = "a password of the tests"
PAGE = "https://admin.example.org"
AUTH = {"username": "admin", "password": PASSWORD}


class Watch:
    """A watcher, and what it was told."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.seen: list[tuple[str, tuple[Any, ...]]] = []
        self._news = asyncio.Event()
        client.on("*", self._record, namespace="/admin")

    def _record(self, name: str, *args: Any) -> None:
        self.seen.append((name, args))
        self._news.set()

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of the events of a name."""
        return [args for found, args in self.seen if found == name]

    async def when(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that only events change."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until(self, name: str, *wanted: Any) -> tuple[Any, ...]:
        """Wait for an event whose arguments hold these values, and return them."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for args in self.named(name):
                    if all(value in args for value in wanted):
                        return args
                self._news.clear()
                await self._news.wait()

    async def shows(self, sid: str) -> dict[str, Any]:
        """Wait until a socket is shown, and return it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                listed = [s for (found,) in self.named("all_sockets") for s in found]
                listed += [args[0] for args in self.named("socket_connected")]
                for found in listed:
                    if found["id"] == sid:
                        return dict(found)
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(url: str, auth: dict[str, Any] | None = None, **headers: str) -> AsyncIterator[Watch]:
    """Connect to the Admin UI's namespace alone, as it does."""
    async with aiohttp.ClientSession() as http:
        client = socketio.AsyncClient(reconnection=False, http_session=http)
        watch = Watch(client)
        try:
            await client.connect(
                url,
                auth=AUTH if auth is None else auth,
                namespaces=["/admin"],
                transports=["websocket"],
                headers=headers,
                wait_timeout=20,
            )
            yield watch
        finally:
            await client.disconnect()
            await client.shutdown()


@asynccontextmanager
async def serving(mongod_url: str, model: tuple[ScriptedModel, str], **changes: Any) -> AsyncIterator[Server]:
    """Run a server."""
    async with running(settings_for(mongod_url, model[1], **changes)) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest_asyncio.fixture
async def watched(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that can be watched."""
    settings = {"admin_password": SecretStr(PASSWORD), "admin_origins": [PAGE]}
    async with serving(mongod_url, model, **settings) as server:
        yield server


async def refusal(
    url: str, auth: dict[str, Any] | None = None, *, namespace: str = "/admin", **headers: str
) -> str:
    """Return why a client is not let into a namespace, "" when its connection is refused as a whole."""
    told: list[str] = []
    async with aiohttp.ClientSession() as http:
        client = socketio.AsyncClient(reconnection=False, http_session=http)
        client.on("connect_error", lambda data: told.append(data["message"]), namespace=namespace)
        with pytest.raises(Refused):
            await client.connect(
                url,
                auth=AUTH if auth is None else auth,
                namespaces=[namespace],
                transports=["websocket"],
                headers=headers,
                wait_timeout=20,
            )
        await client.shutdown()
    return "".join(told)


async def test_without_a_password_there_is_no_such_namespace(server: Server) -> None:
    assert "Invalid namespace" in await refusal(server.url)
    assert "Invalid namespace" in await refusal(server.url, {"username": "admin", "password": ""})


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"username": "admin", "password": PASSWORD + "!"},
        {"username": "root", "password": PASSWORD},
        {"username": "admin", "password": [PASSWORD]},
        {"sessionId": "guessed"},
    ],
)
async def test_who_has_no_password_is_refused(watched: Server, auth: dict[str, Any]) -> None:
    assert "invalid credentials" in await refusal(watched.url, auth)


async def test_a_session_stands_for_the_password(watched: Server) -> None:
    async with watching(watched.url) as watch:
        (session,) = await watch.until("session")
    async with watching(watched.url, {"sessionId": session}) as again:
        await again.until("config")
        assert again.named("session") == []


async def test_an_address_may_try_five_times(watched: Server) -> None:
    for _ in range(admin_door.ATTEMPTS.burst):
        assert "invalid credentials" in await refusal(watched.url, {"username": "admin", "password": "x"})
    assert "too many attempts" in await refusal(watched.url)  # also with the right one


async def test_a_page_of_the_admin_ui_sees_its_namespace_and_no_other(watched: Server) -> None:
    async with watching(watched.url, Origin=PAGE) as watch:
        await watch.until("config")
    assert await refusal(watched.url, {}, namespace="/", Origin=PAGE) == "Invalid namespace"
    other = {"Origin": "https://other.example.org"}
    async with aiohttp.ClientSession() as http:
        address = f"{watched.url}/socket.io/?EIO=4&transport=polling"
        async with http.get(address, headers=other) as response:
            assert response.status == 403


async def test_what_comes_and_goes_is_shown(watched: Server) -> None:
    async with socket(watched.url, {"token": watched.token(new())}) as before, watching(watched.url) as watch:
        (config,) = await watch.until("config")
        assert config == {"supportedFeatures": ["AGGREGATED_EVENTS", "ALL_EVENTS"]}
        shown = await watch.shows(before.seen_last("connection_confirmed")["sid"])
        assert (shown["nsp"], shown["transport"]) == ("/", "websocket")
        assert shown["handshake"]["address"] == "127.0.0.1"
        assert len(shown["rooms"]) == 1  # its own
        async with socket(watched.url, {"token": watched.token(new())}) as later:
            sid = later.seen_last("connection_confirmed")["sid"]
            assert (await watch.shows(sid))["nsp"] == "/"
            talk = await begin(later)
            await watch.until("room_joined", "/", talk.room, sid)
            await later.send("attempt_leave", attempt_id=talk.attempt_id, chat_id=talk.chat_id)
            await watch.until("room_left", "/", talk.room, sid)
        gone = await watch.until("socket_disconnected", "/", sid)
        assert gone[2] in ("client namespace disconnect", "transport close", "client disconnect")
        (stats,) = (await watch.until("server_stats"))[:1]
        assert stats["clientsCount"] >= 2
        assert {n["name"] for n in stats["namespaces"]} == {"/", "/admin"}


def counted(watch: Watch, kind: str) -> int:
    """Return what a watcher was told to add up."""
    return sum(
        one["count"]
        for (s,) in watch.named("server_stats")
        for one in s["aggregatedEvents"]
        if one["type"] == kind
    )


def counts(watch: Watch, number: int) -> bool:
    """Tell whether a watcher was told of so many connections."""
    return counted(watch, "rawConnection") == number


async def test_watchers_do_not_take_from_each_other(watched: Server) -> None:
    async with watching(watched.url) as one, watching(watched.url) as two:
        await one.until("server_stats")
        await two.until("server_stats")
        before = [counted(watch, "rawConnection") for watch in (one, two)]
        async with socket(watched.url, {"token": watched.token(new())}) as client:
            sid = client.seen_last("connection_confirmed")["sid"]
            for watch, had in zip((one, two), before, strict=True):
                await watch.shows(sid)
                await watch.when(partial(counts, watch, had + 1))


@pytest.mark.parametrize("event", ["emit", "join", "leave", "_disconnect", "attempt_start"])
async def test_nothing_can_be_done(watched: Server, event: str) -> None:
    async with socket(watched.url, {"token": watched.token(new())}) as client, watching(watched.url) as watch:
        sid = client.seen_last("connection_confirmed")["sid"]
        await watch.shows(sid)
        ack = await watch.client.call(event, ("/", "room", sid), namespace="/admin", timeout=20)
        assert (ack["success"], ack["error"]["code"]) == (False, "forbidden")
        assert (await client.call("room_leave", room="attempt_x"))["error"]["code"] != "unavailable"


async def test_nothing_is_told_that_opens_or_quotes_anything(watched: Server) -> None:
    token = watched.token(new())
    await watched.script({"reply": "REPLIED"})
    async with watching(watched.url) as watch:
        async with socket(watched.url, {"token": token}, headers={"X-Secret": "HEADER"}) as client:
            sid = client.seen_last("connection_confirmed")["sid"]
            talk = await begin(client)
            await talk.say("SPOKEN")
            await watch.shows(sid)
            engine = client.client.eio.sid
        await watch.until("socket_disconnected", "/", sid)
        told = str(watch.seen)
        for secret in (token, "SPOKEN", "REPLIED", "HEADER", engine, PASSWORD):
            assert secret not in told


def admin(server: Server) -> Admin:
    """Return what lets watchers in."""
    transport = server.app[keys.SOCKETS]
    assert isinstance(transport, SocketTransport)
    assert transport._admin is not None
    return transport._admin


def limit(server: Server, **changes: int) -> None:
    """Set limits for those who begin to watch from now on."""
    admin(server).limits = AdminLimits(**changes)


async def test_many_sockets_come_in_batches_and_watchers_are_limited(watched: Server) -> None:
    limit(watched, batch=2, watchers=1)
    async with socket(watched.url) as one, socket(watched.url) as two, socket(watched.url) as three:
        sids = [client.seen_last("connection_confirmed")["sid"] for client in (one, two, three)]
        async with watching(watched.url) as watch:
            for sid in sids:
                await watch.shows(sid)
            assert [len(found) for (found,) in watch.named("all_sockets")] == [2]
            (session,) = await watch.until("session")
            assert "watchers already" in await refusal(watched.url, {"sessionId": session})
            gone = watch.client
            await gone.disconnect()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    async with watching(watched.url, {"sessionId": session}) as next_one:
                        await next_one.until("config")
                    break
                except Refused:
                    await passes(0.1, because="the one before may still be counted")


async def test_a_watcher_that_falls_behind_is_cut_and_forgotten(watched: Server) -> None:
    limit(watched, watchers=1, waiting=10)
    async with watching(watched.url) as watch:
        (session,) = await watch.until("session")
        async with asyncio.timeout(PATIENCE):
            await watch.client.wait()
    limit(watched, watchers=1)
    async with watching(watched.url, {"sessionId": session}) as next_one:
        await next_one.until("server_stats")


async def raw(ws: aiohttp.ClientWebSocketResponse, start: str) -> str:
    """Read a socket until a text that begins so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            text = await ws.receive_str()
            if text.startswith(start):
                return text


async def test_who_leaves_before_being_told_is_told_nothing(watched: Server) -> None:
    async with watching(watched.url) as watch, aiohttp.ClientSession() as http:
        (session,) = await watch.until("session")
        await watch.until("server_stats")
        address = f"{watched.url}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(address) as ws:
            await raw(ws, "0")
            await ws.send_str("40/admin," + orjson.dumps({"sessionId": session}).decode())
            await ws.send_str("41/admin,")
            await raw(ws, '42/admin,["config"')
            told = len(watch.named("server_stats"))
            await watch.when(lambda: len(watch.named("server_stats")) > told + 1)
            assert [task.get_name() for task in asyncio.all_tasks()].count("admin watcher") == 1


async def test_after_an_error_the_next_watcher_is_told(watched: Server) -> None:
    peers: dict[str, Any] = admin(watched).server.peers
    async with watching(watched.url) as watch:
        await watch.until("server_stats")
        peers["broken"] = None
        async with asyncio.timeout(PATIENCE):
            await watch.client.wait()
    del peers["broken"]
    async with watching(watched.url) as watch:
        await watch.until("server_stats")


async def test_addresses_of_one_network_try_together() -> None:
    door = Door("ops", SecretStr(PASSWORD))
    for number in range(admin_door.ATTEMPTS.burst):
        with pytest.raises(Refusal, match="invalid credentials"):
            await door.admit({}, address=f"2001:db8::{number}")
    right = {"username": "ops", "password": PASSWORD}
    with pytest.raises(Refusal, match="too many attempts"):
        await door.admit(right, address="2001:db8::ffff")
    assert await door.admit(right, address="2001:db8:0:1::1")


async def test_a_hash_of_bcrypt_is_a_password_too() -> None:
    door = Door("ops", SecretStr(bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()))
    assert await door.admit({"username": "ops", "password": PASSWORD}, address="a")
    wrong: Sequence[str] = ("", "x" * 100, PASSWORD + "!")
    for password in wrong:
        with pytest.raises(Exception, match="invalid credentials"):
            await door.admit({"username": "ops", "password": password}, address="a")
