"""The built page in a real browser, over the real server."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from server.transports.console import BUILT, INDEX
from tests.console.browser import chromium
from tests.console.visitor import Console, visited
from tests.support.running import Server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Run a browser."""
    assert (BUILT / INDEX).is_file(), "the web page is not built; run make console"
    async with chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest_asyncio.fixture
async def console(server: Server, browser_address: str) -> AsyncIterator[Console]:
    """Give a test the page and its visitors."""
    async with async_playwright() as driver:
        browser = await driver.chromium.connect_over_cdp(browser_address)
        async with visited(server, browser) as console:
            yield console
        await browser.close()
