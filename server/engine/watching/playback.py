"""Plays a room's stored entries to one client, at the pace at which they came (socket-v5 §3)."""

import asyncio
from collections.abc import Callable

import structlog

from schemas.room import ReplayEnd, RoomReplay
from server.engine.ids import new
from server.engine.tasks import Tasks
from server.errors import Conflict, Gone, Unavailable
from server.rooms.catching import entry
from server.rooms.connection import Connection
from server.rooms.entry import Entry
from server.rooms.families import wire_name
from server.rooms.follower import LOW_WATER, PAGE_ENTRIES, Sink
from server.rooms.pumps import drained
from server.store.entries import EntryStore

log = structlog.get_logger(__name__)
MAX_REPLAYS = 4
RETRY_SECONDS = 0.25
MAX_SLEEP = 3600.0  # of one nap: a pause that is longer is slept in several


class Playback:
    """Starts and stops replays; each belongs to a connection and ends with it."""

    def __init__(self, entries: EntryStore, *, tasks: Tasks) -> None:
        self._entries = entries
        self._tasks = tasks

    async def prepare(self, connection: Connection, room: str, msg: RoomReplay) -> Callable[[], None]:
        """Return what begins to play a room, in place of what plays of it; it is to run with the ack.

        Raises Gone before what is kept, Conflict when too much plays or nobody listens, Unavailable.
        """
        self._check(connection, room)
        head = await self._entries.top(room)
        floor = await self._entries.floor(room)
        first = floor + 1 if msg.from_ is None else msg.from_
        if first <= floor:
            raise Gone(f"from: entries up to {floor} are not kept any more; begin at {floor + 1}.")
        last = head if msg.to is None else min(msg.to, head)
        self._check(connection, room)  # others may have begun meanwhile
        player = Player(self._entries, connection.sink, room, first=first, last=last, speed=msg.speed)
        return lambda: self._begin(connection, room, player)

    def stop(self, connection: Connection, room: str) -> None:
        """Stop what plays of a room; nothing may play."""
        if (stop := connection.playing.pop(room, None)) is not None:
            stop()

    def _check(self, connection: Connection, room: str) -> None:
        if not connection.listening:
            raise Conflict("Nobody reads this session's stream; open it, then replay.")
        if room not in connection.playing and len(connection.playing) >= MAX_REPLAYS:
            raise Conflict(f"{MAX_REPLAYS} rooms are being replayed to this connection; stop one first.")

    def _begin(self, connection: Connection, room: str, player: "Player") -> None:
        self.stop(connection, room)
        if not connection.listening:
            return  # it closed since
        key = f"replay:{new()}"

        def stop() -> None:
            self._tasks.cancel(key)

        async def play() -> None:
            try:
                await player.run()
            finally:
                if connection.playing.get(room) is stop:
                    del connection.playing[room]

        connection.playing[room] = stop
        self._tasks.start(key, play, let_go=True)


class Player:
    """One replay: reads a page ahead at most, and writes nothing to a client that does not read.

    Pauses are measured against its beginning, so that they do not add up to a delay; who reads slowly gets
    what is due as fast as it reads.
    """

    def __init__(
        self, entries: EntryStore, sink: Sink, room: str, *, first: int, last: int, speed: float
    ) -> None:
        self._entries = entries
        self._sink = sink
        self._room = room
        self._played = first - 1
        self._last = last
        self._speed = speed
        self._began: tuple[float, int] | None = None  # when, and the first entry's `at`

    async def run(self) -> None:
        """Play to the end, then say so; cancelling stops at once and says nothing."""
        while self._played < self._last:
            page = await self._page()
            if not page:
                break  # the rest was forgotten while it played: the end says how far it came
            for one in page:
                await self._due(one.at)
                await self._room_for_more()
                self._sink.answer("replay_entry", _encode(one))
                self._played = one.n
        end = ReplayEnd(room=wire_name(self._room), offset=min(self._played, self._last))
        await self._room_for_more()
        self._sink.answer(end.event, end.encode())

    async def _page(self) -> list[Entry]:
        """Read what comes next; nothing when it is not kept any more."""
        while True:
            try:
                rows = await self._entries.page(
                    self._room, after=self._played, upto=self._last, limit=PAGE_ENTRIES
                )
                if rows and rows[0].n == self._played + 1:
                    return [entry(row) for row in rows]
                if rows or await self._entries.floor(self._room) > self._played:
                    return []
            except Unavailable:
                log.debug("replay waits for the database", room=self._room)
            await asyncio.sleep(RETRY_SECONDS)  # also while no majority has it yet

    async def _due(self, at: int) -> None:
        """Wait until an entry's time has come."""
        if not self._speed:
            return
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time(), at
        began, first = self._began
        due = began + (at - first) / 1000 / self._speed
        while (left := due - loop.time()) > 0:
            await asyncio.sleep(min(left, MAX_SLEEP))

    async def _room_for_more(self) -> None:
        while self._sink.size > LOW_WATER:
            await drained(self._sink)  # once the connection has ended, the replay is about to


def _encode(one: Entry) -> bytes:
    """Return a ReplayEntry, which REST gives too; the payload is not decoded for that."""
    room, name = wire_name(one.room).encode(), one.name.encode()
    return b'{"room":"%b","offset":%d,"at":%d,"name":"%b","data":%b}' % (room, one.n, one.at, name, one.data)
