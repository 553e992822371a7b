"""Fetches from real servers: what is refused, what is limited, what is kept."""

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from server.engine.addresses import PublicResolver, is_public, shown
from server.engine.batch.plugins.etags import ETags, Kept
from server.engine.batch.plugins.fetching import MAX_ANSWER, MAX_BYTES, Fetcher
from server.errors import BadRequest, NotFound, TooLarge, Upstream
from tests.engine.batch.web import Site, site


@pytest.fixture
async def web_site() -> AsyncIterator[Site]:
    async with site() as served:
        yield served


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with aclosing(Fetcher(mirror=None, private=True)) as fetcher:
        yield fetcher


@pytest.fixture
async def strict() -> AsyncIterator[Fetcher]:
    async with aclosing(Fetcher(mirror=None, private=False)) as fetcher:
        yield fetcher


# fmt: off
PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::",
    "fe80::1", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "::127.0.0.1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]
SPELLINGS = [
    "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "0x7f.1", "127.1", "2130706433",
    "0177.0.0.1", "0", "１２７.0.0.1", "127.0.0.1.", "169.254.169.254", "[fe80::1]", "0x7f000001",
]
NO_ADDRESSES = [
    "ftp://host/x", "file:///etc/passwd", "http://", "//host/x", "x", "http://me:secret@host/x",
    "http://me@host/x", "http://[::1/x", "http://host:99999/x", "gopher://127.0.0.1/x",
]
OUTSIDE = [
    "https://host.test/%2e%2e/%2e%2e/secret.json", "https://host.test/..%2f..%2fsecret.json",
    "https://../secret.json", "https://host.test/..%5csecret.json", "https://host.test/link.json",
    "https://host.test/%00",
]
# fmt: on


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_internet_is_private(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_a_private_address_is_connected_to(
    strict: Fetcher, web_site: Site, host: str
) -> None:
    port = web_site.url.rpartition(":")[2]
    with pytest.raises((BadRequest, Upstream)) as caught:  # some spellings have no address at all
        await strict.get(f"http://{host}:{port}/a.json")
    assert web_site.asked == []
    if host in ("127.0.0.1", "localhost", "0x7f.1"):
        assert "private network" in caught.value.message
        assert "GREENROOM_PRIVATE_URLS" in caught.value.message


async def test_a_name_with_one_private_address_is_refused_and_allowed_where_all_are() -> None:
    with pytest.raises(BadRequest, match="localhost is an address of a private network"):
        await PublicResolver(private=False).resolve("localhost", 80)
    allowed = await PublicResolver(private=True).resolve("localhost", 80)
    assert {found["host"] for found in allowed} <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError, match="no host has such a name"):
        await PublicResolver(private=True).resolve("a" * 70 + ".invalid", 80)


@pytest.mark.parametrize("url", NO_ADDRESSES)
async def test_other_addresses_are_refused(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await fetcher.get(url)
    assert "secret" not in caught.value.message


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://me:word@host/a/b?key=secret#x") == "https://host/a/b"
    assert len(shown("https://host/" + "a" * 5000)) < 400


async def test_content_is_fetched_with_its_type_and_place(fetcher: Fetcher, web_site: Site) -> None:
    url = web_site.text("/a.yaml", "a: 1", content_type="application/yaml")
    first = web_site.redirect("/first", "/a.yaml")
    fetched = await fetcher.get(first)
    assert (fetched.url, fetched.body) == (url, b"a: 1")


@pytest.mark.parametrize(
    "to", ["ftp://host/x", "file:///etc/passwd", "http://me:word@127.0.0.1/", "http://["]
)
async def test_redirects_are_checked_like_addresses(fetcher: Fetcher, web_site: Site, to: str) -> None:
    with pytest.raises(BadRequest):
        await fetcher.get(web_site.redirect("/first", to))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:7f00:1]", "2130706433"])
async def test_a_redirect_to_a_private_address_is_refused(
    fetcher: Fetcher, web_site: Site, host: str
) -> None:
    """Only the first fetch is let through: private addresses are forbidden while it is under way."""
    target = web_site.text("/secret.json", "{}").replace("127.0.0.1", host)

    async def answer(_: web.Request) -> web.StreamResponse:
        fetcher.private = False
        return web.Response(status=302, headers={"Location": target})

    with pytest.raises(BadRequest, match=r"private network|no address"):
        await fetcher.get(web_site.on("/first", answer))
    assert web_site.paths() == ["/first"]


