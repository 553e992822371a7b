"""One client's membership in rooms, the same for sockets and streams."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.envelope import RoomPlace, ServerEvent
from server.rooms.follower import Follower, Marker, Sink
from server.rooms.hub import Hub
from server.rooms.place import Place
from server.rooms.room import Room

MAX_ROOMS = 50


@dataclass(frozen=True, slots=True)
class Joined:
    """A join that is due: `start` begins following and must run in the tick that wrote the ack."""

    place: Place
    start: Callable[[], None]


class Connection:
    """Joins and leaves rooms for one client; its sink is the client's only writer."""

    def __init__(self, hub: Hub, sink: Sink) -> None:
        self._hub = hub
        self.sink = sink
        self.follower = Follower(sink, hub.wake)
        self.playing: dict[str, Callable[[], None]] = {}  # by room, how to stop what is replayed of it
        self.speaking: dict[str, Callable[[], None]] = {}  # by chat, how to end its voice session

    @property
    def listening(self) -> bool:
        """Tell whether the client hears what is sent now."""
        return not self.follower.closed

    def member(self, room: str) -> bool:
        """Tell whether the room is followed."""
        return room in self.follower.rooms

    @property
    def full(self) -> bool:
        """Tell whether no further room may be joined."""
        return len(self.follower.rooms) >= MAX_ROOMS

    async def join(
        self, name: str, *, after: int | None, epoch: str | None, marker: ServerEvent | None
    ) -> Joined:
        """Find the place to follow from; the caller writes the ack, then calls `start` in the same tick."""
        room = await self._hub.room(name)
        if self.member(name):
            self.follower.stay(name)
            place = Place(
                room=name, epoch=self._hub.epoch, offset=room.head, cursor=room.head, recovered=True
            )
            return Joined(place, lambda: None)
        place = await self._hub.place(name, after=after, epoch=epoch)
        due = Marker(place.offset, marker.event, marker.encode()) if marker else None

        def start() -> None:
            self._follow(room, place.cursor, due)

        return Joined(place, start)

    async def enter(self, name: str, *, until: frozenset[str] = frozenset()) -> RoomPlace | None:
        """Follow a room from its head on because of what the client does; None when it did already."""
        if self.follower.leaves_by_itself(name):  # what is done last is to be seen to its end
            if until:
                self.follower.leave_after(name, until)
            else:
                self.follower.stay(name)
        if self.member(name) or self.full:
            return None
        room = await self._hub.room(name)
        if self.member(name):
            return None
        self._follow(room, room.head)
        if until:
            self.follower.leave_after(name, until)
        return RoomPlace(room=name, epoch=self._hub.epoch, offset=room.head)

    def start(self, room: Room) -> None:
        """Follow the client's own room from its head on."""
        self._follow(room, room.head)

    async def withdraw(self, name: str) -> None:
        """Leave a room that was entered for something that then failed, unless it was joined since."""
        if self.follower.leaves_by_itself(name):
            await self.leave(name)

    def _follow(self, room: Room, cursor: int, marker: Marker | None = None) -> None:
        if self._hub.loaded_room(room.name) is room:
            self.follower.follow(room, cursor, marker=marker)
        else:  # the epoch changed since the place was found
            self.sink.abort("place is gone")

    async def leave(self, name: str) -> bool:
        """Stop following; False when the room was not followed."""
        return self.member(name) and self.follower.leave(await self._hub.room(name))

    def answer(self, event: ServerEvent) -> None:
        """Send an event to this client alone."""
        self.sink.answer(event.event, event.encode())

    def close(self) -> None:
        """Leave every room, stop what plays or speaks; to be called once when the client is gone."""
        for going in (self.playing, self.speaking):
            for stop in list(going.values()):
                stop()
            going.clear()
        self._hub.forget(self.follower)
