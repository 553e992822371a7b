"""Handshakes of other versions, in the name of other sessions, and with what does not belong into them."""

import aiohttp
import orjson
import pytest

from tests.attacks.node import Node
from tests.attacks.raw import request, status
from tests.attacks.table import Attack
from tests.transports.socketio.serving import closed, text

OTHER_VERSIONS = ("EIO=3&", "", "EIO=&", "EIO=5&", "EIO=04&", "EIO=4.0&", "EIO=%34%00&", "EIO[]=4&")


async def refused_upgrade(node: Node, address: str) -> int:
    """Return how a WebSocket was refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as denied:
        await node.http.ws_connect(address)
    return denied.value.status


async def other_version(node: Node) -> None:
    for version in OTHER_VERSIONS:
        for transport in ("polling", "websocket"):
            address = f"{node.url}/socket.io/?{version}transport={transport}"
            async with node.http.get(address) as response:
                assert response.status == 400, address
                body = await response.json()
            assert body["code"] == 5
            assert "Engine.IO 4" in body["message"]
            assert await refused_upgrade(node, address) == 400
    assert await node.connections() == 0


async def other_version_on_upgrade(node: Node) -> None:
    sid = await node.polling(node.token())
    for version in OTHER_VERSIONS:
        address = f"{node.url}/socket.io/?{version}transport=websocket&sid={sid}"
        assert await refused_upgrade(node, address) == 400
        async with node.http.post(address.replace("websocket", "polling"), data="1") as response:
            assert response.status == 400
    async with node.http.get(node.address(sid=sid)) as response:
        assert (await response.read()).startswith(b"40{")  # the session itself is as it was
    assert (await node.post(sid, "1"))[0] == 200


async def unknown_transport(node: Node) -> None:
    for query in ("", "transport=", "transport=flash", "transport=webtransport", "transport=polling&j=0"):
        async with node.http.get(f"{node.url}/socket.io/?EIO=4&{query}") as response:
            assert response.status == 400, query
            assert (await response.json())["code"] in (0, 3)
    for method in ("PUT", "DELETE", "PATCH", "POST", "PROPFIND"):
        async with node.http.request(method, node.address(), data="40") as response:
            assert (response.status, (await response.json())["code"]) == (400, 2)


async def unknown_sid(node: Node) -> None:
    sid = await node.polling()
    prefix = sid.partition(".")[0]
    for guess in (
        "", "x", prefix, f"{prefix}.", f"{prefix}.guessed", sid[:-1], sid + "x", sid.swapcase(), sid + "%00",
        "other-deadbeef.x", "../../etc/passwd", "..%2f..%2fserver.lock", "-../aaaaaaaa.x", "%f0%28%8c%28",
        "a" * 7000, "__proto__", "{}", "1;2",
    ):  # fmt: skip
        for send in ("get", "post"):
            async with node.http.request(send, node.address(sid=guess), data="40") as response:
                assert (response.status, (await response.json())["code"]) == (400, 1), guess
        assert await refused_upgrade(node, node.address("websocket", sid=guess)) == 400
    assert await node.connections() == 1
    assert (await node.post(sid, "1"))[0] == 200


async def foreign_sid(node: Node) -> None:
    """What everybody hears of others names no session: a Socket.IO sid, another process's session."""
    assert node.other is not None
    wire = await node.http.ws_connect(node.address("websocket"))
    opened = orjson.loads((await text(wire))[1:])
    await wire.send_str("40" + orjson.dumps({"token": node.token()}).decode())
    answered = orjson.loads((await text(wire))[2:])
    elsewhere = await node.other.polling()
    for guess in (answered["sid"], elsewhere, elsewhere.partition(".")[2], opened["sid"].partition(".")[2]):
        assert (await node.post(guess, "1"))[0] == 400
        assert await refused_upgrade(node, node.address("websocket", sid=guess)) == 400
    thief = await node.http.ws_connect(node.address("websocket", sid=opened["sid"]))
    await closed(thief)  # a second WebSocket of a session is of no use, even to who knows its id
    async with node.http.get(node.address(sid=opened["sid"])) as response:
        assert response.status == 400
    await wire.send_str("420" + '["attempt_leave",{}]')
    while not (await text(wire)).startswith("430["):
        pass
    await wire.close()
    assert (await node.other.post(elsewhere, "1"))[0] == 200


async def line_breaks(node: Node) -> None:
    """Nothing that is sent comes back as a header, or as a request of its own."""
    inside = "x%0d%0aSet-Cookie:%20stolen=1%0d%0a%0d%0aHTTP/1.1%20200%20OK"
    path = "/socket.io/?EIO=4&transport=polling"
    for line in (
        f"{path}&sid={inside}",
        f"/socket.io/?EIO=4{inside}&transport=polling",
        f"/socket.io/?EIO=4&transport={inside}",
        f"{path}&sid=x\r\nSet-Cookie: stolen=1",
        f"{path}&sid=x\nSet-Cookie: stolen=1",
        f"{path}&sid=x\rSet-Cookie: stolen=1",
        f"{path}&sid=x\0",
        f"/socket/v5/stream/{inside}?key=x",
    ):
        head, _, _ = (answer := await node.exchange(request(line))).partition(b"\r\n\r\n")
        assert status(answer) in (400, 401, 404), (line, answer)
        assert b"stolen" not in head.lower()
        assert head.count(b"HTTP/") == 1
    for header in (
        "Origin: http://x\r\n y",
        "Origin: a\rb",
        "X-Session-Id: a\nb",
        "Authorization: Bearer a\0b",
    ):
        answer = await node.exchange(request(f"{path}&sid=x", header))
        assert status(answer) in (400, 403), header


async def smuggled(node: Node) -> None:
    """A body whose length is told twice is no second request."""
    inner = "POST /socket/v5/client/connect HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    path = "/socket.io/?EIO=4&transport=polling&sid=x"
    for headers in (
        (f"Content-Length: {len(inner)}", "Transfer-Encoding: chunked"),
        ("Content-Length: 0", f"Content-Length: {len(inner)}"),
        ("Content-Length: +5",),
        ("Content-Length: -1",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
    ):
        answer = await node.exchange(
            request(path, *headers, method="POST", body=b"0\r\n\r\n" + inner.encode())
        )
        assert b"session_id" not in answer, headers
        assert status(answer) in (400, 501), (headers, answer)


ATTACKS = [
    Attack(run=other_version),
    Attack(run=other_version_on_upgrade),
    Attack(run=unknown_transport),
    Attack(run=unknown_sid),
    Attack(run=foreign_sid),
    Attack(run=line_breaks),
    Attack(run=smuggled),
]
