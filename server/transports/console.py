"""The web page: the files that `make console` builds, served from memory."""

import asyncio
import gzip
import hashlib
import re
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path

from aiohttp import hdrs, web

from server.transports.documents.told import Media, told

BUILT = Path(__file__).parents[1] / "console"
INDEX = "index.html"
ABSENT = "The web page is not built. Run: make console\n"
NOTHING = "There is no such file. The web page is at /\n"
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
GUARDS = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy")
FOR_EVER = "public, max-age=31536000, immutable"  # names of assets hold a hash of what is in them
ASK_EACH_TIME = "no-cache"
PACKED = ("text/", "image/svg", "application/json", "application/javascript")
_NAMED = re.compile(rb"assets/[\w.-]+\.(?:js|css)")
Files = dict[str, "File"]


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


class Site:
    """A built page in memory, which is read again when it has been built anew.

    While a build is under way the page of before is served. The assets of one build before stay too: who
    has that page open still loads its views.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: Files = {}
        self._before: Files = {}
        self._seen: tuple[int, int] | None = None
        self._reading = asyncio.Lock()

    async def file(self, name: str) -> File | None:
        """Return a file of the page, None when there is none. Cancelling is safe."""
        if name == INDEX:
            await self._look()
        return self._files.get(name) or self._before.get(name)

    async def _look(self) -> None:
        async with self._reading:
            if (seen := self._stamp()) in (None, self._seen):
                return
            files = await asyncio.to_thread(read, self._folder)
            if files is not None:
                self._before, self._files, self._seen = self._files, files, seen

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = (self._folder / INDEX).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino


def read(folder: Path) -> Files | None:
    """Return the files of a built page, None while it is not whole."""
    files: Files = {}
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                files[name] = File.of(name, path.read_bytes())
    except FileNotFoundError:  # a build that empties the folder
        return None
    named = {
        n.decode()
        for file in files.values()
        if file.kind.startswith("text/")
        for n in _NAMED.findall(file.body)
    }
    whole = INDEX in files and files[INDEX].body.rstrip().endswith(b"</html>")
    return files if whole and named <= files.keys() else None


SITE = web.AppKey("site", Site)


def attach(app: web.Application, folder: Path = BUILT) -> None:
    """Add the page at / and its files."""
    app[SITE] = Site(folder)
    app.on_response_prepare.append(_guard)
    app.router.add_get("/", page)
    app.router.add_get(r"/{name:assets/[\w.-]+}", asset)
    app.router.add_get(r"/{name:[\w-]+\.(?:svg|png|ico)}", asset)


@told(Media("text/html"), is_open=True)
async def page(request: web.Request) -> web.StreamResponse:
    """Answer the page itself."""
    file = await request.app[SITE].file(INDEX)
    return _absent(ABSENT) if file is None else answer(request, file)


@told(Media("*/*"), is_open=True)
async def asset(request: web.Request) -> web.StreamResponse:
    """Answer a file that the page names."""
    site = request.app[SITE]
    name = request.match_info["name"]
    file = await site.file(name)
    if file is None:
        await site.file(INDEX)  # built anew, and nobody has asked for the page since
        file = await site.file(name)
    return _absent(NOTHING) if file is None else answer(request, file)


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


def _absent(text: str) -> web.Response:
    return web.Response(status=404, text=text, headers={**HEADERS, "Cache-Control": ASK_EACH_TIME})


async def _guard(request: web.Request, response: web.StreamResponse) -> None:
    """Let answers at addresses that lead nowhere have the headers of the page, too: browsers show them."""
    if request.match_info.http_exception is not None:
        for name in GUARDS:
            response.headers.setdefault(name, HEADERS[name])