async def test_five_redirects_are_followed_and_no_more(fetcher: Fetcher, web_site: Site) -> None:
    for number in range(6):
        web_site.redirect(f"/{number}", f"/{number + 1}")
    web_site.text("/6", "{}")
    assert (await fetcher.get(web_site.url + "/1")).body == b"{}"
    with pytest.raises(BadRequest, match="more than 5 redirects"):
        await fetcher.get(web_site.url + "/0")


async def test_what_takes_too_long_is_given_up(web_site: Site) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.Event().wait()
        return response

    async with aclosing(Fetcher(mirror=None, private=True, seconds=0.2)) as fetcher:
        with pytest.raises(Upstream, match=r"did not answer in full within 0\.2 seconds") as caught:
            await fetcher.get(web_site.on("/slow", drip))
    assert caught.value.may_retry


async def test_what_is_too_large_is_not_read(fetcher: Fetcher, web_site: Site) -> None:
    url = web_site.text("/large", b" " * (MAX_BYTES + 1))
    with pytest.raises(TooLarge, match="larger than 8,388,608 bytes"):
        await fetcher.get(url)
    assert len((await fetcher.get(web_site.text("/full", b" " * MAX_BYTES))).body) == MAX_BYTES


async def test_content_is_measured_unpacked(fetcher: Fetcher, web_site: Site) -> None:
    bomb = gzip.compress(b"\0" * 64 * 1024 * 1024, compresslevel=1)

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    with pytest.raises(TooLarge):
        await fetcher.get(web_site.on("/bomb", answer))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFound),
        (410, NotFound),
        (401, BadRequest),
        (403, BadRequest),
        (500, Upstream),
        (429, Upstream),
    ],
)
async def test_an_error_names_the_address_and_not_the_text(
    fetcher: Fetcher, web_site: Site, status: int, error: type[Exception]
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="a secret text")

    url = web_site.on("/x", answer)
    with pytest.raises(error) as caught:
        await fetcher.get(f"{url}?key=hidden")
    assert url in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
