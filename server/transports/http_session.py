"""An HTTP session: what a client without a socket follows, over one event stream at a time (core §6)."""

import asyncio
import socket as stdsocket
from collections import deque
from collections.abc import Sequence

from aiohttp import web

from schemas.envelope import RoomPlace, ServerEvent
from schemas.room import RoomReset
from server.rooms.connection import MAX_ROOMS, Connection, Joined
from server.rooms.cursor import parse, tail
from server.rooms.entry import Entry
from server.rooms.follower import Follower, Marker
from server.rooms.hub import Hub
from server.rooms.room import Room
from server.store.sessions import Session, SessionRoom, SessionStore

SEND_BUFFER = 64 * 1024
HARD_CAP = 1024 * 1024
STALL_SECONDS = 5.0
POLL_SECONDS = 0.1
COMMENT_SECONDS = 15.0
MAX_WAITING_ANSWERS = 64


class StreamSink:
    """Buffers frames of one event stream; `run` writes them to the client."""

    def __init__(self, session: "HttpSession") -> None:
        self._session = session
        self._frames: list[bytes] = []
        self._buffered = 0
        self._ready = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self.closed = False

    @property
    def size(self) -> int:
        """Return the bytes that wait for the client."""
        return self._buffered + self._untaken

    @property
    def _untaken(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport else 0

    def write(self, entries: Sequence[Entry]) -> None:
        """Send entries of one room; each with the cursor over all rooms as its id."""
        ending = self._session.tail(entries[0].room)
        for entry in entries:
            name, data, n = entry.name.encode(), entry.data, entry.n
            self._add(b"event: %b\ndata: %b\nid: %d%b\n\n" % (name, data, n, ending))

    def answer(self, event: str, data: bytes) -> None:
        """Send an event without an id."""
        self._add(b"event: %b\ndata: %b\n\n" % (event.encode(), data))

    def abort(self, reason: str) -> None:
        """Cut the stream; the client comes back with its cursor."""
        self.closed = True
        self._ready.set()
        if self._transport is not None:
            self._transport.abort()

    async def run(self, request: web.Request, response: web.StreamResponse) -> None:
        """Write until the client goes or the stream is cut."""
        self._transport = request.transport
        if self._transport is not None and (raw := self._transport.get_extra_info("socket")) is not None:
            raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_SNDBUF, SEND_BUFFER)
        while not self.closed:
            try:
                async with asyncio.timeout(COMMENT_SECONDS):
                    await self._ready.wait()
            except TimeoutError:
                self._add(b":\n\n")
            self._ready.clear()
            frames, self._frames, self._buffered = self._frames, [], 0
            if frames and not self.closed:
                await self._send(response, b"".join(frames))
                self._session.drained()

    async def _send(self, response: web.StreamResponse, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        writing = asyncio.ensure_future(response.write(data))
        await asyncio.sleep(0)  # lets it put everything into the transport
        left, since = self._untaken, loop.time()
        while not self.closed and (not writing.done() or self._untaken > SEND_BUFFER):
            if writing.done():  # the library waits for the client at some writes only
                await asyncio.sleep(POLL_SECONDS)
            else:
                await asyncio.wait([writing], timeout=POLL_SECONDS)
            if self._untaken < left:
                left, since = self._untaken, loop.time()
            elif loop.time() - since >= STALL_SECONDS:
                writing.cancel()
                self.abort("slow consumer")
        await asyncio.gather(writing, return_exceptions=True)
        if not writing.cancelled() and writing.exception() is not None:
            self.closed = True

    def _add(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._buffered += len(frame)
        self._ready.set()
        if self.size > HARD_CAP:
            self.abort("slow consumer")


class HttpSession(Connection):
    """Rooms of a session, kept in the database so that any process can serve its next stream.

    Between streams it follows nothing: the client's cursor string says where to go on.
    """

    def __init__(self, hub: Hub, record: Session, store: SessionStore) -> None:
        self.record = record
        self._store = store
        self._until: dict[str, frozenset[str]] = {}
        self._markers: dict[str, Marker] = {}
        self._answers: deque[ServerEvent] = deque(maxlen=MAX_WAITING_ANSWERS)
        self._attached = False
        self.idle_since = asyncio.get_running_loop().time()
        super().__init__(hub, StreamSink(self))

    @property
    def attached(self) -> bool:
        """Tell whether a stream is open."""
        return self._attached

    @property
    def full(self) -> bool:
        """Tell whether no further room may be joined."""
        return len(self._rooms()) >= MAX_ROOMS

    def member(self, room: str) -> bool:
        """Tell whether the room is one of the session's."""
        return room in self._rooms()

    def tail(self, room: str) -> bytes:
        """Return what follows the number in the cursor strings of a room."""
        aliases = {r.room: i for i, r in enumerate(self.record.rooms)}
        return tail(room, self.follower.cursors, aliases=aliases, session_tag=self.record.tag).encode()

    async def join(
        self, name: str, *, after: int | None, epoch: str | None, marker: ServerEvent | None
    ) -> Joined:
        """Find the place and record it; following starts with `start`, or with the next stream."""
        was_member = self.member(name)
        joined = await super().join(name, after=after, epoch=epoch, marker=None)
        self._until.pop(name, None)
        if was_member:
            return joined
        place = joined.place
        if marker is not None:
            self._markers[name] = Marker(place.offset, marker.event, marker.encode())
        await self._record(name, place.cursor)
        return Joined(place, lambda: self._start(name))

    async def enter(self, name: str, *, until: frozenset[str] = frozenset()) -> RoomPlace | None:
        """Follow a room from its head on because of what the client does."""
        if self.member(name) and name in self._until and until:
            self._until[name] = until  # what is done last is to be seen to its end
            self.follower.leave_after(name, until)
        if self.member(name) or self.full:
            return None
        room = await self._hub.room(name)
        head = room.head
        if until:
            self._until[name] = until
        await self._record(name, head)
        self._start(name)
        return RoomPlace(room=name, epoch=self._hub.epoch, offset=head)

    async def withdraw(self, name: str) -> None:
        """Leave a room that was entered for something that then failed, unless it was joined since."""
        if name in self._until:
            await self.leave(name)

    async def leave(self, name: str) -> bool:
        """Stop following, for good: another join gets another place in the list."""
        was_member = self.member(name)
        for room in self.record.rooms:
            room.left = room.left or room.room == name
        self._markers.pop(name, None)
        self._until.pop(name, None)
        if was_member:
            self.follower.leave(await self._hub.room(name))
            await self._store.save_rooms(self.record, self.record.epoch)
        return was_member

    def answer(self, event: ServerEvent) -> None:
        """Send an event to this client alone; it waits for the next stream if none is open."""
        if self._attached:
            super().answer(event)
        else:
            self._answers.append(event)

    def drained(self) -> None:
        """Tell the hub that the client has read something."""
        self._hub.drained(self.follower)

    async def attach(self, confirmed: ServerEvent, last_event_id: str | None) -> StreamSink:
        """Serve a new stream from the client's cursor; an older stream of the session is cut."""
        self.detach()
        sink = StreamSink(self)
        seen = self._seen(last_event_id)
        cursors: dict[str, int] = {}
        loaded: dict[str, Room] = {}
        resets: list[RoomReset] = []
        while fresh := [r for r in self.record.rooms if not r.left and r.room not in cursors]:
            places = {r.room: seen.get(r.room, r.start) for r in fresh}
            resets += await self._resets(places)
            loaded |= {name: await self._hub.room(name) for name in places}
            cursors |= places
        # no await from here on: what is joined meanwhile would not be followed
        self.detach()
        self.sink, self.follower, self._attached = sink, Follower(sink, self._hub.wake), True
        super().answer(confirmed)
        for reset in resets:
            super().answer(reset)
        while self._answers:
            super().answer(self._answers.popleft())
        left = {r.room for r in self.record.rooms if r.left} - {
            r.room for r in self.record.rooms if not r.left
        }
        for name, room in loaded.items():
            if name in left:
                continue
            self.follower.follow(room, cursors[name], marker=self._markers.pop(name, None))
            if name in self._until:
                self.follower.leave_after(name, self._until[name])
        return sink

    def _seen(self, last_event_id: str | None) -> dict[str, int]:
        """Return the cursors that a client came back with; a room that was left has none any more."""
        rooms = ["" if r.left else r.room for r in self.record.rooms]
        found = parse(last_event_id, rooms, session_tag=self.record.tag) if last_event_id else None
        return found or {}

    def detach(self) -> None:
        """Stop serving the open stream, if there is one."""
        if not self._attached:
            return
        self._attached = False
        for room in self.record.rooms:
            if room.room in self._until and room.room not in self.follower.cursors:
                room.left = True  # it left by itself
        self.idle_since = asyncio.get_running_loop().time()
        self.close()
        if isinstance(self.sink, StreamSink):
            self.sink.abort("replaced")

    async def _resets(self, cursors: dict[str, int]) -> list[RoomReset]:
        """Find rooms whose numbers mean something else now, or whose place is gone; change their cursors."""
        resets = []
        for name, cursor in list(cursors.items()):
            place = await self._hub.place(name, after=cursor, epoch=self.record.epoch)
            if not place.recovered and place.snapshot is not None:
                cursors[name] = place.cursor
                resets.append(
                    RoomReset(room=name, epoch=place.epoch, offset=place.offset, snapshot=place.snapshot)
                )
        if self.record.epoch != self._hub.epoch:
            self.record.epoch = self._hub.epoch
            for room in self.record.rooms:
                room.start = cursors.get(room.room, 0)
            await self._store.save_rooms(self.record, self.record.epoch)
        return resets

    async def _record(self, name: str, start: int) -> None:
        self.record.rooms.append(SessionRoom(name, start))
        await self._store.save_rooms(self.record, self.record.epoch)

    def _start(self, name: str) -> None:
        """Follow a recorded room on the open stream, if there is one and it does not follow it already."""
        room = self._hub.loaded_room(name)
        if not self._attached or room is None or name in self.follower.cursors:
            return
        start = next(r.start for r in reversed(self.record.rooms) if r.room == name)
        self.follower.follow(room, start, marker=self._markers.pop(name, None))
        if name in self._until:
            self.follower.leave_after(name, self._until[name])

    def _rooms(self) -> set[str]:
        gone = {name for name in self._until if self._attached and name not in self.follower.cursors}
        return {r.room for r in self.record.rooms if not r.left} - gone
