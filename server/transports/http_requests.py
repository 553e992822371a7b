"""What HTTP requests carry: who makes them, how many of them may come, and their bodies."""

import asyncio
from typing import Any, Literal

import orjson
from aiohttp import ClientConnectionResetError, web

from server.dispatch import check_values
from server.engine.access import Identity
from server.errors import BadRequest, Unauthenticated
from server.transports import keys
from server.transports.addresses import counted_as

BODY_SECONDS = 10.0
Counted = Literal["event", "stream", "audio"]


async def read_body(request: web.Request) -> bytes:
    """Return the request's body, unpacked; raises BadRequest for one that takes too long, or is broken."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise BadRequest(f"The body took longer than {BODY_SECONDS:g} seconds.") from error
    except web.RequestPayloadError as error:
        raise BadRequest("The body cannot be read in its Content-Encoding.") from error
    except ConnectionError as error:
        raise ClientConnectionResetError("The client left in the middle of its request.") from error


async def read_json(request: web.Request) -> Any:
    """Return the request's JSON body, {} when it is empty; raises BadRequest, or when it cannot be kept."""
    body = await read_body(request)
    if not body.strip():
        return {}
    try:
        read = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.") from error
    check_values(read, request.app[keys.SETTINGS].max_json_depth)
    return read


def bearer_of(request: web.Request) -> str | None:
    """Return the token of a request, from its header or its query; "" when another scheme is used."""
    header = request.headers.get("Authorization")
    if header is None:
        return request.query.get("token")
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def identify(request: web.Request, *, what: Counted = "event") -> Identity:
    """Return who makes a request: `Authorization: Bearer`, `X-API-Key`, or `?token=`.

    Raises RateLimited beyond the rate of that identity.
    """
    return await authenticated(
        request,
        token=bearer_of(request),
        api_key=request.headers.get("X-API-Key"),
        guest_id=request.headers.get("X-Guest-Id"),
        what=what,
    )


async def authenticated(
    request: web.Request,
    *,
    token: str | None,
    api_key: str | None = None,
    guest_id: object = None,
    what: Counted = "event",
) -> Identity:
    """Return who shows these credentials, and count the request; raises Unauthenticated, RateLimited."""
    try:
        identity = await request.app[keys.ACCESS].authenticate(
            token=token, api_key=api_key, guest_id=guest_id
        )
    except Unauthenticated:
        _count_address(request)  # who tries one after the other is nobody yet
        raise
    limit(request, identity, is_new=identity.kind == "guest" and guest_id is None, what=what)
    return identity


def limit(
    request: web.Request,
    identity: Identity,
    *,
    is_new: bool = False,
    what: Counted = "event",
) -> None:
    """Count a request of an identity, or of an address for guests made just now; raises RateLimited.

    Guests count for their address too, where more fits: anybody can be a new one with each request. Streams
    are counted by themselves: a browser whose stream is refused gives up.
    """
    name = _address(request) if is_new else identity.key
    buckets = request.app[keys.AUDIO_BUCKETS if what == "audio" else keys.BUCKETS]
    buckets.take(f"{what} {name}", asyncio.get_running_loop().time())
    if identity.kind == "guest":
        _count_address(request, what=what)


def _count_address(request: web.Request, *, what: Counted = "event") -> None:
    name = f"{what} {_address(request)}"
    request.app[keys.AUDIO_BUCKETS if what == "audio" else keys.ADDRESS_BUCKETS].take(
        name, asyncio.get_running_loop().time()
    )


def _address(request: web.Request) -> str:
    return counted_as(request.app[keys.ADDRESSES].of(request))
