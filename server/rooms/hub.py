"""The rooms of this process: loading, catching up, pumping who is behind, snapshots (core §2, §3, §5, §9)."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from server.errors import TooLarge, Unavailable
from server.rooms.bell import Bell
from server.rooms.entry import Entry
from server.rooms.follower import LOW_WATER, PAGE_BYTES, PAGE_ENTRIES, Follower
from server.rooms.log import Log
from server.rooms.process import Process
from server.rooms.room import Room
from server.rooms.snapshot import Snapshots
from server.store.entries import EntryStore, Row

log = structlog.get_logger(__name__)
T = TypeVar("T")
UNLOAD_SECONDS = 60.0
CHECK_SECONDS = 30.0
DRAIN_POLL_SECONDS = 0.05
RETRY_SECONDS = 0.25
LOST_TRIES = 5
LOST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a client begins to follow: after `cursor`; `offset` is the head, or the snapshot's offset."""

    room: str
    epoch: str
    offset: int
    cursor: int
    recovered: bool
    snapshot: dict[str, Any] | None = None


class Hub:
    """Owns the loaded rooms and the tasks that serve their followers."""

    def __init__(self, entries: EntryStore, *, process: Process, bell: Bell, snapshots: Snapshots) -> None:
        self._entries = entries
        self._process = process
        self._snapshots = snapshots
        self._rooms: dict[str, Room] = {}
        self._used: dict[str, float] = {}
        self._loading: dict[str, list[Entry]] = {}
        self._loads: dict[str, asyncio.Task[Room]] = {}
        self._pumps: dict[Follower, asyncio.Event] = {}
        self._reads: dict[tuple[str, int], asyncio.Task[list[Entry]]] = {}
        self._catching: dict[Room, bool] = {}  # rooms being read up, and whether more was heard meanwhile
        self._tasks: set[asyncio.Task[Any]] = set()
        self.log = Log(entries, process=process, bell=bell, release=self.release, heard=self.heard)
        process.on_epoch(self._start_over)
        self.deliveries = 0

    @property
    def epoch(self) -> str:
        """Return the epoch that offsets belong to."""
        return self._process.epoch

    @property
    def loaded(self) -> int:
        """Return the number of loaded rooms."""
        return len(self._rooms)

    async def room(self, name: str) -> Room:
        """Return a room, loaded; raises Unavailable. Cancelling does not stop a load that others wait for."""
        if (room := self._rooms.get(name)) is not None:
            self._used[name] = time.monotonic()
            return room
        if name not in self._loads:
            self._loading[name] = []
            self._loads[name] = self._own(self._load(name))
        return await asyncio.shield(self._loads[name])

    def loaded_room(self, name: str) -> Room | None:
        """Return a room if it is loaded."""
        return self._rooms.get(name)

    def release(self, name: str, entries: list[Entry]) -> None:
        """Hand entries that are in the log to their room, if anybody follows it here."""
        if (room := self._rooms.get(name)) is not None:
            self.deliveries += room.offer(entries) * len(room.live)
            if room.waiting:
                self._pull(room)
        elif name in self._loading:
            self._loading[name] += entries

    def heard(self, name: str, n: int) -> None:
        """Catch up with an entry that this process did not write."""
        self.log.saw(name, n)
        room = self._rooms.get(name)
        if room is not None and room.head < n:
            self._pull(room)

    def wake(self, follower: Follower) -> None:
        """Serve a follower that has fallen behind; at most one task each."""
        if follower not in self._pumps:
            self._pumps[follower] = asyncio.Event()
            self._own(self._pump(follower))

    def drained(self, follower: Follower) -> None:
        """Tell that a follower's client has read something."""
        if (event := self._pumps.get(follower)) is not None:
            event.set()

    def forget(self, follower: Follower) -> None:
        """Take a follower out of all its rooms."""
        for name in list(follower.cursors):
            if (room := self._rooms.get(name)) is not None:
                follower.leave(room)
        follower.close()
        self.drained(follower)

    async def place(self, name: str, *, after: int | None, epoch: str | None) -> Place:
        """Find from where to follow (core §5); raises Unavailable."""
        room = await self.room(name)
        head = room.head
        usable = after is not None and epoch in (None, self.epoch) and 0 <= after <= head
        if usable and after is not None and after >= await self._entries.floor(name):
            return Place(room=name, epoch=self.epoch, offset=head, cursor=after, recovered=True)
        offset, state = await self._snapshots.take(room)
        return Place(
            room=name, epoch=self.epoch, offset=offset, cursor=offset, recovered=False, snapshot=state
        )

    async def run(self) -> None:
        """Check the rooms' positions and unload the unused ones until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()
            await self.check_log()
            for room in self._unused():
                await self.unload(room)

    def check(self) -> None:
        """Read up every followed room: what other processes wrote may not have been heard."""
        behind = self._behind()
        for name, room in self._rooms.items():
            if room.live or name in behind:
                self._used[name] = time.monotonic()
                self._pull(room)

    async def check_log(self) -> None:
        """Change the epoch when the log has lost what was committed, as by a restored backup (core §7.2)."""
        last = self.log.last
        if last is None:
            return
        try:
            for _ in range(LOST_TRIES):
                kept = await self._entries.writer(last.room, last.n) == last.w
                if kept or await self._entries.floor(last.room) >= last.n:
                    return
                await asyncio.sleep(LOST_SECONDS)
            log.critical("log lost entries; its epoch changes", room=last.room, n=last.n)
            await self._process.renew_epoch()
        except Unavailable:
            return  # looked at again in a while

    async def unload(self, room: Room) -> None:
        """Forget a room unless somebody came back to it meanwhile."""
        used = self._used.get(room.name)
        try:
            await self._snapshots.put_away(room)
        except (Unavailable, TooLarge):
            log.warning("fold not stored; it is made again", room=room.name)
        if self._used.get(room.name) == used and not room.live and self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            self._used.pop(room.name, None)

    async def close(self) -> None:
        """End the tasks of this hub."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _load(self, name: str) -> Room:
        try:
            epoch = None
            while epoch != self.epoch:  # a top of an earlier epoch means nothing
                epoch = self.epoch
                room = Room(name, await self._entries.top(name))
            # no await from here on: what came meanwhile is in the list, the rest reaches the room itself
            room.offer(self._loading[name])
            self._rooms[name] = room
            self._used[name] = time.monotonic()
            self.log.saw(name, room.head)
            if room.waiting:
                self._pull(room)
            return room
        finally:
            del self._loading[name], self._loads[name]

    def _behind(self) -> set[str]:
        return {name for follower in self._pumps for name in follower.behind}

    def _unused(self) -> list[Room]:
        behind, long_ago = self._behind(), time.monotonic() - UNLOAD_SECONDS
        idle = (room for name, room in self._rooms.items() if not room.live and name not in behind)
        return [room for room in idle if self._used.get(room.name, 0.0) < long_ago]

    def _pull(self, room: Room) -> None:
        """Read a room up, by one task at a time; what is heard while it reads makes it read once more."""
        if room in self._catching:
            self._catching[room] = True
        else:
            self._catching[room] = False
            self._own(self._catch_up(room))

    async def _catch_up(self, room: Room) -> None:
        try:
            while True:
                try:
                    rows = await self._entries.page(room.name, after=room.head, limit=PAGE_ENTRIES)
                except Unavailable:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                room.offer([entry(row) for row in rows])
                if len(rows) < PAGE_ENTRIES and not self._catching[room]:
                    return
                self._catching[room] = False
        finally:
            del self._catching[room]

    async def _pump(self, follower: Follower) -> None:
        event = self._pumps[follower]
        try:
            while follower.behind:
                if follower.sink.size > LOW_WATER:
                    event.clear()
                    await _wait(event, DRAIN_POLL_SECONDS)
                    continue
                name, room = next(iter(follower.behind.items()))
                follower.behind[name] = follower.behind.pop(name)  # the others get their turn
                page = await self._page(room, follower.cursors[name])
                if page is None:
                    follower.sink.abort("place is gone")
                    return
                follower.page(room, page)
        finally:
            del self._pumps[follower]

    async def _page(self, room: Room, after: int) -> list[Entry] | None:
        """Read what follows a number, from memory if it is there; None when it is no longer kept."""
        recent = room.newer(after, limit=PAGE_ENTRIES, budget=PAGE_BYTES)
        if recent is not None:
            return recent
        key = (room.name, after)
        if key not in self._reads:
            self._reads[key] = self._own(self._read(room, after))
        try:
            page = await asyncio.shield(self._reads[key])
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
            return []
        if page:
            return page if page[-1].n == after + len(page) else None
        await asyncio.sleep(RETRY_SECONDS)  # no majority has it yet, or it is no longer kept
        return None if await self._floor(room) > after else []

    async def _floor(self, room: Room) -> int:
        try:
            return await self._entries.floor(room.name)
        except Unavailable:
            return 0

    async def _read(self, room: Room, after: int) -> list[Entry]:
        try:
            rows = await self._entries.page(room.name, after=after, upto=room.head, limit=PAGE_ENTRIES)
        finally:
            del self._reads[room.name, after]
        page: list[Entry] = []
        budget = PAGE_BYTES
        for row in rows:
            page.append(entry(row))
            budget -= page[-1].size
            if budget < 0:
                break
        return page

    def _start_over(self) -> None:
        """Another epoch: numbers mean something else now; every follower resumes, every room reloads."""
        followers = {f for room in self._rooms.values() for f in room.live if isinstance(f, Follower)}
        self._rooms.clear()
        self._used.clear()
        self._snapshots.clear()
        self.log.forget()
        for follower in followers | set(self._pumps):
            follower.sink.abort("epoch changed")

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def entry(row: Row) -> Entry:
    """Return a stored entry as it is handed to followers."""
    return Entry(room=row.room, n=row.n, w=row.w, at=row.at, name=row.name, j=row.j.encode())


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
