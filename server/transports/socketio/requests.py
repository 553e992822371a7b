"""What Engine.IO requests carry, why they are refused, and how they are answered."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import orjson
from aiohttp import web

from server.transports.http_requests import bearer_of
from server.transports.socketio.frames import ProtocolError
from server.transports.socketio.limits import Limits
from server.transports.socketio.origins import Origins


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the headers and the address of a handshake carried to prove who connects."""

    token: str | None
    api_key: str | None


class Refused(Exception):
    """A request that is not answered by a session; `code` is Engine.IO's own.

    `ends` is why the request's session cannot go on, if so.
    """

    def __init__(
        self, code: int, message: str, *, status: int = 400, ends: str | None = None,
        retry_after: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.ends = ends
        self.retry_after = retry_after
        self.body = orjson.dumps({"code": code, "message": message})


def transport_of(query: Mapping[str, str]) -> Literal["polling", "websocket"]:
    """Return how a client wants to talk; raises Refused."""
    transport = query.get("transport", "")
    if transport not in ("polling", "websocket"):
        raise Refused(0, "Transport unknown")
    if "j" in query:
        raise Refused(3, "Bad request: JSONP is not served")
    return "polling" if transport == "polling" else "websocket"


def handshake_of(request: web.Request) -> Handshake | None:
    """Return what a request carries to prove who connects, None for nothing."""
    token, api_key = bearer_of(request), request.headers.get("X-API-Key")
    return Handshake(token, api_key) if token is not None or api_key is not None else None


async def body_of(request: web.Request, limits: Limits) -> bytearray:
    """Return a request's body; raises ProtocolError, or Refused when it is slow or too big."""
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_timeout):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limits.max_message:
                    break
    except TimeoutError as error:
        raise Refused(3, "Bad request: the body took too long", status=408) from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise ProtocolError("a body that ended early") from error
    if len(body) > limits.max_message:
        raise Refused(3, f"Bad request: more than {limits.max_message} bytes", status=413, ends="too large")
    return body


def answer(
    request: web.Request,
    body: bytes,
    *,
    origins: Origins,
    status: int = 200,
    content_type: str = "text/plain",
) -> web.Response:
    """Return an answer that is not to be stored; after a body that was not read, the connection closes."""
    headers = origins.headers(request) | {
        "Content-Type": f"{content_type}; charset=UTF-8",
        "Cache-Control": "no-store",
    }
    response = web.Response(body=body, status=status, headers=headers)
    if status in (408, 413):
        response.force_close()
    return response
