"""Where requests come from, behind proxies that are trusted and others."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
import pytest
import structlog
from aiohttp import web
from pydantic import ValidationError

from server.llm.scripted import ScriptedModel
from server.settings import Settings
from server.transports.addresses import Addresses
from tests.support.running import UNLIMITED, running, settings_for

Headers = dict[str, str]
PEER = "127.0.0.1"


@asynccontextmanager
async def asked(trusted: Iterable[str], headers: Iterable[tuple[str, str]]) -> AsyncIterator[tuple[str, str]]:
    """Send a request from this machine and yield the address and the origin that were read from it."""
    addresses = Addresses(trusted)
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.json_response([addresses.of(request), addresses.origin(request)])

    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, PEER, 0).start()
        url = f"http://{PEER}:{runner.addresses[0][1]}/"
        async with aiohttp.ClientSession() as http, http.get(url, headers=list(headers)) as response:
            address, origin = await response.json()
            yield address, origin.replace(url.removeprefix("http://").rstrip("/"), "here")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("", PEER),
        ("203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),  # what a client wrote itself stands to the left
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("203.0.113.7, 10.1.2.3, 127.0.0.1", "203.0.113.7"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),  # somebody inside
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ('"[2001:db8::1]:4711"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", PEER),
        ("203.0.113.7, garbage", PEER),
        ("203.0.113.7, ", PEER),
        ("203.0.113.7, [::1", "::1"),
        ("[2001:db8::1]x", PEER),
        ("1.2.3.4:x", PEER),
        ("1.2.3.4.5", PEER),
        ("garbage, 10.1.2.3", "10.1.2.3"),
        (", ".join(["1.2.3.4"] + ["10.0.0.1"] * 100), "10.0.0.1"),  # endless lists are not read
    ],
)
async def test_behind_trusted_proxies(forwarded: str, address: str) -> None:
    headers = [("X-Forwarded-For", forwarded)] if forwarded else []
    async with asked(["127.0.0.1", "10.0.0.0/8"], headers) as found:
        assert found[0] == address


async def test_several_headers_are_one_list() -> None:
    headers = [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "203.0.113.7, 127.0.0.1")]
    async with asked(["127.0.0.1"], headers) as found:
        assert found[0] == "203.0.113.7"


@pytest.mark.parametrize("trusted", [[], ["10.0.0.0/8", "::1"]])
async def test_nobody_else_is_believed(trusted: list[str]) -> None:
    headers = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "bank.example"),
    ]
    with structlog.testing.capture_logs() as logs:
        async with asked(trusted, headers) as found:
            assert found == (PEER, "http://here")
    assert [entry["address"] for entry in logs] == [PEER]


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"X-Forwarded-Proto": "https"}, "https://here"),
        ({"X-Forwarded-Proto": "HTTPS"}, "https://here"),
        ({"X-Forwarded-Proto": "http, https"}, "https://here"),
        ({"X-Forwarded-Host": "chat.example.org"}, "http://chat.example.org"),
        ({"X-Forwarded-Host": "a.example, b.example", "X-Forwarded-Proto": "https"}, "https://b.example"),
        ({}, "http://here"),
    ],
)
async def test_the_origin_behind_a_trusted_proxy(headers: Headers, origin: str) -> None:
    async with asked(["127.0.0.1"], headers.items()) as found:
        assert found[1] == origin


@pytest.mark.parametrize(
    ("trusted", "status"), [(["127.0.0.0/8"], 200), ([], 403)]
)  # a page of https://…, whose TLS ends at a proxy
async def test_pages_behind_a_proxy_that_ends_tls(
    mongod_url: str, model: tuple[object, str], trusted: list[str], status: int
) -> None:
    async with (
        running(settings_for(mongod_url, model[1], trusted_proxies=trusted)) as (url, _),
        aiohttp.ClientSession() as http,
    ):
        headers = {"Origin": url.replace("http:", "https:"), "X-Forwarded-Proto": "https"}
        address = f"{url}/socket.io/?EIO=4&transport=polling"
        async with http.get(address, headers=headers) as response:
            assert response.status == status


async def test_clients_behind_one_proxy_are_counted_apart(mongod_url: str, model: tuple[object, str]) -> None:
    changes = {**UNLIMITED, "connections_per_address": 1, "trusted_proxies": ["127.0.0.1"]}
    async with (
        running(settings_for(mongod_url, model[1], **changes)) as (url, _),
        aiohttp.ClientSession() as http,
    ):
        address = f"{url}/socket.io/?EIO=4&transport=polling"
        for forwarded in ("203.0.113.7", "203.0.113.7, 203.0.113.8"):
            for status in (200, 429):
                async with http.get(address, headers={"X-Forwarded-For": forwarded}) as response:
                    assert response.status == status
        for forwarded, status in (("2001:db8::1", 200), ("2001:db8::2", 429), ("2001:db8:0:1::1", 200)):
            async with http.get(address, headers={"X-Forwarded-For": forwarded}) as response:
                assert response.status == status, forwarded


@pytest.mark.parametrize("wrong", ["proxy.example.org", "10.0.0.0/99", "*", "10.0.0.1:80"])
def test_proxies_are_named_by_address(wrong: str) -> None:
    with pytest.raises(ValidationError, match="no address and no network"):
        Settings.model_validate({"trusted_proxies": wrong})


def test_proxies_are_separated_by_commas() -> None:
    settings = Settings.model_validate({"trusted_proxies": "10.0.0.1, fd00::/8 ,"})
    assert settings.trusted_proxies == ["10.0.0.1", "fd00::/8"]


async def test_a_forgotten_proxy_is_told_once_for_all_transports(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with (
            running(settings_for(mongod_url, model[1])) as (url, _),
            aiohttp.ClientSession(url, headers={"X-Forwarded-For": "203.0.113.7"}) as http,
        ):
            async with http.get("/socket.io/?EIO=4&transport=polling") as response:
                assert response.status == 200
            async with http.post("/socket/v5/client/connect", json={"guest_id": None}) as response:
                session = await response.json()
            async with http.get(session["stream"]) as response:
                assert response.status == 200
    assert len([entry for entry in logs if "GREENROOM_TRUSTED_PROXIES" in entry["event"]]) == 1
