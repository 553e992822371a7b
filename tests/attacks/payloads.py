"""Payloads that are too deep, too long, ambiguous or of wrong types, and those at the limit and one over."""

import gzip
from collections.abc import AsyncIterator

import orjson

from handlers import HANDLERS
from server.engine.ids import new
from tests.attacks.node import Node, acked, call, code_of
from tests.attacks.raw import request, status
from tests.attacks.table import MB, Attack
from tests.events.test_wrong_types import cases, names_the_field, right
from tests.transports.socketio.serving import closed, text

LIMIT = 256 * 1024
ATTACHMENTS = 1_000_000
DEEP = 100_000
TOO_LONG = 900_000


def leave(inside: str) -> str:
    """Return an event with JSON as it is written."""
    return '427["attempt_leave",{"chat_id":"' + new() + '","more":' + inside + "}]"


async def refused(node: Node, inside: str, code: str = "bad_request") -> None:
    """Send an object that holds this JSON, by every way: it is refused, and the connection goes on."""
    wire = await node.websocket()
    await wire.send_str(leave(inside))
    assert code_of(await acked(wire)) == code, inside[:80]
    assert (await call(wire, "attempt_leave", {"chat_id": new()}, number=8))["success"]
    await wire.close()
    body = b'{"chat_id":"' + new().encode() + b'","more":' + inside.encode("utf-8", "surrogatepass") + b"}"
    answered, answer = await node.ask("attempt/leave", body, token=node.token())
    assert (answered, code_of(answer)) == (400, code), inside[:80]
    headers = {"Authorization": f"Bearer {node.token(role='author')}"}
    async with node.http.put(f"{node.url}/api/v1/personas/{new()}", data=body, headers=headers) as response:
        assert response.status == 400, inside[:80]


