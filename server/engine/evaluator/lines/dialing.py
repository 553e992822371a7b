"""Dial the WebSocket of somebody's agent: within a time, at allowed addresses only, without redirects."""

import asyncio
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp
from aiohttp.connector import AddrInfoType

from server.engine.addresses import SOCKETS, PublicResolver, checked, shown
from server.engine.evaluator.lines.budget import Budget
from server.engine.evaluator.lines.line import NotConnected
from server.errors import BadRequest

MAX_FRAME = 4 * 1024 * 1024
DIAL_SECONDS = 10.0
CLOSE_SECONDS = 1.0

_BUFFER = 128 * 1024
_DEAF_MILLISECONDS = 20_000

Socket = aiohttp.ClientWebSocketResponse[bool]


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether an address takes WebSocket connections, why not, and how long finding out took."""

    ok: bool
    reason: str
    ms: int


class Dialer:
    """Dials agents for the whole process; make it inside the loop, and close it when all lines are.

    Unless `private`, every address that a name resolves to has to be public, and connections are made to
    exactly those. Redirects are refused, so headers never reach another server than the one they are for.
    """

    def __init__(self, *, private: bool) -> None:
        self.private = private
        self.budget = Budget()  # of the work of reading what is heard on all lines
        self._session: aiohttp.ClientSession | None = None

    async def dial(self, url: str, *, headers: Mapping[str, str], seconds: float = DIAL_SECONDS) -> Socket:
        """Return a socket that is open; raises NotConnected with a sentence for people."""
        try:
            address = checked(url, private=self.private, schemes=SOCKETS)
            async with asyncio.timeout(seconds):
                return await self._sessions().ws_connect(
                    address,
                    headers=headers,
                    autoping=False,  # the line answers pings and looks for pongs itself
                    max_msg_size=MAX_FRAME,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                    decode_text=False,
                )
        except BadRequest as error:
            raise NotConnected(error.message, final=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            answered = isinstance(error, aiohttp.WSServerHandshakeError) and error.status < 500
            raise NotConnected(_sentence(error, shown(url), seconds), final=answered) from error

    async def aclose(self) -> None:
        """Close what is still open."""
        if self._session:
            await self._session.close()

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_request_redirect.append(_refuse_redirect)
            resolver = PublicResolver(private=self.private)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=resolver, limit=0, force_close=True, socket_factory=_bounded
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # dialling and calls have limits of their own
                trace_configs=[tracing],
                headers={"User-Agent": "Greenroom"},
            )
        return self._session


def _bounded(address: AddrInfoType) -> socket.socket:
    """Make a socket for which the kernel keeps little, and not for long when its other side reads nothing."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    if sys.platform == "linux":
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAF_MILLISECONDS)
    return made


async def verify(url: str, *, headers: Mapping[str, str], dialer: Dialer) -> Verified:
    """Try a connection to an agent, and close it at once."""
    begun = time.monotonic()
    try:
        line = await dialer.dial(url, headers=headers)
    except NotConnected as error:
        return Verified(ok=False, reason=str(error), ms=_ms(begun))
    verified = Verified(ok=True, reason="The agent took the connection.", ms=_ms(begun))
    await hang_up(line)
    return verified


async def hang_up(line: Socket) -> None:
    """Close a socket within a second, also when its other side goes on talking; cancelling drops it."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await line.close()
    except TimeoutError:
        pass  # being cut off, it has dropped the connection


def _ms(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, redirect: aiohttp.TraceRequestRedirectParams
) -> None:
    raise NotConnected(
        f"{shown(redirect.url)} redirects (HTTP {redirect.response.status}), which calls do not follow: "
        "give the address that it leads to"
    )


def _sentence(error: Exception, where: str, seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"{where} did not take the connection within {seconds:g} seconds"
        case aiohttp.WSServerHandshakeError():
            return f"{where} {_refusal(error.status)}"
        case aiohttp.InvalidURL():
            return f"{where} is no address: write wss://host/path"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return f"{where} has no valid certificate, or does not speak TLS: check it, or write ws://"
        case aiohttp.ClientConnectorDNSError():
            return f"{where} cannot be reached: its host has no address"
        case aiohttp.ClientConnectorError():
            return f"{where} cannot be reached: {error.os_error.strerror or 'nobody takes the connection'}"
        case ValueError():
            return f"{where} was not called: a header holds what headers cannot hold"
    return f"{where} closed the connection at the handshake, or does not speak HTTP"


def _refusal(status: int) -> str:
    if status in (401, 403):
        return f"rejects the handshake (HTTP {status}): check websocket_headers and websocket_secret"
    if status in (101, 200):
        return "is no WebSocket: its answer to the handshake is not that of one"
    return f"answers the handshake with HTTP {status} instead of a WebSocket"
