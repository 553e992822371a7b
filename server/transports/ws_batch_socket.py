"""A WebSocket whose owner is told of a message that cannot be taken before it is closed."""

import asyncio
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from aiohttp import WebSocketError, WSMsgType, web

from server.transports.wire import received

CLOSE_SECONDS = 20.0  # for a client to take what was written, and to say goodbye
QUIET_SECONDS = 0.25
QUIET_LOOKS = 240
FRAMES = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class Frame(NamedTuple):
    """A message of a client, a ping, or its answer to one."""

    kind: WSMsgType
    data: bytes


class JobSocket(web.WebSocketResponse[Literal[False]]):
    """Sends and takes text as bytes; does not compress, for a small message may hide a large one.

    aiohttp closes a socket by itself when a message is too large or no frame; here that is left to the owner.
    """

    def __init__(self, *, max_message: int) -> None:
        super().__init__(
            compress=False,
            autoclose=False,
            autoping=False,  # by who reads: it would answer a flood of pings without a breath
            timeout=CLOSE_SECONDS,
            max_msg_size=max_message + 1,  # aiohttp refuses a message that reaches its limit
            decode_text=False,  # JSON is read from bytes
        )
        self._taking = False

    async def take(self) -> Frame:
        """Return the next frame. Cancelling is safe.

        Raises WebSocketError for one that cannot be taken, and ConnectionError when the client has left.
        """
        self._taking = True
        try:
            message: Any = await self.receive()
        finally:
            self._taking = False
        if message.type in FRAMES:
            return Frame(message.type, message.data)
        if message.type is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
            raise message.data
        raise ConnectionResetError("the client has left")

    async def send_text(self, text: bytes) -> None:
        """Send a message; returns when little waits for the client. Raises ConnectionError."""
        await self.send_frame(text, WSMsgType.TEXT)

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Close the socket, but not while a message is taken: what is wrong with it is answered first."""
        return False if self._taking else await super().close(code=code, message=message, drain=drain)


async def hang_up(ws: JobSocket, wire: asyncio.Transport, *, code: int, reason: str) -> None:
    """Close a socket after what was written, and cut it when its client does not take that in time."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(2 * CLOSE_SECONDS):
            await ws.close(code=code, message=reason.encode())
    if wire.get_write_buffer_size():
        wire.abort()


async def quiet(wire: asyncio.Transport) -> None:
    """Return when a peer has sent all that it wants, within a minute: closed before, it misses the answer."""
    before = received(wire)
    for _ in range(QUIET_LOOKS):
        await asyncio.sleep(QUIET_SECONDS)
        now = received(wire)
        if now == before or wire.is_closing():
            return
        before = now
