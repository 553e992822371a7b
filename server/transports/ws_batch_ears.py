"""What a client says on the socket of a batch job, and how long and how much it may."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from aiohttp import WebSocketError, WSMsgType

from schemas.envelope import Id
from server.errors import BadRequest, GreenroomError, TooLarge
from server.transports.rates import Bucket
from server.transports.uploads import Upload, patience
from server.transports.wire import received
from server.transports.ws_batch_limits import Limits
from server.transports.ws_batch_signs import Signs
from server.transports.ws_batch_socket import Frame, JobSocket
from server.transports.ws_batch_words import Farewell, binary, is_cancel, spoken, written

LOOK_SECONDS = 0.5
MARGIN = 64 * 1024  # bytes that may come besides a later message: those of other frames
TOO_BIG = 1009


class Ears:
    """Hears the client of one socket."""

    def __init__(self, ws: JobSocket, wire: asyncio.Transport, *, limits: Limits) -> None:
        self.signs = Signs(ws, wire, every=limits.ping, silence=limits.silence)
        self._ws = ws
        self._wire = wire
        self._limits = limits
        self._heard = 0  # bytes that had come by the last frame

    async def first(self) -> bytes:
        """Return the first message; raises BadRequest and TooLarge."""
        while True:
            frame = await self._take()
            if frame.kind is WSMsgType.TEXT:
                return frame.data
            if frame.kind is WSMsgType.BINARY:
                raise binary()
            if frame.kind is WSMsgType.PING:
                await self._ws.pong(frame.data)

    async def listen(self, cancel: Callable[[], Awaitable[object]], *, job_id: Id) -> Farewell:
        """Answer later messages until there are far too many; what is no wish to stop changes nothing."""
        bucket = Bucket(self._limits.rate, self._now())
        while True:
            frame = await self._take()
            if frame.kind is not WSMsgType.PONG:
                if seconds := bucket.take(self._now()):
                    await self._ws.send_text(written(self._limits.rate.refusal(seconds), job_id=job_id))
                    if bucket.over_for >= self._limits.over_seconds:
                        return Farewell(1008, "rate limited")
                else:
                    await self._hear(frame, cancel, job_id=job_id)
            await asyncio.sleep(0)  # what has come already would be answered without a breath

    async def watch(self, upload: Upload | None) -> NoReturn:
        """Raise when the client is gone, or takes too long or too much for what it sends."""
        began = self._now()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await self.signs.look():
                self._wire.abort()
                raise ConnectionResetError("the client is silent")
            came = received(self._wire)
            if upload is not None:
                size = self._limits.first_message if came is None else came
                if self._now() - began > patience(self._limits.first_within, size):
                    raise BadRequest(f"No job came within {self._limits.first_within:g} seconds.")
                upload.grow(came or 0)
            elif (came or 0) - self._heard > self._limits.later_message + MARGIN:
                raise self._too_large()

    async def _hear(self, frame: Frame, cancel: Callable[[], Awaitable[object]], *, job_id: Id) -> None:
        if frame.kind is WSMsgType.PING:
            await self._ws.pong(frame.data)
            return
        try:
            if frame.kind is not WSMsgType.TEXT:
                raise binary()
            if len(frame.data) > self._limits.later_message:
                raise self._too_large()
            if not is_cancel(spoken(frame.data)):
                raise BadRequest('This socket has its job; it takes {"cancel": true}, and nothing else.')
            await cancel()
        except GreenroomError as error:
            await self._ws.send_text(written(error, job_id=job_id))

    async def _take(self) -> Frame:
        try:
            frame = await self._ws.take()
        except WebSocketError as error:
            if error.code == TOO_BIG:
                most = self._limits.first_message
                raise TooLarge(f"A job may have {most} bytes, and this one has more.") from error
            raise BadRequest("This is no WebSocket frame that can be read.") from error
        self.signs.heard()
        self._heard = received(self._wire) or 0
        return frame

    def _too_large(self) -> TooLarge:
        return TooLarge(f"A message may have {self._limits.later_message} bytes here.")

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
