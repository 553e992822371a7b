"""Before any event: who is let in, and what is not an event at all."""

from typing import Any

import aiohttp
import pytest
import socketio

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import begin, check_failure, refused
from tests.support.clients import http_client, socket
from tests.support.running import Server, practice, running, settings_for

START = "/socket/v5/client/attempt/start"


async def refusal_of(url: str, auth: dict[str, Any]) -> str:
    """Connect a socket that is not let in, and return the reason."""
    client = socketio.AsyncClient(reconnection=False)
    reasons: list[Any] = []
    client.on("connect_error", reasons.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(url, auth=auth, transports=["websocket"])
    await client.shutdown()
    return str(reasons[0]["message"])


@pytest.mark.parametrize("name", ["attempt_begin", "", "attempt", "__class__", "x" * 65])
async def test_an_event_that_does_not_exist_is_answered(server: Server, cast: Cast, name: str) -> None:
    learner = await cast.learner()
    ack = await learner.call(name, practice_id=practice("one"))
    assert ack["success"] is False
    assert ack["error"]["code"] in ("not_found", "bad_request")
    error = await learner.until("attempt_error")
    assert error["code"] == ack["error"]["code"]
    assert error.get("type") is None
    assert len(learner.named("attempt_error")) == 1


async def test_the_path_spelling_is_the_same_event(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    for name in ("attempt/start", "/socket/v5/client/attempt/start", "attempt_start"):
        await learner.send(name, practice_id=practice("one"))
    assert (await learner.until("attempt_chat_started", count=3))["chat_id"]


@pytest.mark.parametrize(
    "argument", [None, (), ({}, {}), "text", 5, True, [[]], [{"practice_id": "x"}], b"bytes"]
)
async def test_what_is_not_one_object_is_answered(server: Server, cast: Cast, argument: Any) -> None:
    learner = await cast.learner()
    ack = await learner.client.call("attempt_start", argument, timeout=10)
    check_failure(learner, ack, "bad_request")
    assert (await learner.until("attempt_error"))["code"] == "bad_request"


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b"{", b"\xff", b"{} {}", b"[" * 5_000])
async def test_a_body_that_is_not_one_object_is_answered(server: Server, cast: Cast, body: bytes) -> None:
    client = await cast.http(connect=False)
    async with (
        aiohttp.ClientSession(headers=client.headers) as http,
        http.post(server.url + START, data=body) as response,
    ):
        client.status = response.status
        check_failure(client, await response.json(), "bad_request")


async def test_an_event_without_an_ack_is_answered_all_the_same(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    await learner.client.emit("attempt_start", {"practice_id": practice("one")})
    assert (await learner.until("attempt_chat_started"))["offset"]
    await learner.client.emit("attempt_start", {"practice_id": new()})
    assert (await learner.until("attempt_error"))["code"] == "not_found"


async def test_unknown_events_over_http(server: Server, cast: Cast) -> None:
    client = await cast.http()
    for path in ("attempt/begin", "generate/nothing", "attempt"):
        await refused(client, path, "not_found")


async def test_a_guest_owns_only_what_it_made(server: Server, cast: Cast) -> None:
    guest, other = await cast.guest(), await cast.guest()
    confirmed = guest.named("connection_confirmed")[0]
    assert confirmed["guest_id"]
    assert confirmed.get("profile_id") is None
    assert confirmed["role"] == "learner"
    talk = await begin(guest)
    await talk.say()
    await refused(other, "attempt_message", "not_found", **talk.ids, message="Hi")
    again = await cast.guest(guest_id=confirmed["guest_id"])
    await again.send("attempt_message", **talk.ids, message="Hi")


async def test_a_guest_over_http(server: Server, cast: Cast) -> None:
    async with http_client(server.url) as guest:
        await guest.connect()
        talk = await begin(guest)
        await talk.say()
        async with http_client(server.url) as other:
            other.headers = {"X-Guest-Id": new()}
            ack = await other.call("attempt/message", **talk.ids, message="Hi")
            check_failure(other, ack, "not_found")


async def test_tokens_that_are_not_taken(server: Server, cast: Cast) -> None:
    own = server.app[keys.ACCESS]
    expired = own.mint(role="learner", profile_id=new(), seconds=-1)
    tokens = {
        expired: "expired",
        expired[:-2]: "not valid",
        "nonsense": "not valid",
        "gr_nobody": "not known",
        own.mint(role="king", profile_id=new(), seconds=60): "role",  # type: ignore[arg-type]
        own.mint(role="learner", profile_id="me", seconds=60): "not valid",
    }
    for token, reason in tokens.items():
        assert reason in await refusal_of(server.url, {"token": token})
        async with http_client(server.url, token=token) as client:
            error = check_failure(client, await client.call("attempt/start"), "unauthenticated")
            assert reason in error["message"]
    for auth in ({"token": 5}, {"token": ["x"]}, {"guest_id": "me"}, {"guest_id": 5}):
        assert await refusal_of(server.url, auth)


async def test_without_guests_a_token_is_needed(mongod_url: str, server: Server) -> None:
    settings = settings_for(mongod_url, server.model_url + "/v1")
    async with running(settings, guests=False) as (url, _):
        assert "token is needed" in await refusal_of(url, {})
        async with http_client(url) as client:
            check_failure(client, await client.call("attempt/start"), "unauthenticated")


async def test_an_api_key_is_as_good_as_a_token(server: Server) -> None:
    profile = new()
    key = await server.app[keys.ACCESS].create_key(role="author", profile_id=profile)
    async with socket(server.url, {"token": key}) as author:
        assert author.named("connection_confirmed")[0]["role"] == "author"
        talk = await begin(author)
    async with http_client(server.url) as client:
        client.headers = {"X-API-Key": key}
        await client.send("attempt/message", **talk.ids, message="Hi")


async def test_a_token_in_the_address(server: Server) -> None:
    token = server.token(new())
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.url}{START}?token={token}", json={"practice_id": practice("one")}) as response,
    ):
        assert (await response.json())["success"]


async def test_sessions_are_their_owners(server: Server, cast: Cast) -> None:
    mine = await cast.http()
    async with http_client(server.url, token=server.token(new())) as other:
        other.headers["X-Session-Id"] = mine.headers["X-Session-Id"]
        ack = await other.call("attempt/start", practice_id=practice("one"))
        check_failure(other, ack, "not_found")
