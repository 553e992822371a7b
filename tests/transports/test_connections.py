"""How many connections a person and an address may have, and that none counts for longer than it lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports.admission import Admission
from server.transports.keys import ADMISSION, HUB, STREAMS_ENDED
from tests.support.clients import PATIENCE, Http, http_client, socket
from tests.support.passing import passes
from tests.support.running import Server, running, settings_for
from tests.support.slow import Slow
from tests.transports.socketio.product import body
from tests.transports.socketio.serving import closed, text


@asynccontextmanager
async def crowded(
    mongod_url: str, model: tuple[ScriptedModel, str], *, patience: float = 0.4, **changes: Any
) -> AsyncIterator["Place"]:
    """Run a server for two connections of a person and four of an address."""
    limits = {"connections_per_identity": 2, "connections_per_address": 4, **changes}
    async with (
        running(settings_for(mongod_url, model[1], **limits)) as (url, app),
        aiohttp.ClientSession() as http,
        AsyncExitStack() as stack,
    ):
        app[ADMISSION].patience = patience
        server = Server(url=url, app=app, model=model[0], model_url=model[1])
        yield Place(server, http, stack)


class Place:
    """A crowded server, and raw clients of it."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.server = server
        self.admission: Admission = server.app[ADMISSION]
        self.token = server.token(new())
        self.http = http
        self.stack = stack
        self.address = f"{server.url}/socket.io/?EIO=4&transport="

    async def open(self) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket that has not said yet who it is."""
        ws: aiohttp.ClientWebSocketResponse = await self.http.ws_connect(self.address + "websocket")
        self.stack.push_async_callback(ws.close)
        assert (await text(ws)).startswith("0")
        return ws

    async def join(self, token: str | None = None) -> aiohttp.ClientWebSocketResponse:
        """Connect, and read the answer until the confirmation."""
        ws = await self.open()
        await ws.send_str("40" + orjson.dumps({"token": token or self.token}).decode())
        assert (await text(ws)).startswith('40{"sid"')
        assert (await text(ws)).startswith('42["connection_confirmed"')
        return ws

    async def refused(self) -> dict[str, Any]:
        """Connect, and return why that was refused."""
        ws = await self.open()
        await ws.send_str("40" + orjson.dumps({"token": self.token}).decode())
        answer = await text(ws)
        assert answer.startswith("44")
        await ws.close()
        error: dict[str, Any] = body(answer)["data"]
        return error

    async def handshake(self) -> tuple[int, str | None, str]:
        """Return the status of a handshake, when to try again, and its answer."""
        async with self.http.get(self.address + "polling") as response:
            return response.status, response.headers.get("Retry-After"), await response.text()

    async def client(self, token: str | None = None) -> Http:
        """Open an HTTP session without a stream."""
        client = await self.stack.enter_async_context(http_client(self.server.url, token=token or self.token))
        answer = await client.send("connect")
        client.headers = {**client.headers, "X-Session-Id": answer["session_id"]}
        client.stream_path = answer["stream"]
        return client

    async def stream(self, client: Http) -> tuple[int, str | None, dict[str, Any]]:
        """Return the status of opening a stream that is refused, when to try again, and the error."""
        async with self.http.get(self.server.url + client.stream_path) as response:
            error = orjson.loads(await response.read())["error"]
            return response.status, response.headers.get("Retry-After"), error

    async def empty(self, what: str = "") -> None:
        """Wait until nothing is counted after something has ended."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.admission.identities or self.admission.addresses:
                    await asyncio.sleep(0)
        except TimeoutError:
            pytest.fail(f"counted after {what}: {self.admission.identities.names}")


@pytest.fixture
async def place(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Place]:
    """Give a test a crowded server; in the end nothing is counted."""
    async with crowded(mongod_url, model) as found:
        yield found
        await found.stack.aclose()
        await found.empty()


