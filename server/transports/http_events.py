"""Every client event as POST, and the event stream (socket-v5 §1)."""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from handlers import HANDLERS
from schemas.envelope import AuthRefresh, ConnectionConfirmed, Id
from schemas.events import Connect
from server.dispatch import Answer, Caller, traced, validated
from server.engine.access import Identity, check_renewal
from server.engine.ids import new
from server.errors import BadRequest, NotFound, Unauthenticated, Unavailable
from server.store.sessions import Session, SessionRoom
from server.transports import keys
from server.transports.documents.shapes import SessionOpened, Success
from server.transports.documents.told import Media, told
from server.transports.doors import reconnect_in, stopping
from server.transports.http_errors import json_response
from server.transports.http_requests import authenticated, identify, limit, read_body, read_json
from server.transports.http_session import HttpSession, Plan
from server.transports.http_streams import Streams
from server.transports.parts import part
from server.transports.session_homes import Homes, brought_home

log = structlog.get_logger(__name__)
STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
SESSIONS = web.AppKey("http_sessions", dict[str, HttpSession])
HOMES = web.AppKey("http_session_homes", Homes)
SWEEP_SECONDS = web.AppKey("http_sessions_sweep_seconds", float)


def attach(app: web.Application) -> None:
    """Add the addresses of events and streams."""
    sessions = app[SESSIONS] = {}
    app[HOMES] = Homes(
        sessions,
        app[keys.STORE].sessions,
        hub=app[keys.HUB],
        bell=app[keys.BELL],
        process=app[keys.PROCESS],
        siblings=app[keys.SIBLINGS],
    )
    app[SWEEP_SECONDS] = 10.0
    app.router.add_post("/socket/v5/client/connect", connect)
    app.router.add_post("/socket/v5/client/disconnect", brought_home(disconnect))
    app.router.add_post("/socket/v5/client/auth_refresh", brought_home(auth_refresh))
    app.router.add_post("/socket/v5/client/{event:.+}", brought_home(event))
    app.router.add_get("/socket/v5/stream/{session}", brought_home(stream), allow_head=False)
    app.cleanup_ctx.append(_sweeper)
    streams = Streams(sessions)
    app[keys.DRAIN].doors.append(streams)
    app.on_shutdown.append(streams.cut)


@told(SessionOpened, body=Connect, is_open=True)
async def connect(request: web.Request) -> web.Response:
    """Open a session; its stream is to be read within two minutes."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise BadRequest("connect takes one JSON object.")
    app = request.app
    if app[keys.DRAIN].begun:
        raise stopping()
    identity = await _identity_of(request, body)
    room = await app[keys.HUB].room(identity.key)
    key, session_id = secrets.token_urlsafe(24), new()
    record = Session(
        id=session_id,
        identity=asdict(identity),
        key=_digest(key),
        aliases=1,
        process=app[keys.PROCESS].name,
        rooms=[SessionRoom(alias=0, room=identity.key, start=room.head, epoch=app[keys.HUB].epoch)],
    )
    await app[HOMES].open(record)
    answer: dict[str, Any] = {
        "success": True,
        "session_id": session_id,
        "stream": f"/socket/v5/stream/{session_id}?key={key}",
        f"{identity.kind}_id": identity.id,
    }
    return json_response(answer)


@told(Success, headers={"X-Session-Id": Id})
async def disconnect(request: web.Request) -> web.Response:
    """Close a session and its stream."""
    identity = await identify(request)
    session = await _session_of(request, identity)
    if session is None:
        raise BadRequest("X-Session-Id: name the session to close.")
    request.app[SESSIONS].pop(session.record.id, None)
    session.end()
    await request.app[keys.STORE].sessions.close(session.record.id)
    return json_response({"success": True})


@told(Success, body=AuthRefresh, headers={"X-Session-Id": Id})
async def auth_refresh(request: web.Request) -> web.Response:
    """Replace a session's token by a newer one of the same profile; its stream goes on."""
    body = await read_json(request)
    asked = validated(AuthRefresh, body, max_depth=request.app[keys.SETTINGS].max_json_depth)
    identity = await authenticated(request, token=asked.token)
    session = await _session_of(request, identity)
    if session is None:
        raise BadRequest("X-Session-Id: name the session whose token is replaced.")
    check_renewal(identity, Identity(**session.record.identity))
    if not await request.app[keys.STORE].sessions.renew(session.record, asdict(identity)):
        raise Unavailable("The session moves to another process; try again.")
    session.record.identity = asdict(identity)
    session.expire(identity.expires)
    return json_response({"success": True})


