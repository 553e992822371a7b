"""Answers of the server that come late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, Request, Route

PATIENCE = 20.0


class Held:
    """The first answer to an address: it was given, and the page does not have it yet."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._request: Request | None = None
        self._given = asyncio.Event()
        self._let_go = asyncio.Event()

    async def take(self, route: Route) -> None:
        """Keep back the first answer, and let others pass."""
        if route.request.method != "GET" or self._request is not None:
            await route.continue_()
            return
        self._request = route.request
        response = await route.fetch()
        self._given.set()
        await self._let_go.wait()
        await route.fulfill(response=response)

    async def given(self) -> None:
        """Wait until the server has answered."""
        await asyncio.wait_for(self._given.wait(), PATIENCE)

    async def arrive(self) -> None:
        """Let the page have the answer."""
        async with self._page.expect_event("requestfinished", lambda request: request is self._request):
            self._let_go.set()


@asynccontextmanager
async def held(page: Page, address: str) -> AsyncIterator[Held]:
    """Keep back the first answer to an address, which may have `**` in it."""
    late = Held(page)
    await page.route(address, late.take)
    yield late
    await page.unroute(address)
