"""The cases of the Socket.IO 5 protocol suite."""

import asyncio

import orjson
import pytest

from tests.transports.socketio.serving import Serving, closed, text


@pytest.mark.parametrize(
    ("connect", "prefix", "auth"),
    [
        ("40", "", {}),
        ('40{"token":"123"}', "", {"token": "123"}),
        ("40/custom", "/custom,", {}),
        ("40/custom,", "/custom,", {}),
        ('40/custom,{"token":"abc"}', "/custom,", {"token": "abc"}),
        ('40/custom?a=b,{"token":"abc"}', "/custom,", {"token": "abc"}),
    ],
)
async def test_connect(server: Serving, connect: str, prefix: str, auth: dict[str, str]) -> None:
    ws = await server.open_websocket()
    await ws.send_str(connect)
    answer = await text(ws)
    assert answer.startswith("40" + prefix)
    assert orjson.loads(answer.removeprefix("40" + prefix)).keys() == {"sid"}
    assert await text(ws) == f"42{prefix}" + orjson.dumps(["auth", auth]).decode()


async def test_an_unknown_namespace_is_refused(server: Serving) -> None:
    ws = await server.open_websocket()
    await ws.send_str("40/random")
    assert await text(ws) == '44/random,{"message":"Invalid namespace"}'
    await ws.send_str("40")
    assert (await text(ws)).startswith("40")


@pytest.mark.parametrize("packet", ["4abc", "40[]", '40"x"', "40{", "4012", "4", "47", "44{}"])
async def test_an_invalid_handshake_closes(server: Serving, packet: str) -> None:
    ws = await server.open_websocket()
    await ws.send_str(packet)
    await closed(ws)
    await server.gone()


async def test_no_connect_in_time_closes(server: Serving) -> None:
    ws = await server.open_websocket()
    started = asyncio.get_running_loop().time()
    await closed(ws, pongs=True)
    assert asyncio.get_running_loop().time() - started >= 0.9
    assert server.server.eio.ended == {"overdue": 1}


async def test_disconnect_the_main_namespace(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str("41")
    assert await text(ws, pings=True) == "2"
    assert set(server.app.gone) == set(server.app.clients)


async def test_disconnect_a_custom_namespace_keeps_the_main_one(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str("40/custom")
    assert (await text(ws)).startswith("40/custom,")
    assert await text(ws) == '42/custom,["auth",{}]'
    await ws.send_str("41/custom")
    await ws.send_str('42["message","message to main namespace"]')
    assert await text(ws) == '42["message-back","message to main namespace"]'
    assert server.app.gone == [server.app.clients[1]]


async def test_text_event(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str('42["message",1,"2",{"3":[true]}]')
    assert await text(ws) == '42["message-back",1,"2",{"3":[true]}]'


TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


async def test_binary_event_with_two_attachments(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str(f'452-["message",{TWO}]')
    await ws.send_bytes(b"\x01\x02\x03")
    await ws.send_bytes(b"\x04\x05\x06")
    assert await text(ws) == f'452-["message-back",{TWO}]'
    assert [(await ws.receive()).data for _ in range(2)] == [b"\x01\x02\x03", b"\x04\x05\x06"]


async def test_text_ack(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await text(ws) == '43456[1,"2",{"3":[false]}]'


async def test_ack_in_a_custom_namespace(server: Serving) -> None:
    ws = await server.open_websocket(connect="40/custom")
    await ws.send_str('42/custom,7["message-with-ack",1]')
    assert await text(ws) == "43/custom,7[1]"


async def test_binary_ack(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str(f'452-789["message-with-ack",{TWO}]')
    await ws.send_bytes(b"\x01\x02\x03")
    await ws.send_bytes(b"\x04\x05\x06")
    assert await text(ws) == f"462-789[{TWO}]"
    assert [(await ws.receive()).data for _ in range(2)] == [b"\x01\x02\x03", b"\x04\x05\x06"]


@pytest.mark.parametrize(
    "packet",
    [
        "4abc", "42{}", '42abc["message-with-ack",1]', "42", "42[]", "42[1]", "42null", '421"x"', "43",
        "43[]", "45[]", '450-["x"]', '421-["x"]', '42["connect",{},{}]', '42["disconnect","x"]',
        '42["connect_error"]', '42["disconnecting"]', '42/custom,["message"]', '42/other,["message"]', "40",
        "41/other", "41{}",
        '4212345678901234567["message-with-ack"]', '42١["message-with-ack"]', '4511-["message"]',
    ],
)  # fmt: skip
async def test_what_is_not_the_protocol_closes(server: Serving, packet: str) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str(packet)
    await closed(ws)
    await server.gone()
    assert server.server.eio.ended == {"parse error": 1}
    assert set(server.app.gone) == set(server.app.clients)


async def test_acks_that_nobody_asked_for_are_ignored(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str("437[1]")
    await ws.send_str('461-8[{"_placeholder":true,"num":0}]')
    await ws.send_bytes(b"x")
    await ws.send_str('42["message",1]')
    assert await text(ws) == '42["message-back",1]'


@pytest.mark.parametrize(
    "messages",
    [
        [b"stray"],
        ['451-["message",{"_placeholder":true,"num":0}]', "42[]"],
        ['451-["message",{"_placeholder":true,"num":1}]', b"x"],
        ['451-["message",{"_placeholder":true,"num":-1}]', b"x"],
        ['451-["message",{"_placeholder":true,"num":"0"}]', b"x"],
        ['451-["message",{"_placeholder":true}]', b"x"],
        ['451-["message",' + "[" * 100 + "]" * 100 + "]", b"x"],
        ['452-["message"]', bytes(600_000), bytes(600_000)],
    ],
)
async def test_wrong_attachments_close(server: Serving, messages: list[str | bytes]) -> None:
    ws = await server.open_websocket(connect="40")
    for message in messages:
        await (ws.send_str(message) if isinstance(message, str) else ws.send_bytes(message))
    await closed(ws)
    await server.gone()
    assert server.server.eio.ended == {"parse error": 1}


async def test_attachments_that_do_not_come_close(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str('452-["message"]')
    await ws.send_bytes(b"one")
    await closed(ws, pongs=True)
    await server.gone()
    assert server.server.eio.ended == {"overdue": 1}


async def test_the_attachment_deadline_ends_with_the_last_one(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    await ws.send_str('451-["message"]')
    await ws.send_bytes(b"one")
    assert await text(ws) == '42["message-back"]'
    for _ in range(3):
        assert await text(ws, pings=True) == "2"
        await ws.send_str("3")


async def test_json_that_is_refused_does_not_close(server: Serving) -> None:
    ws = await server.open_websocket(connect="40")
    deep = "[" * 100_000
    for bad in ("NaN", "Infinity", '"\\ud800"', deep, "9" * 900_000, "{", '"\x01"'):
        await ws.send_str(f'42["message",{bad}]')
    await ws.send_str('42["message",1]')
    assert await text(ws) == '42["message-back",1]'
    assert [event.problem is not None for event in server.app.events] == [True] * 7 + [False]


async def test_a_server_that_is_about_to_stop_leaves_the_words_to_its_application(server: Serving) -> None:
    ws, idle = await server.open_websocket(connect="40"), await server.open_websocket()
    server.server.announce()
    await closed(idle)
    await ws.send_str('42["message",1]')
    assert await text(ws) == '42["message-back",1]'