async def deep(node: Node) -> None:
    """100,000 levels in an event, in a CONNECT, in a body; also what is just too deep, and never closed."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        levels = min(DEEP, (LIMIT - 200) // len(opening + closing))
        await refused(node, opening * levels + "1" + closing * levels)
        await refused(node, opening * levels)
        await refused(node, opening * 32 + "1" + closing * 32)
        wire = await node.http.ws_connect(node.address("websocket"))
        assert (await text(wire)).startswith("0")
        await wire.send_str("40" + '{"token":' * 20_000 + "1" + "}" * 20_000)
        await closed(wire)
    wire = await node.websocket()
    await wire.send_str('457-["attempt_leave",' + "[" * 90_000 + "]" * 90_000 + "]")
    await closed(wire)


async def long_numbers(node: Node) -> None:
    """900,000 digits are too much for any message; fewer are no number that can be kept."""
    long = "9" * 200_000
    for digits in (
        long,
        f"-{long}",
        f"0.{long}e999",
        "1e999",
        "-1e999",
        "1" + "0" * 400,
        str(2**53 + 1),
        "1e16",
    ):
        await refused(node, digits)
    for token in ("NaN", "Infinity", "-Infinity", "0x10", "1_000", "01", "+1", ".5", "1."):
        await refused(node, token)
    wire = await node.websocket()
    await wire.send_str(leave("9" * TOO_LONG))
    await closed(wire)
    answered, answer = await node.ask("attempt/leave", b'{"a":' + b"9" * TOO_LONG + b"}", token=node.token())
    assert (answered, code_of(answer)) == (413, "too_large")
    sid = await node.polling(node.token())
    assert (await node.post(sid, leave("9" * TOO_LONG)))[0] == 413


async def lone_surrogates(node: Node) -> None:
    for escape in (r'"\ud800"', r'"\udfff"', r'"\ud800A"', r'"\udc00\ud800"', r'{"\ud800":1}', r'["\uDBFF"]'):
        await refused(node, escape)
    for body in (b'{"chat_id":"\xed\xa0\x80"}', b'{"chat_id":"\xff"}', b'{"chat_id":"\xc0\xaf"}'):
        answered, answer = await node.ask("attempt/leave", body, token=node.token())
        assert (answered, code_of(answer)) == (400, "bad_request")
        sid = await node.polling(node.token())
        assert (await node.post(sid, b'420["attempt_leave",' + body + b"]"))[0] == 400
    await refused(node, r'{"\u0000":1}')
    wire = await node.websocket()
    await wire.send_str(r'427["attempt_leave\ud800",{}]')
    assert code_of(await acked(wire)) == "bad_request"
    await wire.close()


async def duplicate_keys(node: Node) -> None:
    """The last one counts, for everybody who looks: what was checked is what is done."""
    async with node.victim() as talk:
        for transport in ("socket", "http"):
            own = f'"room":"profile_{new()}","room":"{talk.room}"'
            if transport == "socket":
                wire = await node.websocket()
                await wire.send_str('427["room_join",{' + own + "}]")
                ack = await acked(wire)
                await wire.close()
            else:
                _, ack = await node.ask("room/join", b"{" + own.encode() + b"}", token=node.token())
            assert code_of(ack) == "not_found"
        wire = await node.websocket()
        await wire.send_str(f'427["attempt_leave",{{"chat_id":1,"chat_id":[],"chat_id":"{new()}"}}]')
        assert (await acked(wire))["success"]
        await wire.send_str('427["attempt_leave",{"chat_id":"' + new() + '","chat_id":1}]')
        assert code_of(await acked(wire)) == "bad_request"
        await wire.close()


async def prototypes(node: Node) -> None:
    """Names that mean something to JavaScript or Python are ignored, and never told to others."""
    names = (
        "__proto__",
        "constructor",
        "prototype",
        "__class__",
        "__init__",
        "toString",
        "$where",
        "a.b",
        "$set",
    )
    more = {name: {"role": "admin", "isAdmin": True, "success": False} for name in names}
    async with node.victim() as talk, node.client(role="ops") as watcher:
        await watcher.send("attempt_join", chat_id=talk.chat_id)
        ack = await talk.client.call("attempt_message", **talk.ids, message="Hello.", **more)
        assert ack["success"]
        done = await watcher.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])
        join = await node.ask("attempt/join", {"chat_id": talk.chat_id}, token=node.token(node.victim_id))
        for told in (ack, done, join[1], *(data for _, data in watcher.seen)):
            assert not any(f'"{name}"'.encode() in orjson.dumps(told) for name in names), told
    sid_auth = orjson.dumps({"token": node.token(), **more}).decode()
    wire = await node.http.ws_connect(node.address("websocket"))
    assert (await text(wire)).startswith("0")
    await wire.send_str("40" + sid_auth)
    assert (await text(wire)).startswith('40{"sid"')
    assert orjson.loads((await text(wire))[2:])[1]["role"] == "learner"
    await wire.close()


async def wrong_types(node: Node) -> None:
    """A value of each wrong type for each field of each event, which refuses it by the field's name."""
    async with node.victim() as talk:
        wire = await node.websocket(node.token(node.victim_id))
        count = 0
        for event in HANDLERS:
            base = right(event, talk, talk.ack["chat_entry_id"])
            for name, value in cases(event):
                ack = await call(wire, event, {**base, name: value}, number=(count := count + 1))
                assert code_of(ack) == "bad_request", (event, name, value)
                assert names_the_field(ack["error"], name), (event, name, value)
        assert count > 500
        await wire.close()
        assert (await talk.say())["content"]


def filled(size: int) -> str:
    """Return an event of exactly so many bytes."""
    padding = size - len(leave('""'))
    return leave('"' + "x" * padding + '"')


async def size_of_text(node: Node) -> None:
    for size in (LIMIT, LIMIT + 1):
        wire = await node.websocket()
        await wire.send_str(filled(size))
        if size == LIMIT:
            assert (await acked(wire))["success"]
            await wire.close()
        else:
            await closed(wire)


