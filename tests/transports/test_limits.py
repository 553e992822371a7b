"""What a client may send and join, at each limit and one beyond it, over a socket and over HTTP."""

from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.rooms.connection import MAX_ROOMS
from tests.conftest import Cast
from tests.support.attempts import begin, check_failure
from tests.support.clients import Socket
from tests.support.running import Server
from tests.transports.socketio.product import body
from tests.transports.socketio.serving import closed, text

MAX_MESSAGE = 256 * 1024
SAFE = 2**53
TRANSPORTS = ["socket", "http"]


def nested(depth: int) -> Any:
    """Return a list in a list and so on; the payload around it is one level more."""
    value: Any = []
    for _ in range(depth - 2):
        value = [value]
    return value


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("extra", "code"),
    [
        (nested(32), "not_found"),  # which is as far as an event of a chat that does not exist can come
        (nested(33), "bad_request"),
        (SAFE, "not_found"),
        (-SAFE, "not_found"),
        (SAFE + 1, "bad_request"),
        (-SAFE - 1, "bad_request"),
        (float(SAFE), "not_found"),
        (float(SAFE) * 2, "bad_request"),
        (1.7976931348623157e308, "bad_request"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_depth_and_numbers(cast: Cast, transport: str, extra: Any, code: str) -> None:
    client = await cast.over(transport)
    for value in (extra, [extra] if not isinstance(extra, list) else extra):
        ack = await client.call("attempt_stop", chat_id=new(), extra=value)
        assert ack["error"]["code"] == code


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("length", "code"), [(64, "not_found"), (65, "not_found")])
async def test_names_of_events(cast: Cast, transport: str, length: int, code: str) -> None:
    client = await cast.over(transport)
    name = "x" * length
    error = (await client.call(name, chat_id=new()))["error"]
    if isinstance(client, Socket) and length > 64:
        assert error["code"] == "bad_request"
        assert "64" in error["message"]
    else:
        assert error["code"] == code
        assert (name in error["message"]) == (length <= 64)


@pytest.mark.parametrize("beyond", [0, 1])
async def test_the_size_of_a_message_over_a_websocket(server: Server, cast: Cast, beyond: int) -> None:
    async with aiohttp.ClientSession() as http:
        ws = await http.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
        assert (await text(ws)).startswith("0")
        await ws.send_str("40" + orjson.dumps({"token": server.token(cast.learner_id)}).decode())
        await text(ws)
        await text(ws)
        start = f'421["attempt_stop",{{"chat_id":"{new()}","x":"'
        await ws.send_str(start + "y" * (MAX_MESSAGE + beyond - len(start) - 3) + '"}]')
        if beyond:
            await closed(ws)
        else:
            assert body(await text(ws))[0] == "attempt_error"
            assert body(await text(ws))[0]["error"]["code"] == "not_found"
        await ws.close()


@pytest.mark.parametrize(("beyond", "status"), [(0, 404), (1, 413)])
async def test_the_size_of_a_message_over_http(server: Server, cast: Cast, beyond: int, status: int) -> None:
    start = f'{{"chat_id":"{new()}","x":"'
    message = start + "y" * (MAX_MESSAGE + beyond - len(start) - 2) + '"}'
    headers = {"Authorization": f"Bearer {server.token(cast.learner_id)}"}
    address = f"{server.url}/socket/v5/client/attempt/stop"
    async with (
        aiohttp.ClientSession() as http,
        http.post(address, data=message, headers=headers) as response,
    ):
        assert response.status == status


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_one_room_too_many_is_a_conflict(cast: Cast, transport: str) -> None:
    starter = await cast.http()
    talks = [await begin(starter) for _ in range(MAX_ROOMS)]
    client = await cast.over(transport)
    for talk in talks[:-1]:  # one's own room is the first
        await client.send("attempt_join", chat_id=talk.chat_id)
    for event in ("attempt_join", "room_join"):
        named = {"room": talks[-1].room} if event == "room_join" else {"chat_id": talks[-1].chat_id}
        ack = await client.call(event, **named)
        check_failure(client, ack, "conflict")
    await client.send("attempt_join", chat_id=talks[0].chat_id)  # joined already
    await client.send("attempt_leave", chat_id=talks[0].chat_id)
    await client.send("attempt_join", chat_id=talks[-1].chat_id)
