"""Somebody who looks at the page: signed in, over a line of their own that can break."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from playwright.async_api import Browser, ConsoleMessage, Error, Page, ViewportSize, expect

from schemas.envelope import Id, Role
from server.engine.ids import new
from server.transports import keys
from tests.imports import ROOT
from tests.support.proxy import Proxy, proxy
from tests.support.running import Server

Who = Literal["learner", "author", "ops", "admin", "guest"]
PATIENCE = 20_000  # ms
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
IMAGES = ROOT / "docs" / "images"
DESKTOP: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 360, "height": 740}
GRAVE = ("serious", "critical")
# What a browser says itself when a line breaks, or an answer is an error that the page deals with.
EXPECTED = ("Failed to load resource", "WebSocket connection to", "net::ERR_")
expect.set_options(timeout=PATIENCE)


class Visitor:
    """A page of the browser, and the line through which it reaches the server."""

    def __init__(self, page: Page, line: Proxy, token: str | None, profile_id: Id) -> None:
        self.page = page
        self.profile_id = profile_id
        self.faults: list[str] = []
        self._line = line
        self._token = token
        page.on("console", self._heard)
        page.on("pageerror", self._failed)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in EXPECTED):
            self.faults.append(message.text)

    def _failed(self, error: Error) -> None:
        self.faults.append(str(error))

    async def open(self, *place: str) -> None:
        """Go to a view, signed in; the first time by a link that holds the token."""
        if not self.page.url.startswith(self._line.url):
            start = f"{self._line.url}/" + (f"#token={self._token}" if self._token else "")
            await self.page.goto(start)
            await expect(self.page.get_by_role("banner")).to_be_visible()
        await self.page.evaluate("place => { location.hash = place }", "/" + "/".join(place))

    async def open_link(self, token: str) -> None:
        """Follow a link that holds a token."""
        await self.page.goto(f"{self._line.url}/#token={token}")
        await expect(self.page.get_by_role("banner")).to_be_visible()

    async def drop(self) -> None:
        """Break the line: what is open is reset, and nothing gets through."""
        self._line.refuse = True
        self._line.cut()

    async def mend(self) -> None:
        """Let the line work again."""
        self._line.refuse = False

    async def axe(self) -> None:
        """Find no serious issue of accessibility, by day and by night."""
        await self.page.evaluate(f"{AXE.read_text()}; undefined")
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await expect(self.page.locator("html")).to_have_attribute("data-theme", scheme)
            found: dict[str, Any] = await self.page.evaluate("axe.run({resultTypes: ['violations']})")
            grave = [
                (v["id"], v["help"], [n["html"][:200] for n in v["nodes"]])
                for v in found["violations"]
                if v["impact"] in GRAVE
            ]
            assert not grave, (scheme, grave)
        await self.page.emulate_media(color_scheme="light")

    async def fits(self) -> None:
        """Find nothing that makes the page scroll sideways."""
        wide: list[int] = await self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide[0] <= wide[1], f"the page is {wide[0]} px wide on a screen of {wide[1]}"

    async def shot(self, name: str) -> None:
        """Take a picture of the page for docs/images, when GREENROOM_SHOTS is set."""
        if os.environ.get("GREENROOM_SHOTS"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            await self.page.screenshot(path=str(IMAGES / f"{name}.png"), animations="disabled")


class Console:
    """The page's server, and its visitors."""

    def __init__(self, server: Server, browser: Browser, stack: AsyncExitStack) -> None:
        self.server = server
        self.model = server.model
        self.store = server.app[keys.STORE]
        self.visitors: list[Visitor] = []
        self._browser = browser
        self._stack = stack

    async def visit(self, who: Who, *, phone: bool = False, profile_id: Id | None = None) -> Visitor:
        """Let somebody come, at a desk or with a phone; the same person again with a `profile_id`."""
        profile = profile_id or new()
        token = None if who == "guest" else self.server.token(profile, role=_role(who))
        line = await self._stack.enter_async_context(proxy(self.server.url))
        context = await self._browser.new_context(
            viewport=PHONE if phone else DESKTOP, is_mobile=phone, has_touch=phone, locale="en-GB"
        )
        self._stack.push_async_callback(context.close)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        visitor = Visitor(page, line, token, profile)
        self.visitors.append(visitor)
        return visitor


def _role(who: Who) -> Role:
    assert who != "guest"
    return who


@asynccontextmanager
async def visited(server: Server, browser: Browser) -> AsyncIterator[Console]:
    """Yield the console; at the end no page may have had a fault."""
    async with AsyncExitStack() as stack:
        console = Console(server, browser, stack)
        yield console
        assert [visitor.faults for visitor in console.visitors if visitor.faults] == []
