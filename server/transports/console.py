"""The web page: the files that `make console` builds, served from memory."""

import asyncio
import re
from pathlib import Path

from aiohttp import web

from server.transports.documents.told import Media, told
from server.transports.files import ASK_EACH_TIME, HEADERS, File, answer

BUILT = Path(__file__).parents[1] / "console"
INDEX = "index.html"
ABSENT = "The web page is not built. Run: make console\n"
NOTHING = "There is no such file. The web page is at /\n"
GUARDS = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy")
RETRY_SECONDS = 1.0  # after which a build that was not whole is read once more
_NAMED = re.compile(rb"assets/[\w.-]+\.(?:js|css)")
Files = dict[str, File]
Stamp = tuple[int, int]  # of the index: when it was written, and which file it is


class Site:
    """A built page in memory, which is read again when it has been built anew.

    While a build is under way the page of before is served. The assets of one build before stay too: who
    has that page open still loads its views.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: Files = {}
        self._before: Files = {}
        self._seen: Stamp | None = None
        self._unwhole: Stamp | None = None
        self._unwhole_at = 0.0
        self.retry_seconds = RETRY_SECONDS
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
            now = asyncio.get_running_loop().time()
            if seen == self._unwhole and now < self._unwhole_at + self.retry_seconds:
                return
            files = await asyncio.to_thread(read, self._folder)
            if files is None:
                self._unwhole, self._unwhole_at = seen, now
            else:
                self._before, self._files, self._seen = self._files, files, seen

    def _stamp(self) -> Stamp | None:
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


def _absent(text: str) -> web.Response:
    return web.Response(status=404, text=text, headers={**HEADERS, "Cache-Control": ASK_EACH_TIME})


async def _guard(request: web.Request, response: web.StreamResponse) -> None:
    """Let answers at addresses that lead nowhere have the headers of the page, too: browsers show them."""
    if request.match_info.http_exception is not None:
        for name in GUARDS:
            response.headers.setdefault(name, HEADERS[name])
