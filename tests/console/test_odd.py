"""What the page meets seldom: a browser that keeps nothing, addresses of nothing, answers of others."""

from playwright.async_api import Route, expect

from tests.conftest import Cast
from tests.console.visitor import Console
from tests.support.trials import begin

FORBIDDEN = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } });
}"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };"""


async def test_a_browser_that_keeps_nothing(console: Console) -> None:
    for script in (FORBIDDEN, FULL):
        visitor = await console.visit("author")
        await visitor.page.add_init_script(script)
        await visitor.open("practise")
        await expect(visitor.page.get_by_role("button", name="Sign out")).to_be_visible()
        await expect(visitor.page.get_by_role("heading", name="Practise", level=1)).to_be_visible()
        assert "token" not in visitor.page.url
    guest = await console.visit("guest")
    await guest.page.add_init_script(FULL)
    await guest.open("practise")
    await expect(guest.page.get_by_role("heading", name="Practise", level=1)).to_be_visible()


async def test_addresses_of_nothing(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    for place in ("abc", "1e999", "-1"):
        await visitor.open("evaluators", "results", place)
        await expect(page.get_by_text("There is no such result")).to_be_visible()
        await visitor.open("evaluators")
        await expect(page.get_by_text("There is no such result")).to_have_count(0)
    for place in ("__proto__", "constructor"):
        await visitor.open("evaluators", place)
        await expect(page.get_by_role("heading", name="Evaluators", level=1)).to_be_visible()
    await visitor.open("tests", "..%2F..%2F..%2Fmetrics")
    await expect(page.get_by_role("alert").or_(page.get_by_text("not_found"))).not_to_have_count(0)
    await expect(page.get_by_text("HELP")).to_have_count(0)


async def test_answers_of_something_else(console: Console) -> None:
    async def other(route: Route) -> None:
        await route.fulfill(status=200, content_type="text/html", body="<html>Please sign in</html>")

    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("practise")
    await page.route("**/api/v1/**", other)
    await visitor.open("watch")
    await expect(page.get_by_text("The answer could not be read")).to_be_visible()
    await page.unroute("**/api/v1/**")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("The answer could not be read")).to_have_count(0)


async def test_two_tests_are_compared_once_the_line_is_back(console: Console, cast: Cast) -> None:
    client = await cast.author()
    one, other = await begin(client), await begin(client)
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests")
    picks = page.get_by_role("checkbox", name="Compare Desk")
    await expect(picks).to_have_count(2)
    for pick in await picks.all():
        await pick.check()
    await visitor.drop()
    await page.get_by_role("button", name="Compare two").click()
    await expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    await visitor.mend()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("3 not judged in both")).to_be_visible()
    assert one.test_id != other.test_id
