"""What is served over Socket.IO: who connects, their events, their rooms."""

import asyncio
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Protocol

from schemas.envelope import AuthRefresh, ConnectionConfirmed, ServerDraining
from server.dispatch import MAX_EVENT_NAME, Answer, Caller, refusal, traced, validated
from server.engine.access import Identity, check_renewal
from server.errors import BadRequest, GreenroomError, RateLimited, Unauthenticated, Unavailable
from server.rooms.connection import Connection
from server.rooms.hub import Hub
from server.transports.admission import Admission, Place
from server.transports.doors import reconnect_in
from server.transports.expiry import Expiry
from server.transports.socketio.frames import CLOSE
from server.transports.socketio.limits import Limits
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Client, Refusal
from server.transports.socketio.recovering import RecoveringConnection
from server.transports.socketio.recovery import Recovery
from server.transports.socketio.sink import SocketSink

SUCCESS = b'{"success":true}'


class Access(Protocol):
    """Tells who somebody is."""

    async def authenticate(self, *, token: str | None, api_key: str | None, guest_id: str | None) -> Identity:
        """Return the identity that a token, a key or a guest's id stands for; raises GreenroomError."""


class Dispatch(Protocol):
    """Answers events."""

    async def __call__(self, event: str, data: object, caller: Caller) -> Answer:
        """Answer an event; never raises but when it is cancelled."""


class Session:
    """One client: who it is, what it follows, and when its token ends."""

    __slots__ = ("caller", "closed", "connection", "expiry", "place", "sink")

    def __init__(
        self, *, caller: Caller, connection: Connection, sink: SocketSink, place: Place, expiry: Expiry
    ) -> None:
        self.caller = caller
        self.connection = connection
        self.sink = sink
        self.place = place
        self.expiry = expiry
        self.closed = False


