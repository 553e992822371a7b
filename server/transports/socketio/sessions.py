"""What is served over Socket.IO: who connects, their events, their rooms."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

from schemas.attempt import AttemptError
from schemas.envelope import ConnectionConfirmed
from server.dispatch import Answer, Caller
from server.engine.access import Identity
from server.errors import BadRequest, Forbidden, GreenroomError, RateLimited, Unauthenticated
from server.rooms.connection import Connection
from server.rooms.hub import Hub
from server.transports.socketio.frames import CLOSE
from server.transports.socketio.limits import Limits
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Client, Refusal
from server.transports.socketio.sink import SocketSink

MAX_EVENT_NAME = 64
MAX_TIMER = 3600.0
AUTH_EXPIRED = "auth_expired"
AUTH_REFRESH = "auth_refresh"
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

    __slots__ = ("caller", "closed", "connection", "sink", "timer")

    def __init__(self, *, caller: Caller, connection: Connection, sink: SocketSink) -> None:
        self.caller = caller
        self.connection = connection
        self.sink = sink
        self.closed = False
        self.timer: asyncio.TimerHandle | None = None


class Sessions:
    """Lets clients in and hands their events to the dispatcher, which never raises."""

    namespaces: Collection[str] = ("/",)

    def __init__(self, *, hub: Hub, access: Access, dispatch: Dispatch, limits: Limits) -> None:
        self._hub = hub
        self._access = access
        self._dispatch = dispatch
        self._limits = limits

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Authenticate a client and load its own room; raises Refusal. Cancelling leaves nothing behind."""
        try:
            identity = await self._identify(client, auth)
            room = await self._hub.room(identity.key)
        except GreenroomError as error:
            raise Refusal(error.message, data={"code": error.code, "message": error.message}) from error
        sink = SocketSink(client.peer.socket.outbox)
        connection = Connection(self._hub, sink)
        session = Session(caller=Caller(identity, connection), connection=connection, sink=sink)
        client.session = session

        def greet() -> None:
            confirmed = self._confirmed(client, identity)
            sink.answer(confirmed.event, confirmed.encode())
            connection.follower.follow(room, room.head)
            self._watch(client, session)

        return greet

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Answer one event: notices, ack and what follows it are written in one tick."""
        session: Session = client.session
        try:
            answer = await self._answer(session, client, event)
        except GreenroomError as error:
            self._refuse(session, event, error)
            return
        for name, data in answer.notices:
            session.sink.answer(name, data)
        if event.ack_id is not None:
            session.sink.acknowledge(event.ack_id, answer.ack)
        if not session.closed:
            answer.after()

    def overflow(self, client: Client, event: SocketPacket) -> None:
        """Answer an event that came while too many were waiting."""
        message = f"{self._limits.max_queued} events are waiting already; wait for their acks."
        self._refuse(client.session, event, RateLimited(message, retry_after=1.0))

    def disconnected(self, client: Client) -> None:
        """Leave the client's rooms; harmless when done before."""
        session: Session = client.session
        session.closed = True
        session.connection.close()
        if session.timer is not None:
            session.timer.cancel()

    async def _answer(self, session: Session, client: Client, event: SocketPacket) -> Answer:
        if event.problem is not None:
            raise BadRequest(event.problem)
        if len(event.args) != 1:
            raise BadRequest(f"An event takes one argument, an object; this one came with {len(event.args)}.")
        if len(event.name) > MAX_EVENT_NAME:
            raise BadRequest(f"The event's name is longer than {MAX_EVENT_NAME} characters.")
        if event.name == AUTH_REFRESH:
            return await self._refresh(session, client, event.args[0])
        return await self._dispatch(event.name, event.args[0], session.caller)

    async def _identify(self, client: Client, auth: dict[str, Any]) -> Identity:
        proof = client.peer.socket.credentials
        token = _text(auth, "token")
        api_key = None
        if token is None and proof is not None:
            token, api_key = proof.token, proof.api_key
        guest_id = _text(auth, "guest_id") if token is None and api_key is None else None
        return await self._access.authenticate(token=token, api_key=api_key, guest_id=guest_id)

    def _confirmed(self, client: Client, identity: Identity) -> ConnectionConfirmed:
        return ConnectionConfirmed(
            sid=client.sid,
            profile_id=identity.id if identity.kind == "profile" else None,
            guest_id=identity.id if identity.kind == "guest" else None,
            server_time=time.time(),
            role=identity.role,
            epoch=self._hub.epoch,
        )

    async def _refresh(self, session: Session, client: Client, data: object) -> Answer:
        """Replace the identity of a live connection by a newer token of the same profile."""
        token = _text(data, "token") if isinstance(data, dict) else None
        if token is None:
            raise BadRequest("auth_refresh takes an object with a token.")
        identity = await self._access.authenticate(token=token, api_key=None, guest_id=None)
        now = session.caller.identity
        if (identity.key, identity.role, identity.org) != (now.key, now.role, now.org):
            raise Forbidden("The token belongs to somebody else or gives another role; connect anew with it.")
        session.caller.identity = identity
        if not session.closed:
            self._watch(client, session)
        return Answer(ack=SUCCESS)

    def _watch(self, client: Client, session: Session) -> None:
        """Look at the token again when it ends, or after an hour."""
        if session.timer is not None:
            session.timer.cancel()
            session.timer = None
        if (expires := session.caller.identity.expires) is None:
            return
        loop = asyncio.get_running_loop()
        left = expires - time.time()
        if left > 0:
            session.timer = loop.call_later(min(left, MAX_TIMER), self._watch, client, session)
            return
        session.sink.answer(AUTH_EXPIRED, b"{}")
        session.timer = loop.call_later(self._limits.expiry_grace, _close_expired, client)

    def _refuse(self, session: Session, event: SocketPacket, error: GreenroomError) -> None:
        notice = AttemptError(message=error.message, code=error.code)
        session.sink.answer(notice.event, notice.encode())
        if event.ack_id is not None:
            failure = error.failure().model_dump_json(exclude_none=True)
            session.sink.acknowledge(event.ack_id, b'{"success":false,"error":%b}' % failure.encode())


def _close_expired(client: Client) -> None:
    client.peer.socket.shut("token expired", last=CLOSE)


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Unauthenticated(f"auth.{name} has to be a string.")
