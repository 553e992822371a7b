"""What the Admin UI shows of the sockets of this process, and what has changed since the last look."""

import asyncio
import hashlib
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from server.transports.socketio import packets
from server.transports.socketio.frames import Packet
from server.transports.socketio.origins import ADMIN
from server.transports.socketio.peer import Client, Peer
from server.transports.socketio.sessions import Session

BREATHER = 200  # sockets looked at, after which the others have their turn
Key = tuple[str, str]


class Shown(NamedTuple):
    """A socket as it was told of."""

    client: Client
    transport: str
    rooms: frozenset[str]

    @property
    def described(self) -> dict[str, Any]:
        """Return it as the Admin UI takes it; ids that open anything, headers and tokens are not in it."""
        socket = self.client.peer.socket
        opened = socket.opened
        return {
            "id": self.client.sid,
            "clientId": hashlib.blake2b(socket.sid.encode(), digest_size=10).hexdigest(),
            "transport": self.transport,
            "nsp": self.client.namespace,
            "data": {},
            "handshake": {
                "address": socket.remote,
                "headers": {},
                "query": {},
                "issued": round(opened * 1000),
                "time": datetime.fromtimestamp(opened, UTC).isoformat(),
            },
            "rooms": sorted(self.rooms),
        }


class View:
    """The sockets that watchers know of; `look` finds what is different now."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self._peers = peers
        self.sockets: dict[Key, Shown] = {}

    async def look(self, *, tell: bool) -> list[Packet]:
        """Take note of every socket, and return the events that tell of the changes if they are wanted."""
        told: list[Packet] = []
        seen: set[Key] = set()
        for number, peer in enumerate(list(self._peers.values())):
            if number % BREATHER == 0:
                await asyncio.sleep(0)
            for client in list(peer.clients.values()):
                key = (client.namespace, client.sid)
                seen.add(key)
                self._note(key, client, told if tell else None)
        for number, key in enumerate([key for key in self.sockets if key not in seen]):
            if number % BREATHER == 0:
                await asyncio.sleep(0)
            gone = self.sockets.pop(key)
            if tell:
                told += _gone(gone)
        return told

    def counts(self) -> dict[str, int]:
        """Return how many sockets each namespace has."""
        found = {"/": 0, ADMIN: 0}
        for namespace, _ in self.sockets:
            found[namespace] += 1
        return found

    @property
    def polling(self) -> int:
        """Return how many sockets have no WebSocket."""
        return sum(shown.transport == "polling" for shown in self.sockets.values())

    def _note(self, key: Key, client: Client, told: list[Packet] | None) -> None:
        known, rooms = self.sockets.get(key), _rooms(client)
        transport = "websocket" if client.peer.socket.upgraded else "polling"
        same = known is not None and known.client is client
        if same and known is not None and (known.transport, known.rooms) == (transport, rooms):
            return
        shown = self.sockets[key] = Shown(client, transport, frozenset(rooms))
        if told is None:
            return
        if same and known is not None:
            told += _changed(known, shown)
            return
        told += _gone(known) if known is not None else ()
        told += event("socket_connected", shown.described, now())


def event(name: str, *args: Any) -> list[Packet]:
    """Return an event of the namespace, encoded once for all watchers."""
    return packets.encode(packets.EVENT, ADMIN, [name, *args])


def now() -> str:
    """Return the time as the Admin UI takes it."""
    return datetime.fromtimestamp(time.time(), UTC).isoformat()


def _rooms(client: Client) -> Collection[str]:
    session = client.session
    return session.connection.follower.rooms.keys() if isinstance(session, Session) else frozenset()


def _changed(known: Shown, shown: Shown) -> Iterator[Packet]:
    namespace, sid = shown.client.namespace, shown.client.sid
    if known.transport != shown.transport:
        yield from event("socket_updated", {"id": sid, "nsp": namespace, "transport": shown.transport})
    for room in sorted(shown.rooms - known.rooms):
        yield from event("room_joined", namespace, room, sid, now())
    for room in sorted(known.rooms - shown.rooms):
        yield from event("room_left", namespace, room, sid, now())


def _gone(shown: Shown) -> list[Packet]:
    client = shown.client
    reason = "client namespace disconnect" if client.left else client.peer.socket.ended
    return event("socket_disconnected", client.namespace, client.sid, reason, now())
