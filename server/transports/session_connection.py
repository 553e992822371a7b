"""A connection whose session is stored, for any process that serves its client next (core §5, §6)."""

from collections.abc import Sequence

from schemas.envelope import RoomPlace, ServerEvent
from server.errors import Conflict, Unavailable
from server.rooms.connection import MAX_ROOMS, Connection, Joined
from server.rooms.entry import Entry
from server.rooms.follower import Marker, Sink
from server.rooms.hub import Hub
from server.rooms.place import Place
from server.rooms.room import Room
from server.store.sessions import Session, SessionRoom, SessionStore
from server.transports.session_rooms import SessionRooms


class SessionConnection(Connection):
    """Stores every room that is joined or left before the client is told of it.

    Its sink takes `tail` for the cursor strings of what it writes. While nobody listens nothing is followed:
    what was joined meanwhile is followed by who opens the next connection.
    """

    def __init__(self, hub: Hub, sink: Sink, *, record: Session, store: SessionStore) -> None:
        super().__init__(hub, sink)
        self.record = record
        self.rooms = SessionRooms(record, store)
        self._markers: dict[str, Marker] = {}
        self._tail: tuple[str, bytes] | None = None

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
        """Find the place and store it; following starts with `start`, or with the next connection."""
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

    def tail(self, entries: Sequence[Entry]) -> bytes:
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
        if name not in self.follower.rooms:
            return
        if (room := self._hub.loaded_room(name)) is not None:
            self.follower.leave(room)
        else:
            self.sink.abort("place is gone")

    def _start(self, name: str) -> None:
        """Follow a member now if the client listens and does not follow it already."""
        member = self.rooms.members.get(name)
        if not self.listening or member is None or name in self.follower.rooms:
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
