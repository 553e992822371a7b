"""What somebody tries who means harm: each gets a clear answer, and the others notice nothing."""

import asyncio
import time
from urllib.parse import urlsplit

import aiohttp
import jwt
import orjson
import pytest
import socketio

from schemas.envelope import Role
from server.engine.conversation.utterance import MAX_LENGTH
from server.engine.ids import new
from server.engine.packs import PackError, read_pack
from tests.conftest import Cast
from tests.support.attempts import begin
from tests.support.clients import socket
from tests.support.running import SECRET, Server


async def post(
    server: Server, path: str, body: bytes, **headers: str
) -> tuple[int, dict[str, dict[str, str]]]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{server.url}{path}", data=body, headers=headers, skip_auto_headers=("Content-Type",)
        ) as got,
    ):
        return got.status, await got.json()


async def test_an_endless_reply_is_cut_and_the_chat_goes_on(server: Server, cast: Cast) -> None:
    await server.script({"match": {"last_contains": "flood"}, "chunks_count": 200, "chunk_text": "y" * 1000})
    watcher = await cast.author()
    talk = await begin(await cast.learner())
    await watcher.send("attempt_join", chat_id=talk.chat_id)
    for _ in range(2):
        done = await talk.say("flood")
        assert len(done["content"]) == MAX_LENGTH
        await watcher.until("attempt_assistant_complete", message_id=done["message_id"])


async def test_a_snapshot_of_control_characters_cuts_nobody_off(server: Server, cast: Cast) -> None:
    await server.script({"reply": "I see."})
    author = await cast.author()
    talk = await begin(await cast.learner())
    for _ in range(4):
        await talk.say("a" + "\x01" * 31_990)
    joined = await author.send("attempt_join", chat_id=talk.chat_id)
    assert joined["snapshot"]["more"] is True
    assert 0 < len(orjson.dumps(joined["snapshot"])) < 512 * 1024
    await author.until("attempt_joined", chat_id=talk.chat_id)
    assert author.client.connected


@pytest.mark.parametrize("changed", [{"exp": 10**400}, {"org": "\ud800"}, {"org": ""}, {"org": "a" * 65}])
async def test_odd_claims_are_refused_with_a_reason(server: Server, changed: dict[str, object]) -> None:
    claims = {"sub": new(), "role": "learner", "exp": int(time.time()) + 60, **changed}
    token = jwt.encode(claims, SECRET.get_secret_value(), algorithm="HS256")
    status, body = await post(server, "/socket/v5/client/connect", b"{}", Authorization=f"Bearer {token}")
    assert (status, body["error"]["code"]) == (401, "unauthenticated")
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with socket(server.url, {"token": token}):
            pytest.fail("it was let in")


@pytest.mark.parametrize("authorization", ["Bearer ", "Basic eDp5", "Bearer"])
async def test_an_empty_or_foreign_credential_is_no_guest(server: Server, authorization: str) -> None:
    status, body = await post(server, "/socket/v5/client/connect", b"{}", Authorization=authorization)
    assert (status, body["error"]["code"]) == (401, "unauthenticated")


async def test_an_empty_token_is_no_guest(server: Server) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with socket(server.url, {"token": ""}):
            pytest.fail("it was let in")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
async def test_a_body_that_cannot_be_decoded_is_a_bad_request(server: Server, encoding: str) -> None:
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    status, body = await post(server, "/socket/v5/client/connect", b"\xff\xfe\xfd\xfc", **headers)
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_a_wrong_method_is_answered_in_json(server: Server) -> None:
    status, body = await post(server, "/health/live", b"")
    assert status == 405
    assert "GET" in body["error"]["message"]


@pytest.mark.parametrize("role", ["learner", "ops"])
async def test_a_token_of_another_role_cannot_refresh_a_connection(
    server: Server, cast: Cast, role: Role
) -> None:
    author = await cast.author()
    ack = await author.call("auth_refresh", token=server.token(cast.author_id, role=role))
    assert ack["error"]["code"] == "forbidden"
    ack = await author.call("auth_refresh", token=server.token(cast.author_id, role="author"))
    assert ack["success"]


@pytest.mark.parametrize("number", ["0x" + "f" * 20_000, "0b" + "1" * 200_000, "9" * 5_000])
def test_a_number_of_endless_digits_is_a_problem_of_the_pack(number: str) -> None:
    source = (
        "pack: {id: p, name: P}\nrubrics:\n  r:\n    name: R\n    pass_points: " + number + "\n"
        "    groups: {g: {name: G, pass_points: 1, standards: [{level: 1, points: 1, description: D}]}}\n"
    )
    with pytest.raises(PackError) as refused:
        read_pack(source, file="p.yaml")
    assert [p.path for p in refused.value.problems] == ["rubrics.r.pass_points"]


@pytest.mark.parametrize("name", ["X-API-Key: gr_", "Authorization: Bearer gr_", "Authorization: Bearer "])
async def test_a_credential_of_odd_bytes_is_refused(server: Server, name: str) -> None:
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"GET /api/v1/rooms HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}"
    writer.write(head.encode() + b"\xff\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"401"
    writer.close()
    await writer.wait_closed()