class Sessions:
    """Lets clients in and hands their events to the dispatcher, which never raises."""

    namespaces: Collection[str] = ("/",)

    def __init__(
        self, *, hub: Hub, access: Access, dispatch: Dispatch, recovery: Recovery, limits: Limits,
        admission: Admission | None = None,
    ) -> None:  # fmt: skip
        self._hub = hub
        self._access = access
        self._dispatch = dispatch
        self._recovery = recovery
        self._limits = limits
        self._admission = admission or Admission()

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Authenticate a client and load its own room; raises Refusal. Cancelling leaves nothing behind."""
        try:
            return await self._welcome(client, auth)
        except GreenroomError as error:
            told: dict[str, Any] = {"code": error.code, "message": error.message}
            if error.retry_after is not None:
                told["retry_after"] = error.retry_after
            raise Refusal(error.message, data=told) from error

    async def _welcome(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                identity = await self._identify(client, auth)
                place = await self._admission.of_identity(identity.key, client.peer.socket)
                return await self._let_in(client, auth, identity=identity, place=place)
        except TimeoutError as error:
            raise Unavailable("The server could not let you in in time; try again.") from error

    async def _let_in(
        self, client: Client, auth: dict[str, Any], *, identity: Identity, place: Place
    ) -> Callable[[], None]:
        try:
            connection, sink, begin = await self._open(client, identity, auth)
        except BaseException:
            place.leave()
            raise
        caller = Caller(identity, connection)
        end = partial(client.peer.socket.shut, last=CLOSE)
        expiry = Expiry(tell=sink.answer, end=end, grace=self._limits.expiry_grace)
        session = client.session = Session(
            caller=caller, connection=connection, sink=sink, place=place, expiry=expiry
        )

        def greet() -> None:
            confirmed = self._confirmed(client, identity, connection)
            sink.answer(confirmed.event, confirmed.encode())
            begin()
            if not session.closed:  # a place may be gone by now, and the connection cut
                session.expiry.at(identity.expires)

        return greet

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Answer one event: notices, ack and what follows it are written in one tick."""
        session: Session = client.session
        with traced(event.name):
            try:
                answer = await self._answer(session, client, event)
            except GreenroomError as error:
                answer = refusal(event.name, error)
            self._answered(session, event, answer)
            if not session.closed:
                answer.after()

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """Answer an event that is not handled, because there are too many."""
        self._answered(client.session, event, refusal(event.name, error))

    def draining(self, client: Client) -> None:
        """Tell a client that the process is about to stop, and when to come back."""
        draining = ServerDraining(reconnect_in=reconnect_in())
        client.session.sink.answer(draining.event, draining.encode())

    def disconnected(self, client: Client) -> None:
        """Leave the client's rooms; harmless when done before."""
        session: Session = client.session
        session.closed = True
        session.place.leave()
        session.connection.close()
        session.sink.release()
        if isinstance(session.connection, RecoveringConnection):
            self._recovery.closed(session.connection, left=client.left)
        session.expiry.stop()

    async def _answer(self, session: Session, client: Client, event: SocketPacket) -> Answer:
        if event.problem is not None:
            raise BadRequest(event.problem)
        if len(event.args) != 1:
            raise BadRequest(f"An event takes one argument, an object; this one came with {len(event.args)}.")
        if len(event.name) > MAX_EVENT_NAME:
            raise BadRequest(f"The event's name is longer than {MAX_EVENT_NAME} characters.")
        if event.name == AuthRefresh.event:
            return await self._refresh(session, event.args[0])
        return await self._dispatch(event.name, event.args[0], session.caller)

    async def _identify(self, client: Client, auth: dict[str, Any]) -> Identity:
        proof = client.peer.socket.credentials
        token = _text(auth, "token")
        api_key = None
        if token is None and proof is not None:
            token, api_key = proof.token, proof.api_key
        guest_id = _text(auth, "guest_id") if token is None and api_key is None else None
        return await self._access.authenticate(token=token, api_key=api_key, guest_id=guest_id)

    async def _open(
        self, client: Client, identity: Identity, auth: dict[str, Any]
    ) -> tuple[Connection, SocketSink, Callable[[], None]]:
        """Return a client's connection, its sink, and what begins to follow; raises Unavailable."""
        outbox = client.peer.socket.outbox
        if _asks_for_recovery(auth):
            found = await self._recovery.open(outbox, identity, sid=client.sid, auth=auth)
            client.sid, client.pid = found.sid, found.record.id
            return found, found.sink, found.begin
        room = await self._hub.room(identity.key)
        sink = SocketSink(outbox)
        connection = Connection(self._hub, sink)
        return connection, sink, lambda: connection.start(room)

    def _confirmed(self, client: Client, identity: Identity, connection: Connection) -> ConnectionConfirmed:
        return ConnectionConfirmed(
            sid=client.sid,
            profile_id=identity.id if identity.kind == "profile" else None,
            guest_id=identity.id if identity.kind == "guest" else None,
            server_time=time.time(),
            role=identity.role,
            epoch=self._hub.epoch,
            recovered=connection.recovered if isinstance(connection, RecoveringConnection) else None,
        )

    async def _refresh(self, session: Session, data: object) -> Answer:
        """Replace the identity of a live connection by a newer token of the same profile."""
        asked = validated(AuthRefresh, data, max_depth=self._limits.max_json_depth)
        identity = await self._access.authenticate(token=asked.token, api_key=None, guest_id=None)
        check_renewal(identity, session.caller.identity)
        session.caller.identity = identity
        if not session.closed:
            session.expiry.at(identity.expires)
        return Answer(ack=SUCCESS)

    def _answered(self, session: Session, event: SocketPacket, answer: Answer) -> None:
        for name, data in answer.notices:
            session.sink.answer(name, data)
        if event.ack_id is not None:
            session.sink.acknowledge(event.ack_id, answer.ack)


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Unauthenticated(f"auth.{name} has to be a string.")


def _asks_for_recovery(auth: dict[str, Any]) -> bool:
    """Tell whether a client takes strings behind events; those of most libraries would break on them."""
    wanted = auth.get("recovery")
    if wanted is None or isinstance(wanted, bool):
        return wanted is True
    raise BadRequest("auth.recovery has to be true or false.")