@told(Success, is_event=True)
async def event(request: web.Request) -> web.Response:
    """Dispatch one event; the ack is the answer, everything else goes to the session's stream."""
    named = request.match_info["event"].replace("/", "_")
    handler = HANDLERS.get(named)
    raw = handler.schema.raw if handler is not None else None
    identity = await identify(request, what="event" if raw is None else "audio")
    session = await _session_of(request, identity)
    body = await read_json(request) if raw is None else {**request.query, raw: await read_body(request)}
    dispatch = request.app[keys.DISPATCH]
    with traced(named, within=True):
        answer: Answer = await dispatch(named, body, Caller(identity=identity, connection=session))
        if session is not None:
            for name, data in answer.notices:
                session.tell(name, data)
        answer.after()
    return web.Response(body=answer.ack, status=answer.status, content_type="application/json")


@told(
    Media("text/event-stream"),
    query={"key": str, "last_event_id": str},
    headers={"Last-Event-ID": str},
    is_open=True,
)
async def stream(request: web.Request) -> web.StreamResponse:
    """Send a session's events as Server-Sent Events, from `Last-Event-ID` on."""
    key = _digest(request.query.get("key", ""))
    session = await request.app[HOMES].find(
        request, request.match_info["session"], may=lambda record: hmac.compare_digest(record.key, key)
    )
    if session is None:
        raise NotFound("There is no such stream; open another with POST /socket/v5/client/connect.")
    identity = Identity(**session.record.identity)
    if identity.expires is not None and identity.expires <= time.time():
        raise Unauthenticated("The token has expired.")
    admission = request.app[keys.ADMISSION]
    limit(request, identity, what="stream")
    session.detach()  # an older stream of the session ends, and does not count any more
    with ExitStack() as places:
        places.callback(admission.at_address(request.app[keys.ADDRESSES].of(request)).leave)
        places.callback((await admission.of_identity(identity.key, session)).leave)
        return await _stream(request, session, identity=identity, places=places)


async def _stream(
    request: web.Request, session: HttpSession, *, identity: Identity, places: ExitStack
) -> web.StreamResponse:
    last = request.headers.get("Last-Event-ID") or request.query.get("last_event_id")
    plan = await session.approach(last, partial(request.app[keys.ACCESS].may_follow, identity))
    response = web.StreamResponse(headers=STREAM_HEADERS)
    try:
        await response.prepare(request)
        request.writer.send_headers()
    except ConnectionError:
        return response  # the client is gone; the session waits for its next stream
    sink = session.open(
        plan,
        wire=request.transport,
        chunked=response.headers.get("Transfer-Encoding") == "chunked",
        confirmed=_confirmed(session, identity, plan),
    )
    session.count(places)
    if request.app[keys.DRAIN].begun:
        session.announce(reconnect_in())
    sink.expire(session.record.identity["expires"])  # it may have been renewed meanwhile
    try:
        await sink.run(request.writer)
    finally:
        session.detach(sink)
        request.app[keys.STREAMS_ENDED][sink.reason] += 1
    return response


def _confirmed(session: HttpSession, identity: Identity, plan: Plan) -> ConnectionConfirmed:
    return ConnectionConfirmed(
        sid=session.record.id,
        profile_id=identity.id if identity.kind == "profile" else None,
        guest_id=identity.id if identity.kind == "guest" else None,
        server_time=time.time(),
        role=identity.role,
        epoch=plan.epoch,
        recovered=plan.recovered,
    )


async def _identity_of(request: web.Request, body: dict[str, Any]) -> Identity:
    token, guest_id = body.get("token"), body.get("guest_id")
    if token is None and guest_id is None:
        return await identify(request)
    if token is not None and not isinstance(token, str):
        raise BadRequest("token: a string is needed.")
    return await authenticated(request, token=token, guest_id=guest_id)


async def _session_of(request: web.Request, identity: Identity) -> HttpSession | None:
    session_id = request.headers.get("X-Session-Id")
    if session_id is None:
        return None
    session = None
    if session_id.isascii():  # anything else is none of ours, and no text that can be looked for
        session = await request.app[HOMES].find(
            request, session_id, may=lambda record: Identity(**record.identity).key == identity.key
        )
    if session is None:
        raise NotFound("X-Session-Id: there is no such session, or it is not yours.")
    return session


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def _sweeper(app: web.Application) -> AsyncIterator[None]:
    async with part(app, partial(_sweep, app), name="http session sweeper"):
        yield


async def _sweep(app: web.Application) -> None:
    while True:
        await asyncio.sleep(app[SWEEP_SECONDS])
        try:
            await app[HOMES].sweep()
        except Unavailable:
            log.warning("http sessions not swept")
