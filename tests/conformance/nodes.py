"""One process's worth of the core, and clients that follow it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import orjson

from schemas.attempt import AttemptJoined
from server.engine.ids import new
from server.rooms.bell import Bell, LocalBell
from server.rooms.connection import Connection
from server.rooms.entry import Entry, Sound
from server.rooms.hub import Hub
from server.rooms.log import Log
from server.rooms.outbox import Outboxes
from server.rooms.place import Place
from server.rooms.process import Process
from server.rooms.room import Room
from server.rooms.snapshot import Snapshots
from server.rooms.valkey_bell import ValkeyBell
from server.store import Store
from server.store.aggregates import AggregateStore
from server.store.entries import Row

MakeBell = Callable[[Process], Bell]
CHAT_ID = "00000000-0000-4000-8000-000000000001"
MARKER = AttemptJoined(chat_id=CHAT_ID, success=True)


def deaf(process: Process) -> Bell:
    """Return a bell that reaches nobody."""
    return LocalBell(process.name)


def over(url: str, *, quiet: float = 10.0) -> MakeBell:
    """Return what makes bells over a Valkey."""

    def make(process: Process) -> Bell:
        return ValkeyBell(
            url, prefix="conformance:", process=process.name, key=lambda: process.secret, quiet=quiet
        )

    return make


class Node:
    """What a process has of the core; unless another is given, its bell reaches nobody."""

    def __init__(
        self,
        store: Store,
        *aggregates: AggregateStore,  # type: ignore[type-arg]
        bell: MakeBell = deaf,
    ) -> None:
        self.store = store
        self.process = Process(f"process-{new()}", store.processes)
        self.snapshots = Snapshots(store.entries, {}, epoch=lambda: self.process.epoch)
        self.bell = bell(self.process)
        self.hub = Hub(store.entries, process=self.process, bell=self.bell, snapshots=self.snapshots)
        self.log: Log = self.hub.log
        self.outboxes = Outboxes(self.log, aggregates)
        self.publishing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to commit, and to hear of others."""
        await self.process.beat()
        self._tasks += [asyncio.create_task(run()) for run in (self.log.run, self.hub.run, self.bell.run)]

    @property
    def valkey_bell(self) -> ValkeyBell:
        """Return the bell of a node that was given one over a Valkey."""
        assert isinstance(self.bell, ValkeyBell)
        return self.bell

    def catch_up(self) -> None:
        """Read the log as every 30 s, where nothing else tells of the others."""
        if isinstance(self.bell, LocalBell):
            self.hub.check()

    def sweep(self) -> None:
        """Begin to clear and sweep outboxes."""
        self._tasks.append(asyncio.create_task(self.outboxes.run()))

    async def die(self) -> None:
        """Stop where it is, as a killed process does."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.hub.close()

    def publish(
        self, room: str, text: str, *, eid: str | None = None, leased: bool = False
    ) -> "asyncio.Future[int]":
        """Queue an entry with a text."""
        self.publishing.set()
        return self.log.publish(
            room, "attempt_progress", orjson.dumps({"text": text}), eid=eid, leased=leased
        )

    async def room(self, name: str) -> Room:
        """Return a room, loaded."""
        return await self.hub.room(name)


Nodes = list[Node]


@asynccontextmanager
async def running(store: Store, *, count: int, bell: MakeBell = deaf) -> AsyncIterator[Nodes]:
    """Run some nodes on one database."""
    nodes = [Node(store, bell=bell) for _ in range(count)]
    for node in nodes:
        await node.start()
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.die()


class Client:
    """A sink that remembers what it got; it reads at once, or `greedy` bytes whenever it is its turn."""

    def __init__(self, node: Node, *, greedy: int | None = None) -> None:
        self.got: list[Entry] = []
        self.answers: list[tuple[str, int]] = []
        self.reasons: list[str] = []
        self.size = 0
        self._greedy = greedy
        self._changed = asyncio.Event()
        self.read = asyncio.Event()
        self._node = node
        self.connection = Connection(node.hub, self)
        self._reading = asyncio.create_task(self._read()) if greedy else None

    def write(self, entries: Sequence[Entry]) -> None:
        """Take entries."""
        self.got += entries
        if self._greedy is not None:
            self.size += sum(entry.size for entry in entries)
        self._changed.set()

    def sound(self, sound: Sound) -> None:
        """Take no sound."""

    def answer(self, event: str, data: bytes) -> None:
        """Take an answer, and note after how many entries."""
        self.answers.append((event, len(self.got)))
        self._changed.set()

    async def drained(self) -> None:
        """Return when everything has been read."""
        self.read.clear()
        await self.read.wait()

    def abort(self, reason: str) -> None:
        """Note that the connection is cut."""
        self.reasons.append(reason)
        self._changed.set()

    async def join(
        self, room: str, *, after: int | None = None, epoch: str | None = None, marked: bool = False
    ) -> Place:
        """Join a room as a transport does."""
        joined = await self.connection.join(room, after=after, epoch=epoch, marker=MARKER if marked else None)
        joined.start()
        return joined.place

    async def until(self, room: str, n: int) -> None:
        """Wait until an entry of a room has arrived."""
        while not any(e.room == room and e.n >= n for e in reversed(self.got)):
            await self._something()

    async def until_something_or(self, task: "asyncio.Task[None]") -> None:
        """Wait until something arrives or a task has ended."""
        arrived = asyncio.create_task(self._something())
        await asyncio.wait([arrived, task], return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()

    async def until_cut(self) -> None:
        """Wait until the connection is cut."""
        while not self.reasons:
            await self._something()

    def numbers(self, room: str) -> list[int]:
        """Return the numbers of a room that arrived."""
        return [e.n for e in self.got if e.room == room]

    async def close(self) -> None:
        """Go away."""
        self.connection.close()
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def _something(self) -> None:
        self._changed.clear()
        async with asyncio.timeout(30):
            await self._changed.wait()

    async def _read(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.size = max(0, self.size - (self._greedy or 0))
            if self.size == 0:
                self.read.set()


async def whole(store: Store, room: str) -> list[Row]:
    """Return a room's whole log."""
    return await store.entries.page(room, after=0, limit=100_000)


def text_of(row: Row | Entry) -> str:
    """Return the text of an entry that `publish` made."""
    found: str = orjson.loads(row.j if isinstance(row, Row) else row.data)["text"]
    return found


def check_log(rows: Sequence[Row]) -> None:
    """Raise when a log has a hole, or an entry twice."""
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.w for row in rows}) == len(rows)
    event_ids = [row.eid for row in rows if row.eid]
    assert len(set(event_ids)) == len(event_ids)


def check_followed(client: Client, room: str, *, after: int, upto: int) -> None:
    """Raise unless a client got exactly the entries between two places, in order."""
    assert client.numbers(room) == list(range(after + 1, upto + 1))
