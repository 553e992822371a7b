"""Packets that no client sends, reserved names, and names of things that are no events."""

import orjson

from schemas.envelope import MAX_SAFE_INTEGER
from server.engine.ids import new
from tests.attacks.node import Node, call, code_of
from tests.attacks.raw import masked, upgrade
from tests.attacks.table import Attack
from tests.transports.socketio.serving import closed, text

MALFORMED = (
    "4abc", "42{}", "42[]", "42[1]", "9", "", "44{}",
    "4", "42", "0", "5", "2", "x", "43", "42null", '42"x"', "42[null]", '42[["x"]]', '42[{"a":1}]',
    "42[true]", "47[]", "49", "4-1", '42-1["x"]', '4251-["x"]', "40x", "40[]", "40null", '40{"token":', "40",
    "400{}", "41x", '44{"message":"x"}', "43[]", "430", "430{}", '451["x"]', '450-["x"]', '45-["x"]',
    '4511-["x"]', '45999-["x"]', '42/nowhere,["x"]', "41/nowhere,", '42/a\n,["x"]',
    "42/" + "n" * 70 + ',["x"]', '4212345678901234567["x"]', '42\u0661["x"]', "4 2[]", " 42[]",
    "4\u20082[]", "b", "bAAA=", "1\x1e2",
)  # fmt: skip
RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
ARGUMENTS: tuple[list[object], ...] = (
    [],
    ["x"],
    [{"REMOTE_ADDR": "10.0.0.1"}, {"token": "forged"}],
    [{}, {}, {}],
)
WRONG_ARGUMENTS: tuple[list[object], ...] = (
    [], [None], [1], [True], ["x"], [[]], [{}, {}], [{}, {}, {}], [{}, "0.0~x"], [MAX_SAFE_INTEGER],
)  # fmt: skip
NO_EVENTS = (
    "__class__", "__init__", "__dict__", "__proto__", "constructor", "run", "emit", "*", "message", "attempt",
    "attempt_", "_attempt_message", "attempt_message ", "attempt_message\0", "ATTEMPT_MESSAGE",
    "attempt-message", "attempt_audio", "handles", "base", "HANDLERS", "connection_confirmed", "ping", "",
    "attempt_started", "/", "../attempt_message", "/socket/v5/client/__class__", "\x1b[31m", "%s",
    "/socket/v5/server/attempt/started", "a" * 64, "a" * 65, "a" * 10_000, "attempt_message\u202e",
    "{0.__class__}", "${jndi:ldap://x}",
)  # fmt: skip


async def malformed(node: Node) -> None:
    """Each closes the connection that it came over, and no other."""
    for packet in MALFORMED:
        wire = await node.websocket()
        await wire.send_str(packet)
        await closed(wire)
    for part in (b"", b"\0", b"42[]"):
        wire = await node.websocket()
        await wire.send_bytes(part)  # which no packet has announced
        await closed(wire)


async def malformed_by_polling(node: Node) -> None:
    for packet in [*MALFORMED, "b!", "b" * 3, "\x1e", "6\x1e\x1e6", '42["attempt_leave",{}]\x1e9']:
        if packet in ("1\x1e2", "bAAA="):
            continue  # a goodbye, and bytes that are looked at below
        sid = await node.polling(node.token())
        async with node.http.get(node.address(sid=sid)) as response:
            assert (await response.read()).startswith(b"40{")
        status, _ = await node.post(sid, packet)
        async with node.http.get(node.address(sid=sid)) as response:
            last = await response.read()
            assert 400 in (status, response.status) or last.split(b"\x1e")[-1] == b"1", (packet, last)
        async with node.http.get(node.address(sid=sid)) as response:
            assert response.status == 400
    for body in (b"\xff\xfe", b"4\x80", b'42["\xed\xa0\x80"]', b"bAAA="):
        sid = await node.polling(node.token())
        assert (await node.post(sid, body))[0] == 400, body


