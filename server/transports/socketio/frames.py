"""Engine.IO packets as WebSocket frames and as polling payloads. No I/O."""

import base64
import binascii
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

SEPARATOR = "\x1e"
CLOSE_FRAME = b"\x88\x02\x03\xe8"


class ProtocolError(Exception):
    """The client does not speak the protocol: its connection is closed."""


class Packet(NamedTuple):
    """An Engine.IO packet: text with its type in front (`4…`), or the bytes of a binary message."""

    data: bytes
    binary: bool = False


CLOSE = Packet(b"1")
PING = Packet(b"2")
PROBED = Packet(b"3probe")
NOOP = Packet(b"6")


@lru_cache(maxsize=4096)
def header(length: int, opcode: int = 1) -> bytes:
    """Return the header of a whole, unmasked server frame; memoised, because lengths repeat."""
    if length < 126:
        return bytes((0x80 | opcode, length))
    if length < 65536:
        return bytes((0x80 | opcode, 126)) + length.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big")


def frame(packet: Packet) -> bytes:
    """Return a packet as one WebSocket frame."""
    return header(len(packet.data), 2 if packet.binary else 1) + packet.data


def encode_payload(packets: Iterable[Packet]) -> bytes:
    """Return packets as the body of a polling response."""
    return SEPARATOR.encode().join(b"b" + base64.b64encode(p.data) if p.binary else p.data for p in packets)


def decode_payload(body: bytes | bytearray) -> list[str | bytes]:
    """Return the packets of a polling request, binary ones as bytes; raises ProtocolError."""
    try:
        return [_decode(part) for part in body.decode().split(SEPARATOR)]
    except (UnicodeDecodeError, binascii.Error) as error:
        raise ProtocolError("a polling body that is neither UTF-8 nor base64") from error


def _decode(part: str) -> str | bytes:
    if not part:
        raise ProtocolError("an empty packet")
    if part[0] == "b":
        return base64.b64decode(part[1:].encode(), validate=True)
    if part[0] not in "0123456":
        raise ProtocolError("an unknown packet type")
    return part
