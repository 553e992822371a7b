"""Pages of other sites, and clients that show nothing."""

from urllib.parse import urlsplit

import aiohttp
import pytest

from server.engine.ids import new
from tests.attacks.node import Node
from tests.attacks.table import Attack
from tests.transports.socketio.serving import closed, text


async def refused(node: Node, origin: str) -> None:
    """Try every way in, as a page of an origin; none of them may be of use to it."""
    sent = {"Origin": origin}
    for method in ("GET", "POST", "OPTIONS"):
        async with node.http.request(method, node.address(), headers=sent) as response:
            assert response.status == 403, (method, origin)
            assert "Access-Control-Allow-Origin" not in response.headers
    with pytest.raises(aiohttp.WSServerHandshakeError) as denied:
        await node.http.ws_connect(node.address("websocket"), headers=sent)
    assert denied.value.status == 403
    for path in ("/socket/v5/client/connect", "/api/v1/practices", "/metrics"):
        async with node.http.get(node.url + path, headers=sent) as response:
            assert "Access-Control-Allow-Origin" not in response.headers, path
    assert await node.connections() == 0


async def foreign(node: Node) -> None:
    for origin in ("https://evil.example", "https://example.org", "chrome-extension://abcdef", "*"):
        await refused(node, origin)


async def null(node: Node) -> None:
    for origin in ("null", "NULL", ""):
        await refused(node, origin)


async def lookalike(node: Node) -> None:
    """The listed origin, https://app.example.org, and the server's own, nearly."""
    here = urlsplit(node.url)
    for origin in (
        "https://app.example.org.evil.example",
        "https://app.example.org:8443",
        "https://app.example.org@evil.example",
        "http://app.example.org",
        "https://xapp.example.org",
        "https://app\u200b.example.org",
        f"http://{here.hostname}",
        f"http://{here.netloc}.evil.example",
        f"http://evil.example:{here.port}",
        f"https://{here.netloc}",
        f"ws://{here.netloc}",
    ):
        await refused(node, origin)


async def forwarded(node: Node) -> None:
    """A page cannot make its origin the server's by naming another host behind a proxy."""
    for name in ("X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-Host"):
        value = "host=evil.example" if name == "Forwarded" else "evil.example"
        sent = {"Origin": "https://evil.example", name: value, "X-Forwarded-Proto": "https"}
        async with node.http.get(node.address(), headers=sent) as response:
            assert response.status == 403, name


async def missing_without_token(node: Node) -> None:
    """Without an origin no page is involved, and without a token nobody is let in."""
    wire = await node.http.ws_connect(node.address("websocket"))
    assert (await text(wire)).startswith("0")
    for auth in ("", "{}", '{"token":null}', '{"guest_id":"' + new() + '"}'):
        await wire.send_str("40" + auth)
        assert "A token is needed" in (answer := await text(wire)), auth
        assert answer.startswith("44"), answer
    await wire.send_str("420" + '["attempt_leave",{}]')
    await closed(wire)
    for event in ("connect", "attempt/start", "attempt_leave"):
        status, body = await node.ask(event, {})
        assert (status, body["error"]["code"]) == (401, "unauthenticated")
    for path in ("attempts", "practices", "rooms"):
        async with node.http.get(f"{node.url}/api/v1/{path}") as response:
            assert response.status == 401, path


ATTACKS = [
    Attack(run=foreign),
    Attack(run=null),
    Attack(run=lookalike),
    Attack(run=forwarded),
    Attack(run=missing_without_token, strict=True),
]