async def malformed_websocket(node: Node) -> None:
    """Frames that break WebSocket itself: unmasked, reserved bits, endless, fragments out of order."""
    path = "/socket.io/?EIO=4&transport=websocket"
    for frames in (
        b"\x81\x0242",
        b"\xc1\x82\0\0\0\x0042",
        b"\x83\x80\0\0\0\0",
        b"\x80\x80\0\0\0\0",
        b"\x81\xff" + b"\xff" * 8 + bytes(4),
        b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4),
        b"\x09\x80\0\0\0\0",
        b"\x89\xfe\x01\x00" + bytes(4) + bytes(256),
        b"\x01\x81\0\0\0\x004" + masked(b"4"),
        masked(b'42["\xff"]'),
        masked(b"\0", opcode=8),
        masked(b"\x03\xe8\xff\xff", opcode=8),
    ):
        reader, writer = await node.connection()
        writer.write(upgrade(path))
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(frames)
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
        writer.transport.abort()


async def reserved_names(node: Node) -> None:
    """None of the library's handlers runs: the connection ends, and identities stay the server's own."""
    for name in RESERVED:
        for arguments in ARGUMENTS:
            wire = await node.websocket()
            await wire.send_str("42" + orjson.dumps([name, *arguments]).decode())
            await closed(wire)
        sid = await node.polling(node.token())
        assert (await node.post(sid, f'421["{name}",{{}}]'))[0] in (200, 400)
        status, body = await node.ask(name, {}, token=node.token())
        assert (status, body["success"]) in ((200, True), (400, False), (404, False)), name


async def unknown_events(node: Node) -> None:
    """Each is answered as unknown, and the connection goes on."""
    wire, token = await node.websocket(), node.token()
    for name in NO_EVENTS:
        ack = await call(wire, name, {})
        assert code_of(ack) in ("not_found", "bad_request"), name
        assert len(orjson.dumps(ack)) < 500
        assert "\x1b" not in ack["error"]["message"]
    for name in (
        "__class__",
        "attempt/__class__",
        "attempt/message/x",
        "connect/x",
        "%2e%2e/attempt_message",
    ):
        status, body = await node.ask(name, {}, token=token)
        assert (status, code_of(body)) == (404, "not_found"), name
    assert (await call(wire, "attempt_leave", {"chat_id": new()}))["success"]
    await wire.close()


async def wrong_arguments(node: Node) -> None:
    wire = await node.websocket()
    for arguments in WRONG_ARGUMENTS:
        assert code_of(await call(wire, "attempt_leave", *arguments)) == "bad_request", arguments
    for body in (b"[]", b"1", b"null", b'"x"', b"{", b"\xff", b"{}{}", b"{} x"):
        status, answer = await node.ask("attempt/leave", body, token=node.token())
        assert (status, code_of(answer)) == (400, "bad_request"), body
    await wire.close()


async def second_connects(node: Node) -> None:
    """One CONNECT a namespace, refusals are counted, and nothing is served before one."""
    wire = await node.websocket()
    await wire.send_str("40" + orjson.dumps({"token": node.token(role="admin")}).decode())
    await closed(wire)
    wire = await node.http.ws_connect(node.address("websocket"))
    assert (await text(wire)).startswith("0")
    for number in range(5):
        namespace = ("/admin", "/socket.io", "/__proto__", "/%2e", "/x")[number]
        await wire.send_str(f"40{namespace},{{}}")
        assert (await text(wire)) == f'44{namespace},{{"message":"Invalid namespace"}}'
    await closed(wire)
    wire = await node.http.ws_connect(node.address("websocket"))
    assert (await text(wire)).startswith("0")
    await wire.send_str('420["attempt_leave",{}]')
    await closed(wire)


ATTACKS = [
    Attack(run=malformed),
    Attack(run=malformed_by_polling),
    Attack(run=malformed_websocket),
    Attack(run=reserved_names),
    Attack(run=unknown_events),
    Attack(run=wrong_arguments),
    Attack(run=second_connects),
]
