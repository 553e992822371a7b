"""Packets, frames and the sink without a network: whatever comes in is a packet or a protocol error."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp._websocket.reader_py import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from server.rooms.entry import Entry
from server.transports.socketio import packets
from server.transports.socketio.frames import Packet, ProtocolError, decode_payload, encode_payload, frame
from server.transports.socketio.outbox import Outbox
from server.transports.socketio.packets import Assembly, SocketPacket, encode, parse
from server.transports.socketio.sink import SocketSink

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NEARLY = st.from_regex(r"[0-6]?(\d{0,2}-)?(/[a-z]{0,3},?)?\d{0,18}[\[{]?.*", fullmatch=True)


@given(st.text() | NEARLY)
def test_any_text_is_a_packet_or_a_protocol_error(text: str) -> None:
    try:
        packet = parse(text)
    except ProtocolError:
        return
    assert packet.name not in packets.RESERVED


@given(st.binary() | st.text().map(str.encode))
def test_any_body_is_a_payload_or_a_protocol_error(body: bytes) -> None:
    try:
        assert decode_payload(body)
    except ProtocolError:
        return


def assembled(sent: list[Packet]) -> SocketPacket:
    """Return the packet that a client's messages make."""
    head = parse(sent[0].data[1:].decode())
    if head.attachments == 0:
        return head
    assembly = Assembly(head, max_attachments=100, max_bytes=10_000, max_depth=64)
    parts = [assembly.add(part.data) for part in sent[1:]]
    assert parts[:-1] == [None] * (len(parts) - 1)
    assert parts[-1] is not None
    return parts[-1]


@given(st.lists(JSON, max_size=3), st.sampled_from(["/", "/custom"]), st.sampled_from([None, b"7"]))
def test_what_is_encoded_can_be_parsed(args: list[Any], namespace: str, ack_id: bytes | None) -> None:
    if b"_placeholder" in orjson.dumps(args, default=lambda part: part.hex()):
        return
    packet = assembled(encode(packets.EVENT, namespace, ["name", *args], ack_id=ack_id))
    assert (packet.namespace, packet.ack_id, packet.name) == (namespace, ack_id, "name")
    assert list(packet.args) == args


@given(st.lists(st.binary(min_size=1) | st.text(st.characters(codec="ascii"), max_size=9), min_size=1))
def test_a_payload_survives_polling(parts: list[str | bytes]) -> None:
    parts = [part if isinstance(part, bytes) else "4" + part.replace("\x1e", "") for part in parts]
    sent = [Packet(p, binary=True) if isinstance(p, bytes) else Packet(p.encode()) for p in parts]
    assert decode_payload(encode_payload(sent)) == parts


def test_only_what_can_be_json_is_encoded() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        encode(packets.EVENT, "/", ["name", object()])


class Line:
    """A WebSocket's transport that counts writes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def now(self) -> float:
        return 0.0

    def watch(self) -> None:
        """Do nothing: nothing waits here."""

    async def drained(self) -> None:
        raise AssertionError("nobody waits here")

    def cut(self, reason: str) -> None:
        raise AssertionError(reason)

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


async def read_frames(data: bytes) -> list[str]:
    """Read frames with aiohttp's own reader."""
    loop = asyncio.get_running_loop()
    queue = WebSocketDataQueue(BaseProtocol(loop), 1 << 22, loop=loop)
    reader = WebSocketReader(queue, 0, compress=False, decode_text=True)
    reader.feed_data(data)
    reader.feed_eof()
    return [str((await queue.read()).data) for _ in range(len(queue._buffer))]


def entry(n: int, size: int) -> Entry:
    return Entry(room="r", n=n, w="w", at=1, name="attempt_progress", j=b'{"c":"%b"}' % (b"x" * size))


@pytest.mark.parametrize("length", [125, 126, 127, 65535, 65536])
async def test_frames_of_every_header_length(length: int) -> None:
    line = Line()
    outbox = Outbox(line)
    outbox.open(line)
    base = len(b'42["attempt_progress",%b]' % entry(1, 0).data)
    SocketSink(outbox).write([entry(1, length - base)])
    (text,) = await read_frames(line.writes[0])
    assert len(text) == length
    assert frame(Packet(text.encode())) == line.writes[0]


async def test_several_entries_are_one_write_and_encoded_once() -> None:
    line, poller = Line(), Line()
    direct, held = Outbox(line), Outbox(poller)
    direct.open(line)
    entries = [entry(n, 10) for n in range(1, 4)]
    SocketSink(direct).write(entries)
    shared = [e.frame for e in entries]
    SocketSink(held).write(entries)
    assert all(one is e.frame for one, e in zip(shared, entries, strict=True))
    assert len(line.writes) == 1
    held.poll(lambda: None)
    texts = [p.data.decode() for p in held.take()]
    assert texts == await read_frames(line.writes[0])
    assert [orjson.loads(t[2:])[1]["offset"] for t in texts] == [1, 2, 3]
