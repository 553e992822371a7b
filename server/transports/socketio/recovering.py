"""A connection whose client can come back into its session (core §6)."""

from collections.abc import Awaitable, Callable

from server.rooms.hub import Hub
from server.rooms.room import Room
from server.store.sessions import Session, SessionRoom, SessionStore
from server.transports.session_connection import SessionConnection
from server.transports.socketio.outbox import Outbox
from server.transports.socketio.sink import SocketSink


class RecoveringConnection(SessionConnection):
    """A socket's connection whose entries carry cursor strings; `recovered` tells whether it goes on.

    `arrival` grows with each that comes to this process.
    """

    sink: SocketSink

    def __init__(
        self, hub: Hub, outbox: Outbox, *, record: Session, store: SessionStore, arrival: int
    ) -> None:
        super().__init__(hub, SocketSink(outbox, tail=self.tail), record=record, store=store)
        self.arrival = arrival
        self.recovered = False
        self.ended = False
        self._places: list[tuple[SessionRoom, Room, int]] = []

    @property
    def sid(self) -> str:
        """Return the id that the client keeps as long as it comes back into this session."""
        return self.record.sid or ""

    async def find(self, offset: object, may: Callable[[str], Awaitable[bool]]) -> bool:
        """Find the place in every room; False when one is gone, or not the client's to follow any more."""
        epoch = self._hub.epoch
        seen = self.rooms.seen(offset, epoch=epoch) if isinstance(offset, str) else None
        seen = seen or {}
        self.rooms.settle(seen, epoch=epoch)
        for member in list(self.rooms.members.values()):
            if not await may(member.room):
                return False
            cursor = seen.get(member.alias, member.start)
            room = await self._hub.reach(member.room, after=cursor, epoch=member.epoch)
            if room is None:
                return False
            self._places.append((member, room, cursor))
        await self.rooms.save()
        self.recovered = True
        return True

    def begin(self) -> None:
        """Follow every room, in the tick that has told the client of its session."""
        places, self._places = self._places, []
        for member, room, cursor in places:
            self._go_on(member, room, cursor)
        for name in self.rooms.members:
            self._start(name)