async def answering(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Answer pings, as the client of a living connection does."""
    while (await text(ws, pings=True)) == "2":
        await ws.send_str("3")


@asynccontextmanager
async def living(*sockets: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
    """Have clients answer pings."""
    tasks = [asyncio.create_task(answering(ws)) for ws in sockets]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_connection_too_many_of_a_person_is_refused(place: Place) -> None:
    async with living(await place.join(), await place.join()):
        error = await place.refused()
        assert error["code"] == "rate_limited"
        assert error["retry_after"] > 0
    await place.join(place.server.token(new()))  # somebody else


async def test_sockets_and_streams_count_together(place: Place) -> None:
    ws, client, other = await place.join(), await place.client(), await place.client()
    await client.resume()
    async with living(ws):
        assert (await place.refused())["code"] == "rate_limited"
        status, retry_after, error = await place.stream(other)
        assert (status, error["code"]) == (429, "rate_limited")
        assert int(retry_after or 0) >= 1
    await ws.close()
    await other.resume()


async def test_one_connection_too_many_of_an_address_is_no_handshake(place: Place) -> None:
    for _ in range(3):
        await place.open()
    status, _, opening = await place.handshake()
    assert status == 200
    status, retry_after, answer = await place.handshake()
    assert status == 429
    assert orjson.loads(answer)["code"] == 4
    assert int(retry_after or 0) >= 1
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await place.open()
    assert refused.value.status == 429
    client = await place.client()  # a request is no connection
    assert (await place.stream(client))[0] == 429
    sid = orjson.loads(opening[1:])["sid"]
    async with place.http.post(f"{place.address}polling&sid={sid}", data="1") as response:
        assert response.status == 200
    await client.resume()


async def test_what_is_open_goes_on_at_the_limit(place: Place) -> None:
    sockets = [await place.open() for _ in range(3)]
    _, _, opening = await place.handshake()
    sid = orjson.loads(opening[1:])["sid"]
    ws = await place.http.ws_connect(f"{place.address}websocket&sid={sid}")  # an upgrade
    await ws.send_str("2probe")
    assert await text(ws) == "3probe"
    await ws.send_str("5")
    for socket_ in (*sockets, ws):
        await socket_.send_str("40" + orjson.dumps({"token": place.server.token(new())}).decode())
        assert (await text(socket_)).startswith("40")
    assert (await place.handshake())[0] == 429
    await ws.close()


async def test_the_dead_make_room_for_who_comes_back(place: Place) -> None:
    dead, alive = await place.join(), await place.join()  # the first answers no pings
    async with living(alive):
        back = await place.join()
    await closed(dead)
    async with living(alive, back):
        assert (await place.refused())["code"] == "rate_limited"


async def test_a_dead_stream_makes_room_and_a_living_one_does_not(place: Place) -> None:
    profile = new()
    place.token = place.server.token(profile)
    quiet = Slow(
        place.server, await place.stack.enter_async_context(http_client(place.server.url, token=place.token))
    )
    place.stack.callback((await quiet.open()).close)  # what comes is not read, so nor acknowledged
    living, back = await place.client(), await place.client()
    await living.resume()
    big = orjson.dumps({"content": "x" * 40_000})
    await place.server.app[HUB].log.publish(f"profile_{profile}", "attempt_progress", big)
    await living.until("attempt_progress")
    async with asyncio.timeout(PATIENCE):
        while not quiet.attached():
            await asyncio.sleep(0)
    await passes(0.5, because="the quiet client's system still takes what fits into it")
    await back.resume()
    assert not quiet.attached()
    assert place.server.app[STREAMS_ENDED] == {"replaced": 1}
    assert (await place.refused())["code"] == "rate_limited"
    assert not living.reader.done()


async def test_several_come_back_at_once(mongod_url: str, model: tuple[ScriptedModel, str]) -> None:
    async with crowded(mongod_url, model, connections_per_identity=5, connections_per_address=20) as place:
        dead = [await place.join() for _ in range(5)]
        back = await asyncio.gather(*(place.join() for _ in range(5)))
        for ws in dead:
            await closed(ws)
        async with living(*back):
            assert (await place.refused())["code"] == "rate_limited"


async def test_a_new_stream_of_a_session_takes_the_place_of_the_old(place: Place) -> None:
    clients = [await place.client() for _ in range(2)]
    for _ in range(3):
        for client in clients:
            await client.resume()  # without an end of the one before
    assert len(place.admission.identities.of(next(iter(place.admission.identities.names)))) == 2


async def test_who_gives_up_while_others_are_asked_is_not_counted(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with crowded(mongod_url, model, patience=30) as place:
        held = [await place.join(), await place.join()]
        waiting = await place.open()
        await waiting.send_str("40" + orjson.dumps({"token": place.token}).decode())
        for ws in held:
            assert await text(ws, pings=True) == "2"  # it is being asked
        await waiting.close()
        await held[0].close()
        await held[1].close()
        await place.empty()


async def gone_cleanly(place: Place) -> None:
    await (await place.join()).close()


async def gone_by_disconnect(place: Place) -> None:
    ws = await place.join()
    await ws.send_str("41")
    await ws.send_str("1")
    await closed(ws)


async def gone_without_a_word(place: Place) -> None:
    ws = await place.join()
    transport = ws.get_extra_info("socket")
    transport.shutdown(2)


async def gone_before_connecting(place: Place) -> None:
    await (await place.open()).close()


async def refused_as_unknown(place: Place) -> None:
    ws = await place.open()
    await ws.send_str('40{"token":"none"}')
    assert (await text(ws)).startswith("44")
    await ws.close()


async def closed_for_nonsense(place: Place) -> None:
    ws = await place.join()
    await ws.send_str("9")
    await closed(ws)


async def no_websocket_after_all(place: Place) -> None:
    async with place.http.get(place.address + "websocket") as response:
        assert response.status == 400
    broken = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "1"}
    async with place.http.get(place.address + "websocket", headers=broken) as response:
        assert response.status == 400


async def polling_that_ends(place: Place) -> None:
    _, _, opening = await place.handshake()
    sid = orjson.loads(opening[1:])["sid"]
    async with place.http.post(f"{place.address}polling&sid={sid}", data="4nonsense") as response:
        assert response.status == 400


async def left_and_joined_again(place: Place) -> None:
    ws = await place.join()
    for _ in range(5):
        await ws.send_str("41")
        await ws.send_str("40" + orjson.dumps({"token": place.token}).decode())
        assert (await text(ws)).startswith("40")
        await text(ws)
    await ws.close()


async def a_stream_that_is_dropped(place: Place) -> None:
    client = await place.client()
    await client.resume()
    await client.drop()


async def a_session_that_is_closed(place: Place) -> None:
    client = await place.client()
    await client.resume()
    await client.send("disconnect")
    await client.ended()


async def a_stream_with_a_wrong_key(place: Place) -> None:
    client = await place.client()
    client.stream_path += "x"
    assert (await place.stream(client))[0] == 404


ENDINGS = (
    gone_cleanly, gone_by_disconnect, gone_without_a_word, gone_before_connecting, refused_as_unknown,
    closed_for_nonsense, no_websocket_after_all, polling_that_ends, left_and_joined_again,
    a_stream_that_is_dropped, a_session_that_is_closed, a_stream_with_a_wrong_key,
)  # fmt: skip


async def test_nothing_is_counted_that_has_ended(place: Place) -> None:
    for ending in ENDINGS * 2:
        await ending(place)
        await place.empty(ending.__name__)


async def test_a_server_that_stops_counts_nobody(mongod_url: str, model: tuple[ScriptedModel, str]) -> None:
    async with running(settings_for(mongod_url, model[1])) as (url, app):
        token = Server(url=url, app=app, model=model[0], model_url=model[1]).token(new())
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(socket(url, {"token": token}))
                await (await stack.enter_async_context(http_client(url, token=token))).connect()
            (name,) = app[ADMISSION].identities.names
            assert len(app[ADMISSION].identities.of(name)) == 6
            await app.shutdown()
            async with asyncio.timeout(PATIENCE):
                while app[ADMISSION].identities or app[ADMISSION].addresses:
                    await asyncio.sleep(0)
