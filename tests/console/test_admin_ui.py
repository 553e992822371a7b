"""The published page of the Socket.IO Admin UI, served from another origin, against the real server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, Route, async_playwright, expect
from pydantic import SecretStr

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.console.visitor import DESKTOP, PATIENCE
from tests.imports import ROOT
from tests.support.attempts import begin
from tests.support.clients import socket
from tests.support.running import Server, load_pack, running, settings_for

BUILT = ROOT / "tests" / "clients" / "node_modules" / "@socket.io" / "admin-ui" / "ui" / "dist"
PASSWORD = "a password of the tests"
# What its buttons that do something show: disconnect, leave, join, close a room.
DOES = ".mdi-logout, .mdi-tag-off-outline, .mdi-tag-plus-outline, .mdi-delete-outline"


@asynccontextmanager
async def hosted() -> AsyncIterator[str]:
    """Serve the page of the Admin UI as somebody hosts it."""
    assert BUILT.is_dir(), "the Admin UI is not installed; run make setup-test"
    app = web.Application()
    app.router.add_static("/", BUILT)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def hosted_at() -> AsyncIterator[str]:
    """Give the test the address of the Admin UI."""
    async with hosted() as url:
        yield url


@pytest_asyncio.fixture
async def watched(mongod_url: str, model: tuple[ScriptedModel, str], hosted_at: str) -> AsyncIterator[Server]:
    """Run a server that the page may watch."""
    changes: dict[str, Any] = {"admin_password": SecretStr(PASSWORD), "admin_origins": [hosted_at]}
    async with running(settings_for(mongod_url, model[1], **changes)) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest_asyncio.fixture
async def page(browser_address: str, hosted_at: str) -> AsyncIterator[Page]:
    """Open the Admin UI; the fonts that it asks others for are not fetched."""
    async with async_playwright() as driver:
        browser = await driver.chromium.connect_over_cdp(browser_address)
        context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
        await context.route(lambda url: not url.startswith("http://127.0.0.1"), _abort)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        await page.goto(f"{hosted_at}/index.html")
        yield page
        await context.close()
        await browser.close()


async def _abort(route: Route) -> None:
    await route.abort()


async def sign_in(page: Page, server: Server, password: str) -> None:
    """Fill in the form and send it."""
    await page.get_by_label("Server URL").fill(server.url)
    await page.get_by_label("Username").fill("admin")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Connect").click()


async def show(page: Page, place: str) -> None:
    """Go to one of its lists."""
    await page.get_by_role("link", name=place, exact=True).click()
    await expect(page.get_by_role("table")).to_be_visible()


async def test_the_page_signs_in_and_sees_sockets_and_rooms(watched: Server, page: Page) -> None:
    async with socket(watched.url, {"token": watched.token(new())}) as client:
        sid = client.seen_last("connection_confirmed")["sid"]
        talk = await begin(client)
        await sign_in(page, watched, PASSWORD + "!")
        await expect(page.get_by_text("Invalid credentials")).to_be_visible()
        await sign_in(page, watched, PASSWORD)
        await show(page, "Servers")
        await expect(page.get_by_role("row", name="Healthy")).to_be_visible()
        await show(page, "Sockets")
        await expect(page.get_by_role("row", name=sid)).to_contain_text("WebSocket")
        await show(page, "Rooms")
        room = page.get_by_role("row", name=talk.room)
        await expect(room).to_be_visible()
        await expect(page.locator(DOES)).to_have_count(0)
        await page.reload()  # the session that it keeps stands for the password
        await expect(room).to_be_visible()
        await client.send("attempt_leave", attempt_id=talk.attempt_id, chat_id=talk.chat_id)
        await expect(room).to_have_count(0)
        await show(page, "Sockets")
        await page.get_by_role("row", name=sid).click()
        await expect(page.get_by_role("heading", name="Client")).to_be_visible()
