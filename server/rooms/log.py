"""Publishing into numbered room logs by group commit (core §1)."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import ParamSpec, TypeVar

import structlog

from server.errors import GreenroomError, Unavailable
from server.rooms.bell import Bell
from server.rooms.entry import Entry
from server.rooms.process import Process
from server.store.entries import Duplicate, EntryStore, Row

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
MAX_BATCH_ENTRIES = 1000
MAX_BATCH_BYTES = 1024 * 1024
MAX_QUEUE_BYTES = 8 * 1024 * 1024
RETRY_SECONDS = 0.1
KNOWN_TOPS = 50_000


class Item:
    """An event on its way into the log."""

    __slots__ = ("at", "eid", "future", "j", "known", "lease", "n", "name", "room", "w")

    def __init__(self, *, room: str, name: str, j: bytes, eid: str | None, w: str, lease: int | None) -> None:
        self.room = room
        self.name = name
        self.j = j
        self.eid = eid
        self.w = w
        self.lease = lease
        self.n = 0
        self.at = 0
        self.known = False  # its event id was in the log already
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def row(self) -> Row:
        """Return the entry to store."""
        return Row(
            room=self.room, n=self.n, w=self.w, at=self.at, name=self.name, j=self.j.decode(), eid=self.eid
        )

    def entry(self) -> Entry:
        """Return the entry to release."""
        return Entry(room=self.room, n=self.n, w=self.w, at=self.at, name=self.name, j=self.j)


class Log:
    """Commits one batch at a time; an entry is journaled before anybody sees it.

    `release` gets the entries of a room in order, `heard` a number that is in the log by another hand.
    """

    def __init__(
        self,
        entries: EntryStore,
        *,
        process: Process,
        bell: Bell,
        release: Callable[[str, list[Entry]], None],
        heard: Callable[[str, int], None],
    ) -> None:
        self._entries = entries
        self._process = process
        self._bell = bell
        self._release = release
        self._heard = heard
        self._queue: list[Item] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writers = count(1)
        self._tops: OrderedDict[str, int] = OrderedDict()
        self.last: Item | None = None  # the newest entry that this process knows to be in the log
        self.queue_bytes = 0
        self.commits = 0
        self.deltas = 0  # entries without an event id: parts of replies, and what goes on in a replay
        self.commit_seconds = 0.0

    def publish(
        self, room: str, name: str, j: bytes, *, eid: str | None = None, leased: bool = False
    ) -> asyncio.Future[int]:
        """Queue an event; the future gives its offset once it is journaled and released.

        Queued is tried to the end: cancelling the future takes nothing back. `leased` events are refused when
        this process has lost its lease meanwhile. Raises Unavailable when too much waits.
        """
        if self.queue_bytes + len(j) > MAX_QUEUE_BYTES:
            raise Unavailable("The log cannot keep up; try again soon.")
        lease = self._process.lease if leased else None
        item = Item(
            room=room, name=name, j=j, eid=eid, w=f"{self._process.name}-{next(self._writers)}", lease=lease
        )
        self.queue_bytes += len(j)
        self._queue.append(item)
        self.deltas += eid is None
        self._wake.set()
        self._idle.clear()
        return item.future

    def saw(self, room: str, n: int) -> None:
        """Note a number that is known to exist."""
        if n > self._tops.get(room, -1):
            self._set_top(room, n)

    def known(self, room: str) -> int:
        """Return the highest number of a room that is known to exist, 0 when none is."""
        return self._tops.get(room, 0)

    def forget(self) -> None:
        """Forget every number, because they belong to another epoch."""
        self._tops.clear()
        self.last = None

    def tops(self) -> list[tuple[str, int]]:
        """Return the rooms that this process knows, with their highest numbers."""
        return list(self._tops.items())

    async def flush(self) -> None:
        """Wait until nothing is queued."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = self._take()
                began = time.monotonic()
                await self._commit(batch)
                self.commit_seconds = time.monotonic() - began
                self.commits += 1
            self._idle.set()

    def _take(self) -> list[Item]:
        size = 0
        for index, item in enumerate(self._queue[:MAX_BATCH_ENTRIES]):
            size += len(item.j)
            if size > MAX_BATCH_BYTES and index:
                break
        else:
            index = min(len(self._queue), MAX_BATCH_ENTRIES)
        batch, self._queue = self._queue[:index], self._queue[index:]
        return batch

    async def _commit(self, batch: list[Item]) -> None:
        todo = self._owned(batch)
        await self._until_known(self._number, todo)
        done: list[Item] = []
        unsure = False
        while todo:
            try:
                stopped = await self._entries.append([item.row() for item in todo])
            except Unavailable:
                unsure = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except GreenroomError as error:  # the database refuses it for good: a bug, or too large
                self._refuse(todo, error)
                break
            if stopped is None:
                done += todo
                break
            done += todo[: stopped.index]
            todo = todo[stopped.index :]
            if unsure:  # the first try may have gone in although its reply was lost
                settled = await self._until_known(self._ours, todo)
                unsure = False
                if settled:
                    done += settled
                    todo = todo[len(settled) :]
                    continue
            todo = await self._resolve(todo, stopped, done)
        self._finish(done)

    def _owned(self, batch: list[Item]) -> list[Item]:
        """Leave out what belongs to work that another process may have taken over."""
        ours: list[Item] = []
        for item in batch:
            if item.lease is None or self._process.holds(item.lease):
                ours.append(item)
                continue
            self.queue_bytes -= len(item.j)
            if not item.future.done():
                item.future.set_exception(Unavailable("This process has lost its lease."))
        return ours

    def _refuse(self, todo: list[Item], error: GreenroomError) -> None:
        log.error("entries refused", code=error.code, entries=len(todo), room=todo[0].room)
        for item in todo:
            self.queue_bytes -= len(item.j)
            if not item.future.done():
                item.future.set_exception(error)

    async def _number(self, todo: list[Item]) -> None:
        now = time.time_ns() // 1_000_000
        following: dict[str, int] = {}
        for item in todo:
            if item.room not in following:
                following[item.room] = await self._top(item.room)
            following[item.room] += 1
            item.n = following[item.room]
            item.at = now

    async def _top(self, room: str) -> int:
        if room not in self._tops:
            self._set_top(room, await self._entries.top(room))
        return self._tops[room]

    def _set_top(self, room: str, n: int) -> None:
        self._tops[room] = n
        self._tops.move_to_end(room)
        if len(self._tops) > KNOWN_TOPS:
            self._tops.popitem(last=False)

    async def _ours(self, todo: list[Item]) -> list[Item]:
        """Return the leading items that are in the log by our own hand."""
        settled = []
        for item in todo:
            if await self._entries.writer(item.room, item.n) != item.w:
                break
            settled.append(item)
        return settled

    async def _resolve(self, todo: list[Item], stopped: Duplicate, done: list[Item]) -> list[Item]:
        """Clear the way for the first item after a duplicate; return what is left to insert."""
        if stopped.kind == "event":
            return await self._until_known(self._skip_known_event, todo, done)
        return await self._until_known(self._renumber, todo, done)

    async def _skip_known_event(self, todo: list[Item], done: list[Item]) -> list[Item]:
        item, rest = todo[0], todo[1:]
        number = await self._entries.number_of(item.room, item.eid or "")
        if number is None:
            await asyncio.sleep(RETRY_SECONDS)  # no majority has it yet
            return todo
        free, item.n, item.known = item.n, number, True
        for other in rest:
            if other.room == item.room:
                other.n, free = free, other.n
        done.append(item)
        return rest

    async def _renumber(self, todo: list[Item], done: list[Item]) -> list[Item]:
        """Somebody else took the number: this room's rest goes behind the others, past the new top."""
        first = todo[0]
        writer = await self._entries.writer(first.room, first.n)
        if writer is None:
            await asyncio.sleep(RETRY_SECONDS)
            return todo
        if writer == first.w:
            done.append(first)
            return todo[1:]
        top = await self._entries.top(first.room)
        mine = self._owned([item for item in todo if item.room == first.room])  # no lease, no number
        for offset, item in enumerate(mine, start=1):
            item.n = top + offset
        return [item for item in todo if item.room != first.room] + mine

    async def _until_known(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            try:
                return await call(*args, **kwargs)
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _finish(self, done: Iterable[Item]) -> None:
        """Release, resolve and announce in one tick."""
        rooms: dict[str, list[Entry]] = {}
        finished = list(done)
        for item in finished:
            self.queue_bytes -= len(item.j)
            self.saw(item.room, item.n)
            if not item.known:
                self.last = item
                rooms.setdefault(item.room, []).append(item.entry())
        for room, entries in rooms.items():
            self._release(room, entries)
        for item in finished:
            if item.known:
                self._heard(item.room, item.n)
            if not item.future.done():
                item.future.set_result(item.n)
        for room, entries in rooms.items():
            self._bell.ring(room, entries)
