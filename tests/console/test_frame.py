"""The frame of the page: signing in, the line, and what every view stands in."""

import re

from playwright.async_api import Route, expect

from tests.console.visitor import Console
from tests.console.wire import contents, wire_of

KEPT = "localStorage.getItem('greenroom.token')"


async def test_a_link_signs_in_and_the_token_leaves_the_address(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.open("")
    await expect(visitor.page.get_by_role("banner")).to_contain_text("learner")
    assert "token" not in visitor.page.url
    await visitor.axe()


async def test_signing_out_forgets_the_token(console: Console) -> None:
    visitor = await console.visit("author")
    await visitor.open("")
    await expect(visitor.page.get_by_role("banner")).to_contain_text("author")
    assert await visitor.page.evaluate(KEPT)
    await visitor.page.get_by_role("button", name="Sign out").click()
    await expect(visitor.page.get_by_role("banner")).not_to_contain_text("author")
    assert await visitor.page.evaluate(KEPT) is None


async def test_a_refused_token_says_why_and_another_one_signs_in(console: Console) -> None:
    visitor = await console.visit("guest", phone=True)
    await visitor.open("")
    await visitor.page.evaluate("location.hash = 'token=nonsense'")
    await expect(visitor.page.get_by_role("alert")).to_have_text("The token is not valid.")
    await visitor.axe()
    await visitor.fits()
    token = console.server.token(visitor.profile_id, role="ops")
    await visitor.page.get_by_label("Token").fill(token)
    await visitor.page.get_by_role("main").get_by_role("button", name="Sign in").click()
    await expect(visitor.page.get_by_role("banner")).to_contain_text("ops")


async def test_the_switch_of_colours_is_kept(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.open("")
    page = visitor.page
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.get_by_role("switch", name="Dark colours").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_broken_line_is_a_dot_and_comes_back(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.open("practise")
    away = visitor.page.get_by_role("banner").get_by_role("img", name="The connection is away")
    heading = visitor.page.get_by_role("heading", name="Practise", level=1)
    await expect(heading).to_be_visible()
    await expect(visitor.page.locator(".busy")).to_have_count(0)  # what is read now is not cut off
    await expect(away).to_have_count(0)
    await visitor.drop()
    await expect(away).to_be_visible()
    await expect(heading).to_be_visible()
    await expect(visitor.page.get_by_role("alert")).to_have_count(0)
    await visitor.mend()
    await expect(away).to_have_count(0)


async def test_an_address_without_a_view_says_so(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.open("nowhere")
    await expect(visitor.page.get_by_text("There is nothing at this address")).to_be_visible()
    await visitor.page.evaluate("location.hash = '#/ops'")
    await expect(visitor.page.get_by_text("Not for this role")).to_be_visible()


async def test_a_view_that_cannot_be_loaded_offers_to_reload(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.page.route(re.compile("/assets/practise-"), lambda route: route.abort())
    await visitor.open("practise")
    alert = visitor.page.get_by_role("alert")
    await expect(alert).to_contain_text("newer version of this page")
    await visitor.page.unroute_all()
    await alert.get_by_role("button", name="Reload the page").click()
    await expect(visitor.page.get_by_role("heading", name="Practise", level=1)).to_be_visible()


async def test_a_view_that_breaks_leaves_the_page_and_can_be_tried_again(console: Console) -> None:
    visitor = await console.visit("learner")
    page = visitor.page

    async def nonsense(route: Route) -> None:
        await route.fulfill(json={"items": [{"id": "half"}], "next_cursor": None})

    await page.route("**/api/v1/practices*", nonsense)
    await visitor.open("practise")
    again = page.get_by_role("alert").get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    await expect(page.get_by_role("banner")).to_contain_text("learner")
    await page.get_by_role("link", name="Playground").click()
    await expect(page.get_by_role("heading", name="Playground", level=1)).to_be_visible()
    await page.go_back()
    await expect(again).to_be_visible()
    await page.unroute_all()
    await again.click()
    await expect(page.get_by_role("button", name="Start One", exact=True)).to_be_visible()
    assert visitor.faults  # said for whoever looks for the cause
    visitor.faults.clear()


async def test_a_double_click_acts_once(console: Console) -> None:
    visitor = await console.visit("learner")
    wire = await wire_of(visitor.page)
    await visitor.open("practise")
    await visitor.page.get_by_role("button", name="Start One", exact=True).dblclick()
    await expect(visitor.page.get_by_role("textbox", name="Write to Ada")).to_be_visible()
    assert [found[:1] for found in map(contents, wire.sent)].count(["attempt_start"]) == 1
