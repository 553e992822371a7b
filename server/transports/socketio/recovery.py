"""Connection state recovery: clients that ask for it come back into their session (core §6)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import structlog

from server.engine.access import Identity
from server.engine.ids import new
from server.errors import Conflict, Unavailable
from server.rooms.bell import Bell
from server.rooms.hub import Hub
from server.rooms.process import Process
from server.store.sessions import Session, SessionRoom, SessionStore
from server.transports.abandoned import WITHIN_SECONDS, Abandoned
from server.transports.session_rooms import session_tag
from server.transports.socketio.arrivals import Arrivals
from server.transports.socketio.outbox import REPLACED, Outbox
from server.transports.socketio.recovering import RecoveringConnection

log = structlog.get_logger(__name__)
SWEEP_SECONDS = 20.0
AT_ONCE = 500  # sessions in one call of the database
LONGEST_ID = 36
TRIES = 5

MayFollow = Callable[[Identity, str], Awaitable[bool]]


class Recovery:
    """Keeps the sessions of clients that ask for recovery, and gives them back to who they belong to.

    Any process can: who takes a session makes its process the session's home, and the connection that had it
    is cut, wherever it is. Of several that come to one process at a time the last to come is left.
    """

    def __init__(
        self, hub: Hub, *, store: SessionStore, bell: Bell, process: Process, may_follow: MayFollow
    ) -> None:
        self._hub = hub
        self._store = store
        self._bell = bell
        self._process = process
        self._may_follow = may_follow
        self._abandoned = Abandoned(store, process, sockets=True)
        self._arrivals = Arrivals()
        self._here: dict[str, RecoveringConnection] = {}
        self._dropped: list[RecoveringConnection] = []
        self._left: list[Session] = []
        self._storing = asyncio.Lock()
        self._storer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        bell.on_told("socket", self._told)

    @property
    def connections(self) -> int:
        """Return how many clients are connected that can come back."""
        return len(self._here)

    async def open(
        self, outbox: Outbox, identity: Identity, *, sid: str, auth: dict[str, Any]
    ) -> RecoveringConnection:
        """Return the connection of the session that a client names, else of a new one.

        Raises Unavailable, and Conflict for who was cut because a newer connection has the session.
        Cancelling leaves the session as it was, for another try.
        """
        arrival = self._arrivals.new()
        await self.flush()
        pid, offset = auth.get("pid"), auth.get("offset")
        if isinstance(pid, str) and len(pid) <= LONGEST_ID:
            try:
                connection = await self._take(outbox, identity, session_id=pid, arrival=arrival)
            finally:
                self._arrivals.done(pid, arrival)
            if connection is not None and await self._find(connection, identity, offset=offset):
                return connection
        return await self._new(outbox, identity, sid=sid, offset=offset, arrival=arrival)

    def closed(self, connection: RecoveringConnection, *, left: bool) -> None:
        """Note that a connection is gone, for now or for good; harmless when noted before."""
        here = self._forget(connection)
        if left and not connection.ended:
            connection.ended = True
            self._left.append(connection.record)
        elif here:
            self._dropped.append(connection)
        if (self._dropped or self._left) and (self._storer is None or self._storer.done()):
            self._storer = self._own(self._store_soon())

    async def flush(self) -> None:
        """Store what is not stored of connections that are gone; raises Unavailable."""
        async with self._storing:
            while self._dropped or self._left:
                dropped, self._dropped = self._dropped[:AT_ONCE], self._dropped[AT_ONCE:]
                left, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
                try:
                    await self._store_rooms(dropped)
                    await self._store.rest([connection.record for connection in dropped])
                    await self._store.close_all(left)
                except BaseException:
                    self._dropped += dropped
                    self._left += left
                    raise

    async def run(self) -> None:
        """Look after the sessions until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except Unavailable:
                log.warning("socket sessions not swept")

    async def sweep(self) -> None:
        """Store what has changed, note who is in use, cut who is at home elsewhere; raises Unavailable."""
        await self.flush()
        here = list(self._here.values())
        for start in range(0, len(here), AT_ONCE):
            await self._sweep(here[start : start + AT_ONCE])
        await self._abandoned.remove()

    async def close(self, *, patience: float) -> None:
        """Store the rest; what cannot be stored counts from when its session was last noted as in use."""
        try:
            async with asyncio.timeout(patience):
                await self.flush()
        except (TimeoutError, Unavailable):
            log.warning("closed socket sessions not stored")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _sweep(self, connections: list[RecoveringConnection]) -> None:
        await self._store_rooms(connections)
        ids = [connection.record.id for connection in connections]
        elsewhere = await self._store.elsewhere(ids, self._process.name)
        for connection in connections:
            if connection.record.id in elsewhere:
                self._let_go(connection)
        await self._store.touch([session_id for session_id in ids if session_id not in elsewhere])

    async def _store_rooms(self, connections: list[RecoveringConnection]) -> None:
        for connection in connections:
            if connection.rooms.unsaved:
                await connection.rooms.save()

    def _is_of(self, record: Session, identity: Identity) -> bool:
        """Tell whether a session is somebody's, with the same role, and its numbers still mean the same."""
        owner = Identity(**record.identity)
        same = replace(owner, expires=None) == replace(identity, expires=None)
        return same and record.epoch == self._hub.epoch

    async def _take(
        self, outbox: Outbox, identity: Identity, *, session_id: str, arrival: int
    ) -> RecoveringConnection | None:
        """Take a session for a connection; None when it is none that the client may have.

        A client that was cut while its first try still runs comes again at once. Who then finds that the
        other was quicker tries again, unless it is itself the one that came first.
        """
        for _ in range(TRIES):
            record = await self._store.find_socket(session_id, within=WITHIN_SECONDS)
            if record is None or not self._is_of(record, identity):
                return None
            if outbox.closed or self._came_later(session_id, arrival):
                raise _replaced(outbox)
            self._arrivals.wait(session_id, arrival)
            taken = await self._store.take(record, process=self._process.name)
            if taken is None:
                continue
            if record.process != self._process.name:
                self._bell.tell(record.process, "socket", record.id)
            connection = RecoveringConnection(
                self._hub, outbox, record=taken, store=self._store, arrival=arrival
            )
            if not self._install(connection):
                raise _replaced(outbox)
            return connection
        return None

    def _came_later(self, session_id: str, arrival: int) -> bool:
        """Tell whether a later connection has the session here, or is about to."""
        other = self._here.get(session_id)
        return (other is not None and other.arrival > arrival) or self._arrivals.later(session_id, arrival)

    async def _find(self, connection: RecoveringConnection, identity: Identity, *, offset: object) -> bool:
        """Find the places of a session that was taken; without all of them it ends."""
        try:
            if await connection.find(offset, partial(self._may_follow, identity)):
                return True
        except BaseException:
            self._forget(connection)
            raise
        self.closed(connection, left=True)
        return False

    def _install(self, connection: RecoveringConnection) -> bool:
        """Cut an older connection of the session; False when this one is the older."""
        session_id = connection.record.id
        other = self._here.get(session_id)
        if other is not None and other.record.turn > connection.record.turn:
            return False
        self._here[session_id] = connection
        if other is not None:
            other.sink.abort(REPLACED)
        return True

    async def _new(
        self, outbox: Outbox, identity: Identity, *, sid: str, offset: object, arrival: int
    ) -> RecoveringConnection:
        """Begin a session in the client's own room."""
        room = await self._hub.room(identity.key)
        epoch = self._hub.epoch
        session_id = new()
        while isinstance(offset, str) and offset.endswith(session_tag(session_id, epoch=epoch)):
            session_id = new()  # the client keeps the old session's string until an event brings another
        record = Session(
            id=session_id,
            identity=asdict(identity),
            sid=sid,
            epoch=epoch,
            aliases=1,
            process=self._process.name,
            rooms=[SessionRoom(alias=0, room=identity.key, start=room.head, epoch=epoch)],
        )
        await self._store.create(record)
        connection = RecoveringConnection(
            self._hub, outbox, record=record, store=self._store, arrival=arrival
        )
        self._install(connection)
        return connection

    def _told(self, session_id: str) -> None:
        """Look whether a session has been taken elsewhere."""
        if (connection := self._here.get(session_id)) is not None:
            self._own(self._look(connection))

    async def _look(self, connection: RecoveringConnection) -> None:
        try:
            if await self._store.elsewhere([connection.record.id], self._process.name):
                self._let_go(connection)
        except Unavailable:
            log.info("socket session not looked at; it is with the next sweep")

    def _let_go(self, connection: RecoveringConnection) -> None:
        if self._forget(connection):
            connection.sink.abort(REPLACED)

    def _forget(self, connection: RecoveringConnection) -> bool:
        """Forget a connection; False when another one has taken its place."""
        if self._here.get(connection.record.id) is not connection:
            return False
        del self._here[connection.record.id]
        return True

    async def _store_soon(self) -> None:
        try:
            await self.flush()
        except Unavailable:
            log.info("closed socket sessions not stored; they are with the next sweep")

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _replaced(outbox: Outbox) -> Conflict:
    """Cut a connection, and return why: a newer one has its session."""
    outbox.abort(REPLACED)
    return Conflict("A newer connection has this session.")
