"""Large bodies: how long they may take to come, and how much of them may be in memory at once."""

import asyncio

from aiohttp import ClientConnectionResetError, web

from server.errors import BadRequest, TooLarge, Unavailable

FREE = 1024 * 1024  # bytes of an upload that always fit
MOST_BYTES = 128 * 1024 * 1024  # of all that are larger, together
BYTES_PER_SECOND = 64 * 1024  # who is slower than this, after the first seconds, is given up
START_SECONDS = 10.0
RETRY_SECONDS = 5.0


class Upload:
    """What has come of one body so far; it counts until `leave`, which is harmless when called again."""

    __slots__ = ("_size", "_uploads")

    def __init__(self, uploads: "Uploads") -> None:
        self._uploads: Uploads | None = uploads
        self._size = 0

    def grow(self, size: int) -> None:
        """Note that a body has so many bytes by now; raises Unavailable when there are too many in all."""
        if self._uploads is None:
            return
        self._uploads.held += _counted(size) - _counted(self._size)
        self._size = size
        if self._uploads.held > self._uploads.most and size > FREE:
            raise Unavailable("Too many large bodies are being sent just now.", retry_after=RETRY_SECONDS)

    def leave(self) -> None:
        """Count no more."""
        if self._uploads is not None:
            self._uploads.held -= _counted(self._size)
        self._uploads = None


class Uploads:
    """Bounds how many bytes of large bodies a process holds, whoever sends them over which transport."""

    def __init__(self, *, most: int = MOST_BYTES) -> None:
        self.most = most
        self.held = 0

    def enter(self) -> Upload:
        """Begin an upload."""
        return Upload(self)

    async def read(self, request: web.Request, *, limit: int) -> tuple[bytes, Upload]:
        """Return a request's body, unpacked, and what counts it; call `leave` when it is not needed.

        Raises BadRequest for one that is too slow or broken, TooLarge, and Unavailable.
        """
        upload = self.enter()
        try:
            return await _read(request, upload, limit=limit), upload
        except BaseException:
            upload.leave()
            raise


def patience(base: float, received: int) -> float:
    """Return how many seconds a body may have taken of which so much has come."""
    return base + received / BYTES_PER_SECOND


async def _read(request: web.Request, upload: Upload, *, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise TooLarge(_too_large(limit))
    body = bytearray()
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(START_SECONDS) as deadline:
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise TooLarge(_too_large(limit))
                upload.grow(len(body))
                deadline.reschedule(began + patience(START_SECONDS, len(body)))
    except TimeoutError as error:
        raise BadRequest("The body took too long to come.") from error
    except web.RequestPayloadError as error:
        raise BadRequest("The body cannot be read in its Content-Encoding.") from error
    except ConnectionError as error:
        raise ClientConnectionResetError("The client left in the middle of its request.") from error
    return bytes(body)


def _too_large(limit: int) -> str:
    return f"A body may have {limit} bytes here, and this one has more."


def _counted(size: int) -> int:
    return max(0, size - FREE)


UPLOADS = web.AppKey("uploads", Uploads)
