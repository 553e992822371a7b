"""Authoring in a browser: drafts that a model and people write together, stored, and practised at once."""

from playwright.async_api import Locator, Page, expect

from schemas.draft import Draft, DraftChange
from server.engine.access import Identity
from server.transports import keys
from tests.console.visitor import Console, Visitor
from tests.support.generating import PARTS

WISH = "A nurse at the end of a double shift."


async def drafting(console: Console, kind: str = "Practice", *, phone: bool = False) -> Visitor:
    """Begin a draft as an author."""
    visitor = await console.visit("author", phone=phone)
    await visitor.open("author")
    page = visitor.page
    await page.get_by_role("button", name="New").click()
    await page.get_by_label("What it becomes").select_option(label=kind)
    await page.get_by_role("button", name="Begin").click()
    await expect(page.get_by_role("heading", name=f"New {kind.lower()}")).to_be_visible()
    return visitor


def part(page: Page, title: str) -> Locator:
    """Return a resource of the draft."""
    return page.get_by_role("region", name=title, exact=True)


async def write(page: Page, title: str, label: str, text: str) -> None:
    """Write a resource oneself."""
    await part(page, title).get_by_role("button", name="Write it oneself").click()
    await part(page, title).get_by_role("textbox", name=label).fill(text)


async def kept(page: Page) -> None:
    """Wait until what was typed is in the draft."""
    await expect(page.get_by_text("Kept in the draft")).to_be_visible()


async def draft_of(console: Console, visitor: Visitor) -> Draft:
    """Return the draft that is open, as the server has it."""
    draft = await console.server.app[keys.STORE].drafts.get(visitor.page.url.rsplit("/", 1)[1])
    assert draft is not None
    return draft


async def change(console: Console, visitor: Visitor, **resources: dict[str, object]) -> None:
    """Change the draft that is open from elsewhere."""
    draft = await draft_of(console, visitor)
    author = Identity(kind="profile", id=visitor.profile_id, role="author")
    msg = DraftChange(expected_version=draft.version, changes=dict(resources))
    await console.server.app[keys.DRAFTS].change(author, draft.id, msg)


async def test_a_practice_is_generated_stored_and_practised(console: Console) -> None:
    console.model.script(PARTS)
    visitor = await drafting(console)
    page = visitor.page
    await page.get_by_label("What it should be").fill(WISH)
    await page.get_by_role("button", name="Generate").click()
    await expect(page.get_by_text("Everything is made")).to_be_visible()
    await expect(page.get_by_role("heading", name="Nia", level=1)).to_be_visible()
    await expect(part(page, "Scenarios").get_by_role("textbox", name="Problem statement")).to_have_value(
        "Tell her."
    )
    assert any(WISH in str(asked.messages) for asked in console.model.requests)
    await visitor.axe()
    await visitor.shot("author")
    await page.get_by_role("button", name="Store").click()
    await page.get_by_role("button", name="Practise at once").click()
    await page.wait_for_url("**/#/practise/attempt/**")


async def test_a_dropped_line_in_mid_generation_loses_nothing(console: Console) -> None:
    console.model.script([{**rule, "first_delay_ms": 700} for rule in PARTS])
    visitor = await drafting(console, "Persona")
    page = visitor.page
    await page.get_by_role("button", name="Generate").click()
    await expect(page.get_by_label("Generate").get_by_text("made", exact=True).first).to_be_visible()
    await visitor.drop()
    await visitor.mend()
    await expect(page.get_by_text("Everything is made")).to_be_visible()
    await expect(part(page, "Names").get_by_role("textbox", name="Name")).to_have_value("Nia")
    await expect(page.get_by_label("Generate").get_by_text("waits")).to_have_count(0)


async def test_what_is_typed_is_kept_in_the_draft(console: Console) -> None:
    visitor = await drafting(console, "Persona")
    page = visitor.page
    await write(page, "Names", "Name", "Ada")
    await kept(page)
    assert (await draft_of(console, visitor)).form_state["names"] == {"name": "Ada"}
    await part(page, "Names").get_by_role("button", name="Take away Names").click()
    await expect(part(page, "Names").get_by_text("needed")).to_be_visible()
    await kept(page)
    assert "names" not in (await draft_of(console, visitor)).form_state


async def test_both_versions_of_what_changed_twice_are_shown(console: Console) -> None:
    """What the others changed is taken in; where both changed the same, one chooses for each resource."""
    visitor = await drafting(console, "Persona")
    page = visitor.page
    await write(page, "Names", "Name", "Ada")
    await write(page, "Descriptions", "Description", "Mine")
    await kept(page)
    theirs = {"names": {"name": "Eve"}, "descriptions": {"description": "Theirs"}, "icons": {"icon": "*"}}
    await change(console, visitor, **theirs)  # type: ignore[arg-type]
    await part(page, "Names").get_by_role("textbox", name="Name").fill("Ada Lovelace")
    await part(page, "Descriptions").get_by_role("textbox", name="Description").fill("Mine, longer")
    await expect(part(page, "Icons").get_by_role("textbox", name="Icon")).to_have_value("*")
    names, about = part(page, "Names"), part(page, "Descriptions")
    await expect(names.get_by_role("figure", name="In the draft")).to_contain_text("Eve")
    await expect(names.get_by_role("figure", name="Yours")).to_contain_text("Ada Lovelace")
    await visitor.axe()
    await names.get_by_role("button", name="Keep mine").click()
    await about.get_by_role("button", name="Keep the draft's").click()
    await expect(page.get_by_role("figure")).to_have_count(0)
    await kept(page)
    await expect(about.get_by_role("textbox", name="Description")).to_have_value("Theirs")
    form = (await draft_of(console, visitor)).form_state
    assert (form["names"], form["descriptions"]) == ({"name": "Ada Lovelace"}, {"description": "Theirs"})


async def test_a_stored_scenario_becomes_a_practice(console: Console) -> None:
    console.model.script(PARTS)
    visitor = await drafting(console, "Scenario")
    page = visitor.page
    await write(page, "Names", "Name", "Late parcel")
    await page.get_by_role("button", name="Store").click()
    await page.get_by_role("button", name="Practise at once").click()
    await page.wait_for_url("**/#/practise/attempt/**")


async def test_a_failed_generation_is_said(console: Console) -> None:
    console.model.script([{"status": 400}])
    visitor = await drafting(console, "Persona")
    await visitor.page.get_by_role("button", name="Generate").click()
    await expect(visitor.page.get_by_label("Generate").get_by_role("alert")).to_be_visible()
    await expect(visitor.page.get_by_role("button", name="Generate")).to_be_enabled()


async def test_on_a_phone_everything_fits(console: Console) -> None:
    visitor = await drafting(console, "Rubric", phone=True)
    page = visitor.page
    await write(page, "Names", "Name", "A name that is rather long for a screen of this width")
    await part(page, "Standard groups").get_by_role("button", name="Write it oneself").click()
    await visitor.fits()
    await visitor.axe()
    await visitor.open("author", "content", "practice")
    await expect(page.get_by_role("button", name="Edit Two")).to_be_visible()
    await visitor.fits()
    await visitor.axe()
