"""The rooms of this process: loading, hearing of others, who is behind, snapshots (core §2, §3, §5, §9)."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from server.errors import TooLarge, Unavailable
from server.rooms.bell import Bell
from server.rooms.catching import CatchUp, Loading
from server.rooms.entry import Entry, Sound
from server.rooms.families import wire_name
from server.rooms.follower import LOW_WATER, Follower
from server.rooms.log import Log
from server.rooms.place import Place
from server.rooms.process import Process
from server.rooms.pumps import Pumps
from server.rooms.room import Room
from server.rooms.snapshot import Behind, Snapshots
from server.rooms.sound import Ears
from server.store.entries import EntryStore

log = structlog.get_logger(__name__)
T = TypeVar("T")
UNLOAD_SECONDS = 60.0
CHECK_SECONDS = 30.0
POLL_SECONDS = 0.25
LOST_TRIES = 5
LOST_SECONDS = 1.0


class Hub:
    """Owns the loaded rooms and the tasks that serve their followers."""

    def __init__(self, entries: EntryStore, *, process: Process, bell: Bell, snapshots: Snapshots) -> None:
        self._entries = entries
        self._process = process
        self.bell = bell
        self._snapshots = snapshots
        self._rooms: dict[str, Room] = {}
        self._used: dict[str, float] = {}
        self._loading: dict[str, Loading] = {}
        self._loads: dict[str, asyncio.Task[Room]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pumps = Pumps(entries, own=self._own)
        self._catching = CatchUp(entries, own=self._own, offer=self._offer, gone=self._gone)
        self.log = Log(entries, process=process, bell=bell, release=self.release, heard=self.heard)
        self.deliveries = 0
        self._ears = Ears()
        process.on_epoch(self._start_over)
        bell.attach(self)

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
        while (room := self._rooms.get(name)) is None:  # also when the epoch changed just after a load
            if name not in self._loads:
                self._loading[name] = Loading()
                self._loads[name] = self._own(self._load(name))
            await asyncio.shield(self._loads[name])
        self._used[name] = time.monotonic()
        return room

    def loaded_room(self, name: str) -> Room | None:
        """Return a room if it is loaded."""
        return self._rooms.get(name)

    def loaded_as(self, name: str) -> list[Room]:
        """Return the loaded rooms that clients know by a name: there may be one for each organisation."""
        return [room for key, room in self._rooms.items() if wire_name(key) == name]

    async def settle_head(self, name: str) -> Room:
        """Return a room with all that the log has by now, whether it was heard or not; raises Unavailable."""
        room = await self.room(name)
        if (top := await self._entries.top(name)) > room.head:
            await self._catching.read([room])
            if room.head < top and self._rooms.get(name) is room:
                self._gone(room)  # nothing that follows its head is kept
        return await self.room(name)

    def release(self, name: str, entries: list[Entry]) -> None:
        """Hand entries that are in the log to their room, if anybody follows it here."""
        if (room := self._rooms.get(name)) is not None:
            self._offer(room, entries)
        elif name in self._loading:
            self._loading[name].entries += entries

    def heard(self, name: str, n: int) -> None:
        """Catch up with an entry that this process did not write."""
        self.log.saw(name, n)
        room = self._rooms.get(name)
        if room is not None and room.head < n:
            self._catching.want(room)

    def announced(self, room: str, entries: list[Entry]) -> None:
        """Take entries that another process has put into the log."""
        if room in self._rooms or room in self._loading:
            self.log.saw(room, max(entry.n for entry in entries))
            self.release(room, entries)

    def announced_number(self, room: str, n: int) -> None:
        """Take the number of an entry that another process has put into the log."""
        if room in self._rooms or room in self._loading:
            self.heard(room, n)

    def listening(self, room: str) -> None:
        """Read a room that is heard only from now on."""
        if (loaded := self._rooms.get(room)) is not None:
            self._catching.want(loaded)
        elif room in self._loading:
            self._loading[room].unsure = True

    def flashed(self, room: str, name: str, data: bytes) -> None:
        """Send an event without an offset to who follows the room now and keeps up."""
        for follower in [f for loaded in self.loaded_as(room) for f in loaded.live]:
            if isinstance(follower, Follower) and follower.sink.size <= LOW_WATER:
                follower.sink.answer(name, data)

    def listen(self, room: str, follower: Follower) -> None:
        """Have a follower hear the sound of a room that it follows."""
        self._ears.listen(room, follower)

    def sound(self, sound: Sound, *, but: Follower | None = None) -> None:
        """Send a piece of sound to who listens to its room, in every process; it may be lost."""
        self._ears.hear(sound, but=but)
        self.bell.sound(sound)

    def heard_sound(self, sound: Sound) -> None:
        """Send a piece of sound from another process to who listens here."""
        self._ears.hear(sound)

    def wake(self, follower: Follower) -> None:
        """Serve a follower that has fallen behind."""
        self._pumps.wake(follower)

    def forget(self, follower: Follower) -> None:
        """Take a follower out of all its rooms."""
        for name in list(follower.rooms):
            if (room := self._rooms.get(name)) is not None:
                follower.leave(room)
        follower.close()

    async def reach(self, name: str, *, after: int | None, epoch: str | None) -> Room | None:
        """Return a room that can be followed after a number, None when what follows it is not kept.

        It is the loaded room of this epoch as long as the caller has not awaited anything else.
        """
        if after is None or after < 0:
            return None
        while epoch in (None, self.epoch):
            room = await self.room(name)
            if after > room.head:
                room = await self.settle_head(name)  # another process has shown more than was heard here
            floor = await self._entries.floor(name)
            if self._rooms.get(name) is room:  # else the epoch changed meanwhile, or it was unloaded
                return room if floor <= after <= room.head else None
        return None

    async def place(self, name: str, *, after: int | None, epoch: str | None) -> Place:
        """Find from where to follow (core §5); raises Unavailable."""
        room = await self.reach(name, after=after, epoch=epoch)
        if room is not None and after is not None:
            return Place(room=name, epoch=self.epoch, offset=room.head, cursor=after, recovered=True)
        room = await self.room(name)
        try:
            offset, state = await self._snapshots.take(room)
        except Behind:  # by a process that has heard more
            offset, state = await self._snapshots.take(await self.settle_head(name))
        return Place(
            room=name, epoch=self.epoch, offset=offset, cursor=offset, recovered=False, snapshot=state
        )

    async def run(self) -> None:
        """Look after the rooms until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._check())

    def check(self) -> None:
        """Read up every room: what other processes wrote may not have been heard."""
        now = time.monotonic()
        for room in self._followed():
            self._used[room.name] = now
        for room in self._rooms.values():
            self._catching.want(room)

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
            self._drop(room)

    async def close(self) -> None:
        """End the tasks of this hub."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _load(self, name: str) -> Room:
        loaded = False
        try:
            certain = await self.bell.listen(name)
            epoch = None
            while epoch != self.epoch:  # a top of an earlier epoch means nothing
                epoch = self.epoch
                heard = self._loading[name] = Loading()  # what was announced before is below the top
                room = Room(name, await self._entries.top(name))
            # no await from here on: what came meanwhile is in the list, the rest reaches the room itself
            room.offer(heard.entries)
            self._rooms[name], self._used[name] = room, time.monotonic()
            loaded = True
            if room.waiting or heard.unsure or not certain or self.log.known(name) > room.head:
                self._catching.want(room)
            self.log.saw(name, room.head)
            return room
        finally:
            del self._loading[name], self._loads[name]
            if not loaded:
                self.bell.ignore(name)

    async def _poll(self) -> None:
        """While others may not be heard, read what is followed every 250 ms."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self.bell.healthy:
                continue
            try:
                await self._catching.read(self._followed())
            except Unavailable:
                log.warning("followed rooms not read")

    async def _check(self) -> None:
        """Check the rooms' positions and unload the unused ones."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()
            self._ears.forget()
            await self.check_log()
            for room in self._unused():
                await self.unload(room)

    def _offer(self, room: Room, entries: list[Entry]) -> None:
        self.deliveries += room.offer(entries) * len(room.live)
        if room.waiting:
            self._catching.want(room)

    def _gone(self, room: Room) -> None:
        """Forget a room that missed entries which are no longer kept; who follows it resumes."""
        log.warning("room missed what is no longer kept", room=room.name, head=room.head)
        if self._rooms.get(room.name) is room:
            self._drop(room)
        for follower in list(room.live):
            if isinstance(follower, Follower):
                follower.sink.abort("place is gone")

    def _drop(self, room: Room) -> None:
        del self._rooms[room.name]
        self._used.pop(room.name, None)
        self.bell.ignore(room.name)

    def _followed(self) -> list[Room]:
        behind = self._pumps.behind()
        return [room for name, room in self._rooms.items() if room.live or name in behind]

    def _unused(self) -> list[Room]:
        behind, long_ago = self._pumps.behind(), time.monotonic() - UNLOAD_SECONDS
        idle = (room for name, room in self._rooms.items() if not room.live and name not in behind)
        return [room for room in idle if self._used.get(room.name, 0.0) < long_ago]

    def _start_over(self) -> None:
        """Another epoch: numbers mean something else now; every follower resumes, every room reloads."""
        followers = {f for room in self._rooms.values() for f in room.live if isinstance(f, Follower)}
        for room in list(self._rooms.values()):
            self._drop(room)
        self._used.clear()
        self._snapshots.clear()
        self.log.forget()
        for follower in followers | self._pumps.followers:
            follower.sink.abort("epoch changed")

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
