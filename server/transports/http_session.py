"""An HTTP session: what a client without a socket follows, over one event stream at a time (core §6)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from schemas.envelope import RoomPlace, ServerDraining, ServerEvent
from schemas.room import RoomReset
from server.errors import Conflict, Unavailable
from server.rooms.connection import MAX_ROOMS, Connection, Joined
from server.rooms.entry import Entry
from server.rooms.families import wire_name
from server.rooms.follower import Follower, Marker
from server.rooms.hub import Hub
from server.rooms.place import Place
from server.rooms.room import Room
from server.store.sessions import Session, SessionRoom, SessionStore
from server.transports.http_stream import EventStream
from server.transports.session_rooms import SessionRooms

MAX_WAITING_ANSWERS = 64


@dataclass(slots=True, kw_only=True)
class Plan:
    """From where a new stream goes on; `recovered` is None when the client asked for nothing."""

    epoch: str
    recovered: bool | None
    places: list[tuple[SessionRoom, Room, int]] = field(default_factory=list)
    resets: list[RoomReset] = field(default_factory=list)


class HttpSession(Connection):
    """Rooms of a session, kept in the database so that any process can serve its next stream.

    Between streams it follows nothing: the client's cursor string says where to go on.
    """

    def __init__(self, hub: Hub, record: Session, store: SessionStore) -> None:
        super().__init__(hub, EventStream(None))
        self.record = record
        self.rooms = SessionRooms(record, store)
        self.closed = False
        self.idle_since = asyncio.get_running_loop().time()
        self._markers: dict[str, Marker] = {}
        self._answers: deque[tuple[str, bytes]] = deque(maxlen=MAX_WAITING_ANSWERS)
        self._stream: EventStream | None = None
        self._tail: tuple[str, bytes] | None = None

    @property
    def attached(self) -> bool:
        """Tell whether a stream is open."""
        return self._stream is not None

    @property
    def listening(self) -> bool:
        """Tell whether the client hears what is sent now: answers of other events wait for a stream."""
        return self.attached

    @property
    def full(self) -> bool:
        """Tell whether no further room may be joined."""
        return len(self.rooms.members) >= MAX_ROOMS

    def member(self, room: str) -> bool:
        """Tell whether the room is one of the session's."""
        return room in self.rooms.members

    async def join(
        self, name: str, *, after: int | None, epoch: str | None, marker: ServerEvent | None
    ) -> Joined:
        """Find the place and store it; following starts with `start`, or with the next stream."""
        room = await self._hub.room(name)
        if not self.member(name):
            place = await self._hub.place(name, after=after, epoch=epoch)
            if not self.member(name):  # of several calls at a time one is the first
                return await self._join(place, marker)
        member = self.rooms.members[name]
        self.rooms.stay(member, frozenset())
        self.follower.stay(name)
        await self.rooms.save()
        if self.rooms.members.get(name) is not member:
            raise Unavailable("The room was left while it was joined; join it again.")
        head = Place(room=name, epoch=self._hub.epoch, offset=room.head, cursor=room.head, recovered=True)
        return Joined(head, lambda: None)

    async def enter(self, name: str, *, until: frozenset[str] = frozenset()) -> RoomPlace | None:
        """Follow a room from its head on because of what the client does; None when it did already."""
        room = await self._hub.room(name)
        if (member := self.rooms.members.get(name)) is not None:
            if member.until and until:  # what is done last is to be seen to its end
                self.rooms.stay(member, until)
                self.follower.leave_after(name, until)
                await self.rooms.save()
            return None
        if self.full:
            return None
        place = RoomPlace(room=name, epoch=self._hub.epoch, offset=room.head)
        await self._add(name, start=place.offset, epoch=place.epoch, until=until)
        self._start(name)
        return place

    async def withdraw(self, name: str) -> None:
        """Leave a room that was entered for something that then failed, unless it was joined since."""
        if (member := self.rooms.members.get(name)) is not None and member.until:
            await self.leave(name)

    async def leave(self, name: str) -> bool:
        """Stop following, for good: another join gets another place in the cursor strings."""
        member = self.rooms.members.get(name)
        if member is not None:
            self._drop(member)
        await self.rooms.save()
        return member is not None

    def answer(self, event: ServerEvent) -> None:
        """Send an event to this client alone; it waits for the next stream if none is open."""
        self.tell(event.event, event.encode())

    def tell(self, event: str, data: bytes) -> None:
        """Send an event that is encoded already; the newest 64 wait for the next stream if none is open."""
        if self._stream is not None:
            self._stream.answer(event, data)
        else:
            self._answers.append((event, data))

    def drained(self) -> None:
        """Tell the hub that the client has read something."""
        self._hub.drained(self.follower)

    async def approach(self, last_event_id: str | None, may: Callable[[str], Awaitable[bool]]) -> Plan:
        """Find from where a new stream goes on, in the rooms that its client still may follow.

        An older stream ends. Rooms whose place is gone start from a snapshot. Raises Unavailable.
        """
        self.detach()
        self.idle_since = asyncio.get_running_loop().time()
        epoch = self._hub.epoch
        seen = self.rooms.seen(last_event_id, epoch=epoch) if last_event_id else None
        plan = Plan(epoch=epoch, recovered=seen is not None if last_event_id else None)
        self.rooms.settle(seen or {}, epoch=epoch)
        for member in list(self.rooms.members.values()):
            if await may(member.room):
                await self._find(plan, member, (seen or {}).get(member.alias))
            else:
                plan.recovered = plan.recovered and False
                if self.rooms.members.get(member.room) is member:
                    self._drop(member)
        await self.rooms.save()
        return plan

    def open(
        self, plan: Plan, *, wire: asyncio.Transport | None, chunked: bool, confirmed: ServerEvent
    ) -> EventStream:
        """Serve a stream as planned; an older one ends. What was joined since the plan is followed too."""
        self.detach()
        stream = EventStream(wire, chunked=chunked, tail=self._tail_of)
        if self.closed:
            stream.finish("session closed")
            return stream
        if plan.epoch != self._hub.epoch:
            stream.abort("epoch changed")
            return stream
        self.sink, self.follower, self._stream = stream, Follower(stream, self._hub.wake), stream
        for event in (confirmed, *plan.resets):
            self.answer(event)
        while self._answers:
            self.tell(*self._answers.popleft())
        for member, room, cursor in plan.places:
            if self.rooms.members.get(member.room) is member:
                self._go_on(member, room, cursor)
        for name in self.rooms.members:
            self._start(name)
        return stream

    def detach(self, stream: EventStream | None = None, *, reason: str = "replaced") -> None:
        """End the open stream, if there is one; if a stream is named, only when it is that one."""
        if self._stream is None or stream not in (None, self._stream):
            return
        ending, self._stream = self._stream, None
        self.idle_since = asyncio.get_running_loop().time()
        self.close()
        ending.finish(reason)

    def end(self) -> None:
        """End the session: its stream ends, and no other opens."""
        self.closed = True
        self.detach(reason="session closed")

    def announce(self, reconnect_in: float) -> None:
        """Tell the client that the server is about to stop, and when to open its next stream."""
        self.answer(ServerDraining(reconnect_in=reconnect_in))
        if self._stream is not None:
            self._stream.retry(reconnect_in)

    async def _find(self, plan: Plan, member: SessionRoom, seen: int | None) -> None:
        """Add a room to a plan; without its place there it starts from a snapshot."""
        cursor, epoch = (member.start, member.epoch) if seen is None else (seen, plan.epoch)
        place = await self._hub.place(member.room, after=cursor, epoch=epoch)
        if place.snapshot is not None:
            plan.recovered = plan.recovered and False
            name = wire_name(place.room)
            plan.resets.append(
                RoomReset(room=name, epoch=place.epoch, offset=place.offset, snapshot=place.snapshot)
            )
        plan.places.append((member, await self._hub.room(member.room), place.cursor))

    async def _join(self, place: Place, marker: ServerEvent | None) -> Joined:
        if self.full:
            raise Conflict("This session follows too many rooms; leave one first.")
        if marker is not None:
            self._markers[place.room] = Marker(place.offset, marker.event, marker.encode())
        await self._add(place.room, start=place.cursor, epoch=place.epoch)
        return Joined(place, lambda: self._start(place.room))

    async def _add(self, name: str, *, start: int, epoch: str, until: frozenset[str] = frozenset()) -> None:
        """Add a room and store it; a failure takes it back."""
        member = self.rooms.add(name, start=start, epoch=epoch, until=until)
        try:
            await self.rooms.save()
        except BaseException:
            if self.rooms.members.get(name) is member:
                self._drop(member)
            raise

    def _drop(self, member: SessionRoom) -> None:
        self.rooms.drop(member)
        self._gone(member.room)

    def _gone(self, name: str) -> None:
        """Stop following a room that is no member any more."""
        self._tail = None
        self._markers.pop(name, None)
        if name not in self.follower.cursors:
            return
        if (room := self._hub.loaded_room(name)) is not None:
            self.follower.leave(room)
        else:
            self.sink.abort("place is gone")

    def _start(self, name: str) -> None:
        """Follow a member on the open stream, if there is one and it does not follow it already."""
        member = self.rooms.members.get(name)
        if self._stream is None or member is None or name in self.follower.cursors:
            return
        room = self._hub.loaded_room(name)
        if room is None or member.epoch != self._hub.epoch:
            self.sink.abort("place is gone")
        else:
            self._go_on(member, room, member.start)

    def _go_on(self, member: SessionRoom, room: Room, cursor: int) -> None:
        self._tail = None
        self._follow(room, cursor, self._markers.pop(member.room, None))
        if member.until:
            self.follower.leave_after(member.room, member.until)

    def _tail_of(self, entries: Sequence[Entry]) -> bytes:
        """Return what follows the number in the strings of entries that are being written.

        It stays the same until another room writes, or the rooms change.
        """
        last = entries[-1]
        if self._tail is None or self._tail[0] != last.room:
            cursors = self.follower.cursors
            self._tail = last.room, self.rooms.tail(last.room, cursors, epoch=self._hub.epoch)
        found = self._tail[1]
        member = self.rooms.members[last.room]
        if last.name in member.until:
            self.rooms.end(member, last.n)
            self._gone(last.room)
        return found
