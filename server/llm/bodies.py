"""Bodies of the endpoint's answers, unpacked and bounded: it may be broken, or send what never ends."""

import zlib
from collections.abc import AsyncIterator
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
        if self._encoding == "identity":
            async for data in self._stream:
                yield data
            return
        if self._encoding not in ("gzip", "x-gzip", "deflate"):
            raise httpx2.DecodingError("encoding not asked for")
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)  # reads the header to see which of both it is
        async for packed in self._stream:
            rest = packed
            while rest and not unpack.eof:
                try:
                    data = unpack.decompress(rest, _PIECE)
                except zlib.error:
                    raise httpx2.DecodingError("not what its encoding says") from None
                rest = unpack.unconsumed_tail
                if data:
                    yield data
