"""Files in memory, as browsers get them: packed where they take it, and not again when they have them."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from mimetypes import guess_type

from aiohttp import hdrs, web

# Of other hosts only pictures and videos, which scenarios may name; scripts, styles and connections are ours,
# and of ours alone: 'self' also covers ws: and wss: to the same host and port.
POLICY = "; ".join(
    (
        "default-src 'self'", "img-src 'self' data: blob: https:", "media-src 'self' data: blob: https:",
        "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    )
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
FOR_EVER = "public, max-age=31536000, immutable"  # names of assets hold a hash of what is in them
ASK_EACH_TIME = "no-cache"
PACKED = ("text/", "image/svg", "application/json", "application/javascript")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file as it is sent."""

    body: bytes
    packed: bytes | None  # by gzip, where that makes it smaller
    kind: str
    tag: str
    kept: str

    @classmethod
    def of(cls, name: str, body: bytes) -> "File":
        """Return a file, packed when it is text."""
        kind = (
            "text/javascript" if name.endswith(".js") else guess_type(name)[0] or "application/octet-stream"
        )
        packed = gzip.compress(body, mtime=0) if kind.startswith(PACKED) else body
        return cls(
            body=body,
            packed=packed if len(packed) < len(body) else None,
            kind=f"{kind}; charset=utf-8" if kind.startswith(PACKED) else kind,
            tag=hashlib.sha256(body).hexdigest()[:32],
            kept=FOR_EVER if name.startswith("assets/") else ASK_EACH_TIME,
        )


def answer(request: web.Request, file: File) -> web.Response:
    """Return a file, packed where the client takes that, or only that it is the same as before."""
    pack = file.packed if takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")) else None
    tag = f"{file.tag}-gzip" if pack else file.tag
    headers = {**HEADERS, "ETag": f'"{tag}"', "Cache-Control": file.kept}
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if pack:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=pack or file.body, headers={**headers, hdrs.CONTENT_TYPE: file.kind})


def takes_gzip(accepted: str) -> bool:
    """Tell whether an Accept-Encoding takes gzip (RFC 9110 §12.5.3): by name, or by the star."""
    found = dict[str, bool]()
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        found[name.strip()] = not re.fullmatch(r"\s*q\s*=\s*0(?:\.0{0,3})?\s*", weight)
    return found.get("gzip", found.get("*", False))
