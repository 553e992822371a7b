"""The text WebSocket to somebody's agent: JSON frames both ways (evaluators §2)."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import orjson
from aiohttp import WSMsgType

from server.engine.evaluator.lines.budget import Flow
from server.engine.evaluator.lines.dialing import DIAL_SECONDS, MAX_FRAME, Dialer, Socket, hang_up
from server.engine.evaluator.lines.frames import ignored, read, storable_text
from server.engine.evaluator.lines.line import Gone, Heard, LineClosed

Frame = aiohttp.WSMessage | aiohttp.http_websocket.WSMessageTextBytes

_WAITING = 16  # of what is heard and not yet asked for; the socket is not read meanwhile
_MAX_REASON = 200
_FRAME_SECONDS = 100e-6  # what a frame costs besides its reading: those who wait for it are woken
_BYTE_SECONDS = 1e-9  # what each of its bytes costs before: it came in pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLimits:
    """The seconds that an agent has for each thing, and how much of it is read in one second."""

    dial: float = DIAL_SECONDS
    ping: float = 30.0  # after so long without a frame
    pong: float = 10.0
    say: float = 10.0
    frames: int = 500
    bytes: int = 16 * 1024 * 1024


DEFAULT_LIMITS = LineLimits()


class TextLine:
    """One connection to an agent; see AgentLine. Make one for each call.

    It reads by itself, so that times are those of the arrival and pings are answered while nobody listens;
    but it reads ahead 16 things only, and no more in a second than the limits allow: an agent that talks
    without end waits on its own side. All lines of a dialer share its budget for the work of reading.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        dialer: Dialer,
        limits: LineLimits = DEFAULT_LIMITS,
    ) -> None:
        self._url = url
        self._headers = headers
        self._dialer = dialer
        self._limits = limits
        self._heard: asyncio.Queue[Heard | None] = asyncio.Queue(_WAITING)  # None: look whether it is over
        self._gone: Gone | None = None
        self._socket: Socket | None = None
        self._reading: asyncio.Task[Gone] | None = None
        self._pace = _Pace(limits)
        self._flow = Flow()

    async def open(self) -> None:
        """Connect; raises NotConnected."""
        self._socket = await self._dialer.dial(self._url, headers=self._headers, seconds=self._limits.dial)
        self._reading = asyncio.create_task(self._read(self._socket), name="agent line")
        self._reading.add_done_callback(self._over)

    async def hear(self) -> Heard:
        """Return what is heard next; after Gone it is Gone again. Cancelling loses nothing."""
        assert self._reading, "open comes first"
        if self._gone:
            return self._gone
        over = self._heard.empty() and self._reading.done()
        heard = None if over else await self._heard.get()
        if heard:
            return heard
        self._gone = _closed_by_us() if self._reading.cancelled() else self._reading.result()
        return self._gone

    async def say(self, text: str, *, end: bool = False, speed: float = 1.0, volume: float = 1.0) -> None:
        """Send a turn, with `end` as the last one; raises LineClosed, also when nobody takes it in time.

        Texts have no speed and no volume: tags for them are refused before the run.
        """
        assert self._socket, "open comes first"
        fields = {"content": storable_text(text), **({"type": "end_call"} if end else {})}
        try:
            async with asyncio.timeout(self._limits.say):
                await self._socket.send_str(orjson.dumps(fields).decode())
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise LineClosed from error

    async def press(self, digits: str) -> None:
        """Refuse: keys are refused before the run, because texts have none."""
        raise AssertionError("keys were pressed on a line of texts")

    async def close(self) -> None:
        """Close the connection, within seconds; may be called twice."""
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._socket:
            await hang_up(self._socket)

    def _over(self, _: object) -> None:
        if self._heard.empty():  # else nobody waits
            self._heard.put_nowait(None)

    async def _read(self, socket: Socket) -> Gone:
        while True:
            message = await self._message(socket)
            reason = _ending(message, socket)
            if message is None or reason:
                return Gone(at=time.monotonic(), reason=reason)
            await self._take(message, socket)
            await self._pace.keep(message)

    async def _message(self, socket: Socket) -> Frame | None:
        """Return the next frame; None when a ping is not answered, by whatever frame."""
        try:
            return await socket.receive(self._limits.ping)
        except TimeoutError:
            pass
        try:
            async with asyncio.timeout(self._limits.pong):
                await socket.ping()
                return await socket.receive()
        except (aiohttp.ClientError, ConnectionError):
            return await socket.receive()  # it tells how the connection ended
        except TimeoutError:
            return None

    async def _take(self, message: Frame, socket: Socket) -> None:
        at = time.monotonic()
        besides = _FRAME_SECONDS + _BYTE_SECONDS * len(message.data or b"")
        told = await self._dialer.budget.spend(self._flow, lambda: _told(message, at), besides=besides)
        for heard in told:
            await self._heard.put(heard)
        if message.type is WSMsgType.PING:
            with suppress(aiohttp.ClientError, ConnectionError):  # the next frame tells
                await socket.pong(message.data)


class _Pace:
    """Slows the reading down to what may come in a second, evenly: pauses must not pass for the agent's."""

    def __init__(self, limits: LineLimits) -> None:
        self._limits = limits
        self._paid_until = 0.0

    async def keep(self, message: Frame) -> None:
        now = time.monotonic()
        seconds = max(1 / self._limits.frames, len(message.data or b"") / self._limits.bytes)
        self._paid_until = max(self._paid_until, now - 1) + seconds  # the first second's share is free
        if self._paid_until > now:
            await asyncio.sleep(self._paid_until - now)


def _told(message: Frame, at: float) -> list[Heard]:
    if message.type is WSMsgType.TEXT:
        return read(message.data, at)
    return [ignored(message.data, at)] if message.type is WSMsgType.BINARY else []


def _closed_by_us() -> Gone:
    return Gone(at=time.monotonic(), reason="we closed the connection")


def _ending(message: Frame | None, socket: Socket) -> str:
    """Return why nothing more is heard, in words for people; empty while the connection lives."""
    if message is None:
        return "it did not answer a ping"
    if message.type is WSMsgType.ERROR:
        if socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
            return f"it sent a frame of more than {MAX_FRAME:,} bytes"
        return "it broke the WebSocket protocol"
    if message.type not in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
        return ""
    text = message.extra if isinstance(message.extra, str) else ""
    said = f": {storable_text(text[:_MAX_REASON])}" if text else ""
    return f"it closed the connection ({socket.close_code or 1006}{said})"
