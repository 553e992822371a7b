"""An HTTP session: what a client without a socket follows, over one event stream at a time (core §6)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from schemas.envelope import ServerDraining, ServerEvent
from schemas.room import RoomReset
from server.rooms.families import wire_name
from server.rooms.follower import Follower
from server.rooms.hub import Hub
from server.rooms.room import Room
from server.store.sessions import Session, SessionRoom, SessionStore
from server.transports.http_stream import EventStream
from server.transports.session_connection import SessionConnection
from server.transports.socketio.outbox import REPLACED

MAX_WAITING_ANSWERS = 64


@dataclass(slots=True, kw_only=True)
class Plan:
    """From where a new stream goes on; `recovered` is None when the client asked for nothing."""

    epoch: str
    recovered: bool | None
    places: list[tuple[SessionRoom, Room, int]] = field(default_factory=list)
    resets: list[RoomReset] = field(default_factory=list)


class HttpSession(SessionConnection):
    """A session that stays while its streams come and go.

    Between streams it follows nothing: the client's cursor string says where to go on.
    """

    def __init__(self, hub: Hub, record: Session, store: SessionStore) -> None:
        super().__init__(hub, EventStream(None), record=record, store=store)
        self.closed = False
        self.idle_since = asyncio.get_running_loop().time()
        self._answers: deque[tuple[str, bytes]] = deque(maxlen=MAX_WAITING_ANSWERS)
        self._stream: EventStream | None = None
        self._places = ExitStack()

    @property
    def attached(self) -> bool:
        """Tell whether a stream is open."""
        return self._stream is not None

    @property
    def listening(self) -> bool:
        """Tell whether the client hears what is sent now: answers of other events wait for a stream."""
        return self.attached

    def answer(self, event: ServerEvent) -> None:
        """Send an event to this client alone; it waits for the next stream if none is open."""
        self.tell(event.event, event.encode())

    def tell(self, event: str, data: bytes) -> None:
        """Send an event that is encoded already; the newest 64 wait for the next stream if none is open."""
        if self._stream is not None:
            self._stream.answer(event, data)
        else:
            self._answers.append((event, data))

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
        stream = EventStream(wire, chunked=chunked, tail=self.tail)
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

    def detach(self, stream: EventStream | None = None, *, reason: str = REPLACED) -> None:
        """End the open stream, if there is one; if a stream is named, only when it is that one."""
        if self._stream is None or stream not in (None, self._stream):
            return
        ending, self._stream = self._stream, None
        self.idle_since = asyncio.get_running_loop().time()
        self.close()
        self._places.close()
        ending.finish(reason)

    def count(self, places: ExitStack) -> None:
        """Give back what the open stream takes up at once when it ends; closing it twice is harmless."""
        if self._stream is not None:
            self._places = places

    def probe(self) -> None:
        """Have the kernel look whether the client of the stream is still there."""
        if self._stream is not None:
            self._stream.probe()

    @property
    def silent(self) -> bool:
        """Tell whether the client's system has acknowledged nothing of the stream since the probe."""
        return self._stream is not None and self._stream.silent

    def abort(self, reason: str) -> None:
        """Cut the open stream."""
        if self._stream is not None:
            self._stream.abort(reason)

    def expire(self, at: float | None) -> None:
        """Change when the open stream ends because of its token, in epoch seconds."""
        if self._stream is not None:
            self._stream.expire(at)

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
