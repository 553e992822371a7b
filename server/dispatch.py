"""From (event, data, caller) to an answer: the only caller of handlers, the same for every transport."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import orjson
import structlog
from pydantic import ValidationError

from handlers import HANDLERS
from handlers.base import Context, Handler, Services, attempt_error, over
from schemas.envelope import MAX_SAFE_INTEGER, Change, Payload, Problem, Reply, ServerEvent
from server import tracing
from server.engine.access import Identity
from server.errors import BadRequest, GreenroomError, Internal, NotFound, Unavailable
from server.idempotency import Once
from server.rooms.connection import Connection
from server.tracing import Span

log = structlog.get_logger(__name__)
MAX_EVENT_NAME = 64
NOT_REMEMBERED = frozenset({"rate_limited", "unavailable", "internal"})
PATH_PREFIX = "socket/v5/client/"
P = TypeVar("P", bound=Payload)


@dataclass(slots=True)
class Caller:
    """Who sends events, and the connection that joins rooms for it (None: it joins nothing)."""

    identity: Identity
    connection: Connection | None = None


def _nothing() -> None:
    """Start nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a transport does with an event's result, in one tick and this order: notices, ack, `after`."""

    ack: bytes
    status: int = 200
    notices: list[tuple[str, bytes]] = field(default_factory=list)
    after: Callable[[], None] = _nothing


