"""Bodies of the endpoint's answers, unpacked and bounded: it may be broken, or send what never ends."""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx2
import openai
from openai import AsyncAPIResponse

from server.errors import Upstream
from server.llm.failures import BROKE_OFF, TOO_LARGE

# The SDK maps failures of a request; those of a raw body come as the transport raises them.
READ_ERRORS = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)
FAILURES = (openai.OpenAIError, *READ_ERRORS)
MAX_BODY = 16 * 1024 * 1024
MAX_REPLY = 64 * 1024 * 1024  # of a streamed reply, in which each word is an event
ENCODINGS = "gzip, deflate"
_PIECE = 64 * 1024


async def bound(response: httpx2.Response) -> None:
    """Take a response before its body is read: unpacks it in small pieces, and lets it grow to a limit only.

    The transport's own decoders would make a gigabyte of one read. A streamed reply without encoding, whose
    reader counts for itself, is left alone: it comes with each word.
    """
    encoding = response.headers.pop("content-encoding", "identity").strip().lower()
    streamed = response.is_success and response.request.url.path.endswith("/chat/completions")
    if encoding == "identity" and streamed:
        return
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        return
    limit = MAX_REPLY + _PIECE if streamed else MAX_BODY  # the reader's own limit is reached first
    response.stream = _Bounded(response.stream, encoding=encoding, limit=limit)


async def whole(response: AsyncAPIResponse[Any]) -> bytes:
    """Read a body that is no stream; raises Upstream when it breaks off or is too large."""
    body = bytearray()
    try:
        async for part in response.iter_bytes():
            body += part
            if len(body) > MAX_BODY:
                raise Upstream(TOO_LARGE)
    except READ_ERRORS:
        raise Upstream(BROKE_OFF) from None
    return bytes(body)


async def received(response: aiohttp.ClientResponse) -> bytes:
    """Read a body that aiohttp left packed; raises Upstream when it cannot be unpacked or is too large."""
    body = bytearray()
    try:
        if "Content-Encoding" not in response.headers and 0 <= (response.content_length or -1) <= MAX_BODY:
            return await response.read()
        unpacker = Unpacker(response.headers.get("Content-Encoding", "identity"))
        async for packed in response.content.iter_any():
            for data in unpacker.pieces(packed):
                body += data
                if len(body) > MAX_BODY:
                    raise Upstream(TOO_LARGE)
    except (aiohttp.ClientError, OSError, ValueError):
        raise Upstream(BROKE_OFF) from None
    return bytes(body)


class Unpacker:
    """Unpacks a body in small pieces; raises ValueError for an encoding not asked for, or not as it says."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in ("identity", "gzip", "x-gzip", "deflate"):
            raise ValueError("encoding not asked for")
        # It reads the header to see which of both it is.
        self._unpack = None if name == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """Yield what some bytes of the network hold."""
        if self._unpack is None:
            yield packed
            return
        while packed and not self._unpack.eof:
            try:
                data = self._unpack.decompress(packed, _PIECE)
            except zlib.error:
                raise ValueError("not what its encoding says") from None
            packed = self._unpack.unconsumed_tail
            if data:
                yield data


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, *, encoding: str, limit: int) -> None:
        self._stream = stream
        self._encoding = encoding
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for data in self._unpacked():
            size += len(data)
            if size > self._limit:
                raise httpx2.ReadError("body too large")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _unpacked(self) -> AsyncIterator[bytes]:
        try:
            unpacker = Unpacker(self._encoding)
            async for packed in self._stream:
                for data in unpacker.pieces(packed):
                    yield data
        except ValueError as error:
            raise httpx2.DecodingError(str(error)) from None
