"""Who is here changes: links that sign in, tokens that run out, and nothing that stays of the one before."""

from playwright.async_api import Page, Request, Route, WebSocket, expect

from schemas.envelope import Id, Role
from server.engine.ids import new
from tests.console.test_author import drafting, part, write
from tests.console.test_practise import begin, field
from tests.console.visitor import Console
from tests.console.wire import wire_of
from tests.support.playgrounds import HOURS, pipeline

WORD = "gooseberry"
SOON = 4.0  # seconds until a token expires
STORED = "[...Object.values(sessionStorage), ...Object.values(localStorage)].join(' ')"


class Sent:
    """Everything that a page sends from now on."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("request", self._request)
        page.on("websocket", self._connected)

    def _request(self, request: Request) -> None:
        self.texts.append(f"{request.url} {request.headers} {request.post_data}")

    def _connected(self, connection: WebSocket) -> None:
        connection.on("framesent", lambda frame: self.texts.append(str(frame)))


def place(page: Page) -> str:
    """Return where in the page somebody is."""
    return page.url.partition("#/")[2]


async def unsaved(route: Route) -> None:
    """Let nothing be stored."""
    await (route.abort() if route.request.method == "PATCH" else route.continue_())


async def sign_in(console: Console, page: Page, profile: Id, role: Role) -> None:
    """Sign in from the header."""
    await page.get_by_role("banner").get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog", name="Sign in")
    await dialog.get_by_label("Token").fill(console.server.token(profile, role=role))
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("banner").get_by_role("button", name="Sign out")).to_be_visible()


async def sign_out(page: Page) -> None:
    """Sign out, and be a guest."""
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("banner")).to_contain_text("guest")


async def test_nothing_that_was_typed_is_there_for_who_comes_next(console: Console) -> None:
    author = await drafting(console, "Persona")
    page = author.page
    draft = place(page)
    await page.route("**/api/v1/**", unsaved)
    await write(page, "Names", "Name", WORD)
    await expect(page.get_by_text("Not kept")).to_be_visible()
    playground = f"playground/{await pipeline(console.server, author.profile_id, HOURS)}"
    await author.open(playground)
    await page.get_by_label("System prompt").fill(WORD)
    await begin(author, "One")
    await field(page).fill(WORD)
    talk = place(page)
    assert WORD in await page.evaluate(STORED)
    await sign_out(page)
    assert WORD not in await page.evaluate(STORED)
    sent = Sent(page)
    await page.unroute_all()
    await sign_in(console, page, new(), "author")
    await author.open(playground)
    await expect(page.get_by_label("System prompt")).not_to_have_value(WORD)
    await sign_out(page)
    await sign_in(console, page, author.profile_id, "author")  # nor for the same person
    await author.open(playground)
    await expect(page.get_by_label("System prompt")).not_to_have_value(WORD)
    await author.open(talk)
    await expect(field(page)).to_have_value("")
    await author.open(draft)
    await expect(part(page, "Names").get_by_role("button", name="Write it oneself")).to_be_visible()
    assert WORD not in await page.content()
    assert [text for text in sent.texts if WORD in text] == []


async def test_a_link_asks_who_is_signed_in_already(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await field(page).fill(WORD)
    banner = page.get_by_role("banner")
    dialog = page.get_by_role("dialog", name="Sign in by this link?")
    token = console.server.token(new(), role="ops")
    await visitor.open_link(token)
    await expect(dialog).to_contain_text(f"You are signed in as learner {visitor.profile_id[:8]}")
    await visitor.axe()
    await dialog.get_by_role("button", name="Stay signed in").click()
    await expect(banner).to_contain_text("learner")
    assert token not in page.url
    assert WORD in await page.evaluate(STORED)
    await page.goto("about:blank")
    await visitor.open_link(token)  # also when the page is opened by it
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Sign in by the link").click()
    await expect(banner).to_contain_text("ops")
    assert WORD not in await page.evaluate(STORED)


async def test_who_comes_back_under_a_newer_token_finds_what_was_typed(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await field(page).fill(WORD)
    talk = place(page)
    wire = await wire_of(page)
    await page.goto("about:blank")
    await visitor.open_link(console.server.token(visitor.profile_id, seconds=SOON))
    await page.get_by_role("button", name="Sign in by the link").click()
    await expect(page.get_by_role("alert")).to_contain_text("expired")
    assert '42["auth_expired",{}]' in wire.heard
    await page.get_by_label("Token").fill(console.server.token(visitor.profile_id))
    await page.get_by_role("main").get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("banner")).to_contain_text("learner")
    await visitor.open(talk)
    await expect(field(page)).to_have_value(WORD)
