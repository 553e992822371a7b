"""How the files of the page are served: from memory, whole, and under its policy."""

import gzip
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from server.transports import console, http_errors
from server.transports.console import BUILT, INDEX, SITE
from server.transports.files import FOR_EVER, takes_gzip
from tests.support.running import Server

Answer = tuple[int, Mapping[str, str], bytes]
POLICY = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
FIRST_LOAD = 150_000  # bytes of script, packed
SCRIPT = "export const many = 1;\n" * 100


def build(folder: Path, version: str, *, whole: bool = True) -> None:
    """Write a page that names a script; its file is missing when the page is not whole."""
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    if whole:
        (folder / "assets" / f"{version}.js").write_text(SCRIPT)
    new = folder / "new"
    new.write_text(f'<html><script src="/assets/{version}.js"></script></html>\n')
    new.replace(folder / INDEX)


@asynccontextmanager
async def serving(folder: Path, *, retry_seconds: float = 3600) -> AsyncIterator[str]:
    """Serve a folder as the application serves the built page."""
    app = web.Application(middlewares=[http_errors.middleware({})])
    console.attach(app, folder)
    app[SITE].retry_seconds = retry_seconds
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask(url: str, path: str, *, method: str = "GET", **headers: str) -> Answer:
    """Return status, headers and body as they are on the wire."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as http,
        http.request(method, URL(f"{url}{path}", encoded=True), headers=sent) as response,
    ):
        return response.status, response.headers, await response.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "console"
    build(found, "one")
    return found


async def test_every_file_that_the_built_page_names_is_served(server: Server) -> None:
    status, headers, body = await ask(server.url, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Cache-Control"] == "no-cache"
    assert body == (BUILT / INDEX).read_bytes()
    named = re.findall(r'(?:src|href)="(/[^"]+)"', body.decode())
    assert any(name.startswith("/assets/") and name.endswith(".js") for name in named)
    files = [*named, *(f"/assets/{path.name}" for path in (BUILT / "assets").iterdir())]
    for name in files:
        status, headers, body = await ask(server.url, name)
        assert (status, body) == (200, (BUILT / name[1:]).read_bytes()), name
        assert (headers["Cache-Control"] == FOR_EVER) is name.startswith("/assets/"), name


async def test_the_first_load_is_small(server: Server) -> None:
    body = (await ask(server.url, "/"))[2].decode()
    scripts = re.findall(r'"(/assets/[^"]+\.js)"', body)
    assert scripts
    sent = [len((await ask(server.url, name, Accept_Encoding="gzip"))[2]) for name in scripts]
    assert sum(sent) <= FIRST_LOAD


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/assets/no.js", 404), ("GET", "/nowhere", 404), ("POST", "/", 405)],
)
async def test_every_answer_is_under_the_policy(server: Server, method: str, path: str, status: int) -> None:
    found, headers, _ = await ask(server.url, path, method=method)
    assert found == status
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert POLICY.items() <= policy.items()
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


async def test_answers_of_the_interfaces_are_left_as_they_are(server: Server) -> None:
    status, headers, _ = await ask(server.url, "/health/live")
    assert status == 200
    assert "Content-Security-Policy" not in headers


async def test_what_has_not_changed_is_not_sent_again(folder: Path) -> None:
    async with serving(folder) as url:
        for packing in ("identity", "gzip"):
            _, headers, _ = await ask(url, "/assets/one.js", Accept_Encoding=packing)
            for known in (headers["ETag"], f'"other", W/{headers["ETag"]}', "*"):
                status, again, body = await ask(
                    url, "/assets/one.js", Accept_Encoding=packing, If_None_Match=known
                )
                assert (status, body) == (304, b"")
                assert again["ETag"] == headers["ETag"]
                assert "Content-Security-Policy" in again
            status, _, _ = await ask(url, "/assets/one.js", Accept_Encoding=packing, If_None_Match='"other"')
            assert status == 200


async def test_packed_and_plain_files_have_their_own_tags(folder: Path) -> None:
    async with serving(folder) as url:
        _, plain, text = await ask(url, "/assets/one.js")
        _, packed, less = await ask(url, "/assets/one.js", Accept_Encoding="br, gzip;q=0.5")
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(less) == text == SCRIPT.encode()
    assert "Content-Encoding" not in plain
    assert plain["ETag"] != packed["ETag"]
    assert plain["Vary"] == packed["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP ; q=1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip, *;q=0", True),
        ("*, gzip;q=0", False),
        ("br, deflate", False),
    ],
)
def test_gzip_is_sent_only_to_who_takes_it(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


@pytest.mark.parametrize("path", ["/", "/assets/one.js"])
async def test_head_answers_as_get_without_a_body(folder: Path, path: str) -> None:
    async with serving(folder) as url:
        _, whole, body = await ask(url, path)
        status, headers, nothing = await ask(url, path, method="HEAD")
    assert (status, nothing) == (200, b"")
    assert headers["Content-Length"] == str(len(body))
    assert headers["ETag"] == whole["ETag"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/assets//one.js",
        "/assets/one.js%00",
        "/secret.svg",
    ],
)
async def test_nothing_outside_of_the_page_is_served(folder: Path, path: str) -> None:
    for name in ("secret.txt", "secret.svg"):
        (folder.parent / name).write_text("not for you")
    async with serving(folder) as url:
        status, _, body = await ask(url, path)
    assert status in (400, 404)
    assert b"not for you" not in body


async def test_without_a_build_the_page_says_what_to_do(tmp_path: Path) -> None:
    async with serving(tmp_path / "console") as url:
        status, headers, body = await ask(url, "/")
        assert (status, headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
        assert b"make console" in body
        assert (await ask(url, "/assets/one.js"))[0] == 404
        build(tmp_path / "console", "one")
        assert (await ask(url, "/assets/one.js"))[0] == 200
        assert (await ask(url, "/"))[0] == 200


async def test_a_new_build_is_served_once_it_is_whole(folder: Path) -> None:
    async with serving(folder) as url:
        assert b"one.js" in (await ask(url, "/"))[2]
        build(folder, "two", whole=False)
        assert b"one.js" in (await ask(url, "/"))[2]
        build(folder, "two")
        assert b"two.js" in (await ask(url, "/"))[2]
        assert (await ask(url, "/assets/two.js"))[2] == SCRIPT.encode()
        assert (await ask(url, "/assets/one.js"))[0] == 200, "who has the old page open still loads its views"


async def test_a_build_that_is_not_whole_is_not_read_with_each_request(folder: Path) -> None:
    async with serving(folder) as url:
        assert b"one.js" in (await ask(url, "/"))[2]
        build(folder, "two", whole=False)
        assert b"one.js" in (await ask(url, "/"))[2]
        (folder / "assets" / "two.js").write_text(SCRIPT)
        assert b"one.js" in (await ask(url, "/"))[2]
    async with serving(folder, retry_seconds=0) as url:
        assert b"two.js" in (await ask(url, "/"))[2]
        build(folder, "three", whole=False)
        assert b"two.js" in (await ask(url, "/"))[2]
        (folder / "assets" / "three.js").write_text(SCRIPT)
        assert b"three.js" in (await ask(url, "/"))[2]


def cut_short(folder: Path) -> None:
    """Leave the index half written."""
    (folder / INDEX).write_text('<html><script src="/assets/o')


def emptied(folder: Path) -> None:
    """Leave the index without anything."""
    (folder / INDEX).write_text("")


@pytest.mark.parametrize("harm", [shutil.rmtree, cut_short, emptied])
async def test_a_build_under_way_harms_no_page_that_is_served(
    folder: Path, harm: Callable[[Path], None]
) -> None:
    async with serving(folder) as url:
        before = await ask(url, "/")
        harm(folder)
        assert (await ask(url, "/"))[2] == before[2]
        assert (await ask(url, "/assets/one.js"))[2] == SCRIPT.encode()
        build(folder, "two")
        assert b"two.js" in (await ask(url, "/"))[2]
