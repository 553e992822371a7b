"""Files that are answered in parts, as players ask for them (RFC 9110 §14)."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from aiohttp import web

from server.transports.http_errors import json_response

Read = Callable[[int, int], AsyncGenerator[bytes, None]]


async def ranged(
    request: web.Request, read: Read, *, length: int, content_type: str, etag: str, name: str
) -> web.StreamResponse:
    """Answer a file that never changes: whole, or the one range that is asked for.

    `read` yields the bytes from a place to before another. Of several ranges none is answered, but the whole
    file; a range that lies outside is answered with 416.
    """
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{etag}"',
        "Cache-Control": "private, max-age=86400",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    if any(tag.value in (etag, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    try:
        wanted = _range(request, length, etag)
    except ValueError:
        failure = {
            "code": "bad_request",
            "message": "Range: it lies outside of the file.",
            "retryable": False,
        }
        answer = json_response({"success": False, "error": failure}, status=416)
        answer.headers["Content-Range"] = f"bytes */{length}"
        return answer
    start, end = wanted or (0, length)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
    response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
    response.content_type = content_type
    response.content_length = end - start
    await response.prepare(request)
    if request.method != "HEAD":
        async with aclosing(read(start, end)) as pieces:
            async for piece in pieces:
                await response.write(piece)
    return response


def _range(request: web.Request, length: int, etag: str) -> tuple[int, int] | None:
    """Return from where to before where, None for the whole file; raises ValueError for what is outside."""
    header = request.headers.get("Range", "")
    unit, _, spec = header.partition("=")
    same = request.headers.get("If-Range", f'"{etag}"') == f'"{etag}"'
    first, dash, last = spec.strip().partition("-")
    numbers = all(not part or (part.isascii() and part.isdigit()) for part in (first, last))
    if unit.strip().lower() != "bytes" or not same or not dash or not numbers or not (first or last):
        return None  # nothing that is known, or several: the whole file answers it
    if not first:
        start, end = max(0, length - int(last)), length
    else:
        start, end = int(first), min(length, int(last) + 1) if last else length
    if start >= length or start >= end:
        raise ValueError
    return start, end