async def size_of_binary(node: Node) -> None:
    """Attachments together at their limit are put together and refused as no JSON; one byte over closes."""
    for over in (0, 1):
        wire = await node.websocket()
        await wire.send_str('454-7["attempt_leave",' + "".join(
            f'{{"_placeholder":true,"num":{n}}}{"," if n < 3 else ""}' for n in range(4)
        ) + "]")  # fmt: skip
        for number in range(4):
            await wire.send_bytes(bytes(ATTACHMENTS // 4 + (over if number == 3 else 0)))
        if over:
            await closed(wire)
        else:
            assert code_of(await acked(wire)) == "bad_request"
            await wire.close()
    wire = await node.websocket()
    await wire.send_str('451-["attempt_leave",{"_placeholder":true,"num":0}]')
    await wire.send_bytes(bytes(LIMIT + 1))
    await closed(wire)
    for place in ("1", "-1", '"0"', "0.0", "null", "true"):
        wire = await node.websocket()
        await wire.send_str(f'451-["x",{{"_placeholder":true,"num":{place}}}]')
        await wire.send_bytes(b"x")
        await closed(wire)


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Send a body in chunks, without telling its length."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def ways_to_send(body: bytes) -> list[tuple[bytes | AsyncIterator[bytes], dict[str, str]]]:
    """Return a body whole, in chunks, as gzip, and as gzip in chunks, with the headers that say so."""
    packed, as_gzip = gzip.compress(body), {"Content-Encoding": "gzip"}
    return [(body, {}), (pieces(body), {}), (packed, as_gzip), (pieces(packed), as_gzip)]


async def size_of_polling(node: Node) -> None:
    """At the limit a body is taken; one byte over it is refused: whole, in chunks, and as gzip."""
    for size in (LIMIT, LIMIT + 1):
        body = filled(size).encode()
        for data, headers in ways_to_send(body):
            sid = await node.polling(node.token())
            async with node.http.post(node.address(sid=sid), data=data, headers=headers) as response:
                assert response.status == (200 if size == LIMIT else 413)
            if size == LIMIT:
                assert (await node.post(sid, "1"))[0] == 200


async def size_of_bodies(node: Node) -> None:
    """The same for the events over HTTP, and for content."""
    token = node.token()
    for size in (LIMIT, LIMIT + 1):
        head = b'{"chat_id":"' + new().encode() + b'","more":"'
        body = head + b"x" * (size - len(head) - 2) + b'"}'
        for data, headers in ways_to_send(body):
            sent = {"Authorization": f"Bearer {token}", **headers}
            address = f"{node.url}/socket/v5/client/attempt/leave"
            async with node.http.post(address, data=data, headers=sent) as response:
                answer = await response.json()
                if size == LIMIT:
                    assert (response.status, answer["success"]) == (200, True)
                else:
                    assert (response.status, code_of(answer)) == (413, "too_large")


async def bombs(node: Node) -> None:
    """Megabytes that were packed into kilobytes are counted as they are unpacked, and bodies that lie."""
    bomb = gzip.compress(b"4" * 64 * MB)
    sid = await node.polling(node.token())
    assert (await node.post(sid, bomb, **{"Content-Encoding": "gzip"}))[0] == 413
    for encoding in ("gzip", "deflate"):
        headers = {"Content-Encoding": encoding}
        answered, answer = await node.ask("attempt/leave", bomb, token=node.token(), headers=headers)
        assert (answered, code_of(answer)) in ((413, "too_large"), (400, "bad_request"))
    path = "/socket/v5/client/attempt/leave"
    bearer = f"Authorization: Bearer {node.token()}"
    endless = request(path, bearer, "Content-Length: 999999999999", method="POST", body=b"x" * LIMIT * 2)
    assert status(await node.exchange(endless)) == 413
    for head in ("x" * 70_000, "a: " + "b" * 70_000, "\r\n".join(f"h{n}: x" for n in range(5_000))):
        assert status(await node.exchange(request(path, head))) in (400, 431)


ATTACKS = [
    Attack(run=deep),
    Attack(run=long_numbers),
    Attack(run=lone_surrogates),
    Attack(run=duplicate_keys),
    Attack(run=prototypes),
    Attack(run=wrong_types),
    Attack(run=size_of_text),
    Attack(run=size_of_binary),
    Attack(run=size_of_polling),
    Attack(run=size_of_bodies),
    Attack(run=bombs),
]