async def test_what_does_not_speak_http_is_upstream(fetcher: Fetcher, answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        with pytest.raises(Upstream):
            await fetcher.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")


async def test_nobody_there_and_no_such_host_are_upstream(fetcher: Fetcher, web_site: Site) -> None:
    with pytest.raises(Upstream, match="its host has no address"):
        await fetcher.get("http://nowhere.invalid/x")
    async with site() as gone:
        pass
    with pytest.raises(Upstream, match="cannot be reached"):
        await fetcher.get(f"{gone.url}/x")


async def test_content_with_an_etag_is_sent_once(fetcher: Fetcher, web_site: Site) -> None:
    url = web_site.on("/a", _tagged)
    web_site.redirect("/b", "/a")
    assert [(await fetcher.get(url)).body, (await fetcher.get(url)).body] == [b"[1]", b"[1]"]
    assert (await fetcher.get(f"{web_site.url}/b")).body == b"[1]"
    conditions = [r.headers.get("If-None-Match") for r in web_site.asked if r.path == "/a"]
    assert conditions == [None, '"one"', '"one"']


async def test_content_fetched_with_a_key_is_kept_for_that_key(fetcher: Fetcher, web_site: Site) -> None:
    url = web_site.on("/a", _tagged)
    for key in ("one", "one", "two", None):
        await fetcher.get(url, headers={"Authorization": key} if key else None)
    conditions = [r.headers.get("If-None-Match") for r in web_site.asked]
    assert conditions == [None, '"one"', None, None]


async def _tagged(request: web.Request) -> web.StreamResponse:
    if request.headers.get("If-None-Match") == '"one"':
        return web.Response(status=304)
    return web.Response(body=b"[1]", headers={"ETag": '"one"'})


def test_kept_contents_are_bounded_and_the_unused_go_first() -> None:
    etags = ETags(limit=10)
    for name in ("a", "b"):
        etags.put((name, b""), Kept(etag="e", body=b"12345"))
    assert etags.get(("a", b""))
    etags.put(("c", b""), Kept(etag="e", body=b"1234"))
    assert [bool(etags.get((name, b""))) for name in ("a", "b", "c")] == [True, False, True]
    etags.put(("d", b""), Kept(etag="e", body=b"x" * 11))
    assert not any(etags.get((name, b"")) for name in ("a", "b", "c", "d"))


async def test_who_asks_at_the_same_time_shares_a_request(fetcher: Fetcher, web_site: Site) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return web.Response(body=b"[1]")

    url = web_site.on("/a", answer)
    first, *others = [asyncio.create_task(fetcher.get(url)) for _ in range(10)]
    await asked.wait()
    first.cancel()  # who goes does not take the request along
    release.set()
    assert {task.body for task in await asyncio.gather(*others)} == {b"[1]"}
    assert len(web_site.asked) == 1


async def test_headers_do_not_follow_a_redirect_to_another_origin(fetcher: Fetcher, web_site: Site) -> None:
    async with site() as other:
        other.text("/there", "{}")
        web_site.redirect("/away", f"{other.url}/there")
        web_site.redirect("/here", "/away")
        await fetcher.get(f"{web_site.url}/here", headers={"Authorization": "Bearer key"})
        assert [r.headers.get("Authorization") for r in web_site.asked] == ["Bearer key", "Bearer key"]
        assert "Authorization" not in other.asked[0].headers


async def test_an_api_is_called_with_json_and_its_answer_cut(fetcher: Fetcher, web_site: Site) -> None:
    long = web_site.text("/long", "é" * 20_000, content_type="text/plain")
    assert await fetcher.request("post", long, body={"a": [1]}) == "é" * MAX_ANSWER
    assert (web_site.asked[0].method, web_site.bodies[0]) == ("POST", b'{"a": [1]}')
    assert web_site.asked[0].headers["Content-Type"] == "application/json"
    assert await fetcher.request("GET", f"{web_site.url}/none") == "HTTP 404\na secret text"
    with pytest.raises(BadRequest, match="no HTTP method"):
        await fetcher.request("GET /x", long)
    seen = web_site.redirect("/see", "/long", status=303)
    assert await fetcher.request("PUT", seen, body=1) == "é" * MAX_ANSWER
    assert web_site.asked[-1].method == "GET"


async def test_an_api_at_a_private_address_is_not_called(strict: Fetcher, web_site: Site) -> None:
    with pytest.raises(BadRequest, match="private network"):
        await strict.request("POST", f"{web_site.url}/x", body={})
    assert web_site.asked == []


@pytest.fixture
async def mirrored(tmp_path: Path) -> AsyncIterator[Fetcher]:
    (tmp_path / "mirror" / "host.test" / "api").mkdir(parents=True)
    (tmp_path / "mirror" / "host.test" / "a.json").write_text("[1]")
    (tmp_path / "mirror" / "host.test" / "api" / "index.yaml").write_text("- 2")
    (tmp_path / "secret.json").write_text("[3]")
    (tmp_path / "mirror" / "host.test" / "link.json").symlink_to(tmp_path / "secret.json")
    async with aclosing(Fetcher(mirror=tmp_path / "mirror", private=False)) as fetcher:
        yield fetcher


async def test_a_mirror_serves_files_instead_of_the_network(mirrored: Fetcher) -> None:
    assert (await mirrored.get("https://HOST.test:8443/a.json?x=1")).body == b"[1]"
    index = await mirrored.get("http://host.test/api/")
    assert index.body == b"- 2"
    assert await mirrored.request("GET", "https://host.test/a.json") == "[1]"
    with pytest.raises(NotFound, match="only answers GET"):
        await mirrored.request("POST", "https://host.test/a.json")


@pytest.mark.parametrize(
    ("path", "file"),
    [("/b.json", "host.test/b.json"), ("/a.json/c", "host.test/a.json/c"), ("/", "host.test/index.json")],
)
async def test_a_missing_file_is_named(mirrored: Fetcher, path: str, file: str) -> None:
    with pytest.raises(NotFound, match=f"no file {file} for https://host.test{path}"):
        await mirrored.get(f"https://host.test{path}")


@pytest.mark.parametrize("url", OUTSIDE)
async def test_a_mirror_serves_nothing_outside_of_it(mirrored: Fetcher, url: str) -> None:
    with pytest.raises((BadRequest, NotFound)):
        await mirrored.get(url)
