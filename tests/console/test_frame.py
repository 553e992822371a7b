"""The frame of the page: signing in, the line, and what every view stands in."""

from playwright.async_api import expect

from tests.console.visitor import Console


async def test_a_link_signs_in_and_the_token_leaves_the_address(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.open("")
    await expect(visitor.page.get_by_role("banner")).to_contain_text("learner")
    assert "token" not in visitor.page.url
    await visitor.axe()
