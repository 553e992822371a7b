"""The documents say what the running application has, no more and no less."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.test_utils
import orjson
import pytest
from openapi_spec_validator import validate

from handlers import HANDLERS
from schemas.events import EXTRA_SERVER_EVENTS, SERVER_EVENTS
from server.transports.documents.openapi import ANY, openapi, plain
from server.transports.documents.told import told_of
from tests.clients.node import run
from tests.support.running import Server

NAMES = ("/openapi.json", "/asyncapi.json", "/docs", "/docs/style.css")
SAMPLES = {"version": "v1", "id": "7", "pipeline_id": "7", "name": "x.png"}


async def read(http: aiohttp.ClientSession, server: Server, name: str) -> Any:
    async with http.get(server.url + name) as response:
        assert response.status == 200
        return await response.json()


async def test_openapi_is_valid(server: Server, http: aiohttp.ClientSession) -> None:
    validate(await read(http, server, "/openapi.json"))


async def test_every_route_is_in_the_document_and_nothing_else(
    server: Server, http: aiohttp.ClientSession
) -> None:
    """Each documented operation is resolved by the router itself; every route has to be met by one."""
    document = await read(http, server, "/openapi.json")
    met = set()
    for address, operations in document["paths"].items():
        for method, operation in operations.items():
            path = address
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    name = parameter["name"]
                    sample = "js.js" if address.startswith("/assets/") else SAMPLES.get(name, "some")
                    path = path.replace(f"{{{name}}}", sample)
            found = await server.app.router.resolve(_request(method.upper(), path))
            assert found.http_exception is None, (method, path)
            met.add((found.route.method, found.route.resource))
    routes = {(r.method, r.resource) for r in server.app.router.routes() if r.method != "HEAD"}
    assert met == routes


def _request(method: str, path: str) -> Any:
    return aiohttp.test_utils.make_mocked_request(method, path)


async def test_a_handler_that_tells_nothing_is_found(server: Server) -> None:
    app = aiohttp.web.Application()
    app.router.add_get("/secret", test_openapi_is_valid)  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="/secret"):
        openapi(app, version="1")


async def test_every_event_is_a_post_and_a_message(
    server: Server, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    paths = (await read(http, server, "/openapi.json"))["paths"]
    posts = {path.rpartition("/client/")[2].replace("/", "_") for path in paths if "/client/" in path}
    assert posts == {*HANDLERS, "connect", "disconnect", "auth_refresh"}
    file = tmp_path / "asyncapi.json"
    file.write_bytes(orjson.dumps(await read(http, server, "/asyncapi.json")))
    parsed = await run("asyncapi", file=str(file))
    assert parsed["errors"] == []
    assert parsed["version"] == "3.0.0"
    assert {*HANDLERS, *SERVER_EVENTS, *EXTRA_SERVER_EVENTS} <= set(parsed["messages"])
    assert {f"{name}_ack" for name in HANDLERS} <= set(parsed["messages"])
    assert set(HANDLERS) <= set(parsed["operations"])
    assert {"attempt_{chat_id}", "test_{invocation_id}", "result_{result_id}", "ops"} <= set(
        parsed["channels"]
    )


@pytest.mark.parametrize("name", NAMES)
async def test_a_document_that_is_known_is_not_sent_again(
    server: Server, http: aiohttp.ClientSession, name: str
) -> None:
    async with http.get(server.url + name) as first:
        tag = first.headers["ETag"]
        assert "default-src 'self'" in first.headers["Content-Security-Policy"]
    async with http.get(server.url + name, headers={"If-None-Match": tag}) as again:
        assert (again.status, await again.read()) == (304, b"")
    async with http.get(server.url + name, headers={"If-None-Match": '"another"'}) as other:
        assert other.status == 200


class Tags(HTMLParser):
    """Notes what a strict policy would not let a page have."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag in ("script", "style") or any(n == "style" or n.startswith("on") for n in found):
            self.refused.append(tag)


async def test_the_page_names_everything_and_needs_nobody(
    server: Server, http: aiohttp.ClientSession
) -> None:
    async with http.get(server.url + "/docs") as response:
        text = await response.text()
    tags = Tags()
    tags.feed(text)
    assert tags.refused == []
    assert all(link.startswith(("#", "/")) and not link.startswith("//") for link in tags.links)
    for path in (await read(http, server, "/openapi.json"))["paths"]:
        assert path in text
    for event in (*HANDLERS, *SERVER_EVENTS, *EXTRA_SERVER_EVENTS):
        assert f"<code>{event}</code>" in text


async def test_every_route_tells_of_itself(server: Server) -> None:
    silent = [r for r in server.app.router.routes() if told_of(plain(r.handler)) is None]
    assert silent == []
    assert any(route.method == ANY for route in server.app.router.routes())  # sockets