class Dispatcher:
    """Validates once, runs the handler, turns every failure into an answer, and remembers what acted once."""

    def __init__(self, services: Services, *, once: Once, max_depth: int = 32) -> None:
        self._services = services
        self._once = once
        self._max_depth = max_depth
        self._refusing_work = False
        self._working = 0  # calls that may start something yet
        self._idle = asyncio.Event()
        self._idle.set()

    def refuse_work(self) -> None:
        """Refuse from now on what would start something: this process is about to stop."""
        self._refusing_work = True

    async def idle(self) -> None:
        """Wait until nothing that was let in can start something any more; work is refused before."""
        await self._idle.wait()

    async def __call__(self, event: str, data: object, caller: Caller) -> Answer:
        """Answer an event, named as on the wire or by its path; never raises but when it is cancelled."""
        handler: Handler | None = None
        payload: Payload | None = None
        try:
            handler = _find(event)
            payload = validated(handler.schema, data, max_depth=self._max_depth)
            answered = self._work if handler.starts_work else self._answer
            return await answered(handler, payload, caller)
        except GreenroomError as error:
            return _failure(error, handler, payload)
        except RecursionError:
            return _failure(BadRequest("The payload is nested too deeply."), handler, None)
        except Exception:  # a bug of ours: the client gets an answer, the operator the traceback
            log.exception("handler broke", handled=handler.event if handler else None)
            return _failure(Internal(), handler, payload)

    async def close(self) -> None:
        """Finish remembering what was answered."""
        await self._once.close()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Do what starts something, so that who stops can wait for it; raises Unavailable then."""
        if self._refusing_work:
            raise Unavailable("This server is about to stop; connect again and repeat this.")
        self._working += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    async def _work(self, handler: Handler, payload: Payload, caller: Caller) -> Answer:
        with self.working():
            return await self._answer(handler, payload, caller)

    async def _answer(self, handler: Handler, payload: Payload, caller: Caller) -> Answer:
        key = payload.client_event_id if isinstance(payload, Change) else None
        if key is None:
            return await self._run(handler, payload, caller, None)
        identity = caller.identity.key
        ack = await self._once.first(identity, key, digest=_digest(handler.event, payload))
        if ack is not None:
            return await _again(ack, handler, payload, caller)
        return await self._run_once(handler, payload, caller, key)

    async def _run(self, handler: Handler, payload: Payload, caller: Caller, key: str | None) -> Answer:
        ctx = Context(
            caller=caller.identity,
            connection=caller.connection,
            services=self._services,
            request_key=f"{handler.event}:{key}" if key else None,
        )
        try:
            reply = await handler.run(ctx, payload)
        except BaseException:
            await ctx.withdraw()
            raise
        return Answer(ack=_success(reply, ctx), after=_together(ctx.after))

    async def _run_once(self, handler: Handler, payload: Payload, caller: Caller, key: str) -> Answer:
        """Run a request that we claimed; a failure that may be retried is forgotten."""
        try:
            answer = await self._run(handler, payload, caller, key)
        except GreenroomError as error:
            if error.code in NOT_REMEMBERED or error.may_retry:
                self._once.forget(caller.identity.key, key)
                raise
            answer = _failure(error, handler, payload)
        except BaseException:
            self._once.forget(caller.identity.key, key)
            raise
        self._once.finish(caller.identity.key, key, answer.ack)
        return answer


_unknown = attempt_error()


def refusal(event: str, error: GreenroomError) -> Answer:
    """Return the answer to an event that is refused before anything of it was looked at but its name."""
    return _failure(error, HANDLERS.get(event), None)


def traced(event: str, *, within: bool = False) -> Span:
    """Begin the trace of an event, or a part of the trace that its transport has begun."""
    name = f"event {event}" if event in HANDLERS else "event"
    return tracing.span(name) if within else tracing.begin(name)


def _find(event: str) -> Handler:
    name = event.strip("/").removeprefix(PATH_PREFIX).replace("/", "_") if "/" in event else event
    handler = HANDLERS.get(name) if len(name) <= MAX_EVENT_NAME else None
    if handler is None:
        shown = name if len(name) <= MAX_EVENT_NAME and name.isidentifier() else "…"
        raise NotFound(f"There is no event {shown}.")
    return handler


def validated(schema: type[P], data: object, *, max_depth: int) -> P:
    """Return the payload of an event; raises BadRequest, which says what is wrong with each field."""
    if not isinstance(data, dict):
        raise BadRequest(f"{schema.event} takes one JSON object.")
    check_values(data, max_depth)
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        details = [
            Problem(loc=list(e["loc"]), msg=e["msg"].removeprefix("Value error, "), type=e["type"])
            for e in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = details[0]
        where = ".".join(str(p) for p in first.loc)
        raise BadRequest(f"{where}: {first.msg}" if where else first.msg, details=details) from error


def check_values(value: object, depth: int) -> None:
    """Raise BadRequest for what JavaScript cannot hold, what cannot be stored, and too deep nesting."""
    if isinstance(value, dict | list):
        if depth <= 0:
            raise BadRequest("The payload is nested too deeply.")
        for item in value.values() if isinstance(value, dict) else value:
            check_values(item, depth - 1)
        for name in value if isinstance(value, dict) else ():
            _check_text(name)
            if "\0" in name:
                raise BadRequest("A field's name holds a NUL character.")
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise BadRequest("A number is not finite.")
    elif isinstance(value, int | float) and abs(value) > MAX_SAFE_INTEGER:
        raise BadRequest("A number is larger than 2^53.")


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise BadRequest("A string is not valid Unicode.")


def _success(reply: Reply, ctx: Context) -> bytes:
    if ctx.entered:
        reply = reply.model_copy(update={"rooms": ctx.entered})
    body = reply.model_dump_json(exclude_defaults=True).encode()
    return b'{"success":true' + (b"," if len(body) > 2 else b"") + body[1:]


def _failure(error: GreenroomError, handler: Handler | None, payload: Payload | None) -> Answer:
    failure = error.failure().model_dump(exclude_none=True)
    ack = orjson.dumps({"success": False, "error": failure})
    notices = [(e.event, e.encode()) for e in _notices(error, handler, payload)]
    return Answer(ack=ack, status=error.status, notices=notices)


def _notices(error: GreenroomError, handler: Handler | None, payload: Payload | None) -> list[ServerEvent]:
    """Return the events that tell the sender of a failure beside the ack."""
    return (handler.fails if handler else _unknown)(error, payload)


def _digest(event: str, payload: Payload) -> str:
    return hashlib.sha256(event.encode() + payload.model_dump_json().encode()).hexdigest()


async def _again(ack: bytes, handler: Handler, payload: Payload, caller: Caller) -> Answer:
    """Return the answer of a remembered ack, with the rooms that this connection enters now."""
    body = orjson.loads(ack)
    if body["success"]:
        names = [room["room"] for room in body.pop("rooms", [])]
        if caller.connection is not None:
            places = [await caller.connection.enter(name, until=over(name)) for name in names]
            if entered := [place.model_dump() for place in places if place is not None]:
                body["rooms"] = entered
        return Answer(ack=orjson.dumps(body))
    told = body["error"]
    error = next(c for c in GreenroomError.__subclasses__() if c.code == told["code"])(told["message"])
    notices = [(e.event, e.encode()) for e in _notices(error, handler, payload)]
    return Answer(ack=ack, status=error.status, notices=notices)


def _together(calls: list[Callable[[], None]]) -> Callable[[], None]:
    if not calls:
        return _nothing

    def start() -> None:
        for call in calls:
            call()

    return start
