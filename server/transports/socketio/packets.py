"""Socket.IO 5 packets, strictly: parsing, attachments, encoding. No I/O."""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, cast

import orjson

from server.transports.socketio.frames import Packet, ProtocolError

Kind = Literal[0, 1, 2, 3, 4, 5, 6]
CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6
RESERVED = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)

_HEAD = re.compile(
    r"([0-6])(?:(\d{1,3})-)?(?:(/[^,?\s]{0,64})(?:\?[^,]*)?(?:,|$))?(\d{0,16})(?!\d)", re.ASCII
)


class SocketPacket(NamedTuple):
    """A packet from a client; `args` follow the event's name, `problem` says why they were refused.

    One that came too early has `retry_after`, and is refused in its turn.
    """

    kind: Kind
    namespace: str
    ack_id: bytes | None
    attachments: int = 0
    name: str = ""
    args: Sequence[Any] = ()
    auth: dict[str, Any] | None = None
    problem: str | None = None
    retry_after: float | None = None


def parse(text: str) -> SocketPacket:
    """Return the packet in a message; raises ProtocolError when the connection has to be closed."""
    head = _HEAD.match(text)
    if head is None:
        raise ProtocolError("not a Socket.IO packet")
    kind = cast("Kind", int(head[1]))
    rest = text[head.end() :]
    packet = SocketPacket(kind, head[3] or "/", head[4].encode() or None, int(head[2] or 0))
    if (kind in (BINARY_EVENT, BINARY_ACK)) != (packet.attachments > 0):
        raise ProtocolError("attachments that do not fit the packet")
    if kind in (EVENT, BINARY_EVENT):
        return _event(packet, rest)
    if kind == CONNECT:
        return packet._replace(auth=_auth(packet, rest))
    if kind in (ACK, BINARY_ACK) and packet.ack_id is not None and rest[:1] == "[":
        return packet
    if kind == DISCONNECT and packet.ack_id is None and not rest:
        return packet
    raise ProtocolError("a packet that no client sends")


def _auth(packet: SocketPacket, rest: str) -> dict[str, Any]:
    if not rest:
        return {}
    try:
        auth = orjson.loads(rest)
    except orjson.JSONDecodeError as error:
        raise ProtocolError("a CONNECT whose payload is not JSON") from error
    if not isinstance(auth, dict) or packet.ack_id is not None:
        raise ProtocolError("a CONNECT whose payload is not an object")
    return auth


def _event(packet: SocketPacket, rest: str) -> SocketPacket:
    if rest[:1] != "[":
        raise ProtocolError("an event that is not an array")
    try:
        array = orjson.loads(rest)
    except orjson.JSONDecodeError as error:
        return packet._replace(problem=f"The payload is not JSON: {error.msg}.")
    if not array or not isinstance(array[0], str) or array[0] in RESERVED:
        raise ProtocolError("an event without a name, or with a reserved one")
    return packet._replace(name=array[0], args=array[1:])


class Assembly:
    """Collects the attachments of one packet; raises ProtocolError past the limits."""

    def __init__(self, packet: SocketPacket, *, max_attachments: int, max_bytes: int, max_depth: int) -> None:
        if packet.attachments > max_attachments:
            raise ProtocolError(f"more than {max_attachments} attachments")
        self._packet = packet
        self._parts: list[bytes] = []
        self._room = max_bytes
        self._depth = max_depth + 1  # a placeholder is one level deeper than the bytes it stands for

    def add(self, part: bytes) -> SocketPacket | None:
        """Take an attachment; the packet is returned with the last one."""
        self._room -= len(part)
        if self._room < 0:
            raise ProtocolError("attachments that are too large")
        self._parts.append(part)
        if len(self._parts) < self._packet.attachments:
            return None
        return self._packet._replace(args=[self._put(arg, self._depth) for arg in self._packet.args])

    def _put(self, value: Any, depth: int) -> Any:
        if not isinstance(value, dict | list):
            return value
        if depth <= 0:
            raise ProtocolError("a packet with attachments that is nested too deeply")
        if isinstance(value, list):
            return [self._put(item, depth - 1) for item in value]
        if value.get("_placeholder") is not True:
            return {key: self._put(item, depth - 1) for key, item in value.items()}
        number = value.get("num")
        if type(number) is not int or not 0 <= number < len(self._parts):
            raise ProtocolError("a placeholder without an attachment")
        return self._parts[number]


def encode(
    kind: Literal[2, 3], namespace: str, array: Sequence[Any], *, ack_id: bytes | None = None
) -> list[Packet]:
    """Return the Engine.IO packets of an event or an ack, with bytes as attachments; raises TypeError."""
    parts: list[bytes] = []

    def attach(value: object) -> dict[str, Any]:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError  # orjson names the type
        parts.append(bytes(value))
        return {"_placeholder": True, "num": len(parts) - 1}

    body = orjson.dumps(array, default=attach)
    head = b"4%d%d-" % (kind + 3, len(parts)) if parts else b"4%d" % kind
    text = Packet(head + prefix(namespace) + (ack_id or b"") + body)
    return [text, *(Packet(part, binary=True) for part in parts)]


def prefix(namespace: str) -> bytes:
    """Return how packets of a namespace begin after their type."""
    return b"" if namespace == "/" else namespace.encode() + b","
