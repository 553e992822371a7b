"""Authoring in a browser: drafts that a model and people write together, stored, and practised at once."""

import re
from typing import Any

from playwright.async_api import Locator, Page, Route, expect

from schemas.draft import Draft, DraftChange
from server.engine.access import Identity
from server.transports import keys
from tests.console.visitor import Console, Visitor
from tests.support.generating import PARTS, PERSONA
from tests.support.rest import Rest, people_of

Data = dict[str, Any]
OF_DRAFT = re.compile("/api/v1/drafts/[^/]+$")
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


async def test_nothing_is_stored_of_what_two_have_changed(console: Console) -> None:
    """The button is pressed before the page knows that somebody else changed the same."""
    console.model.script(PERSONA)
    visitor = await drafting(console, "Persona")
    page = visitor.page
    await page.get_by_label("What it should be").fill(WISH)
    await page.get_by_role("button", name="Generate").click()
    await expect(page.get_by_text("Everything is made")).to_be_visible()

    async def just_before(route: Route) -> None:
        if route.request.method == "PATCH":
            await change(console, visitor, names={"name": "Eve"})
        await route.continue_()

    await page.route(OF_DRAFT, just_before)
    await part(page, "Names").get_by_role("textbox", name="Name").fill("Ada Lovelace")
    await page.get_by_role("button", name="Store", exact=True).click()
    await expect(page.get_by_text("Choose first what stays where")).to_be_visible()
    await expect(part(page, "Names").get_by_role("figure", name="Yours")).to_contain_text("Ada Lovelace")
    runs = await page.evaluate(
        """async at => (await fetch(at, { headers: {
            Authorization: `Bearer ${localStorage.getItem("greenroom.token")}` } })).json()""",
        f"/api/v1/drafts/{(await draft_of(console, visitor)).id}/runs",
    )
    assert [run["save"] for run in runs["items"]] == [False]


def box(page: Page, label: str) -> Locator:
    """Return where something is typed."""
    return page.get_by_role("textbox", name=label, exact=True)


async def stored_persona(visitor: Visitor, client: Rest, **fields: object) -> Data:
    """Store a persona, and open it."""
    body = {"name": "Ada", "instructions": "You are Ada.", "examples": ["Well."], "color": "#2f7d6d"}
    stored: Data = await client.post("personas", {**body, **fields})
    await visitor.open("author", "content", "persona", stored["id"])
    await expect(visitor.page.get_by_role("heading", name="Ada", level=1)).to_be_visible()
    return stored


async def test_what_is_stored_is_shown_and_changed(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    async with people_of(console.server) as people:
        client = people.a("author")
        stored = await stored_persona(visitor, client, voice="alloy")
        await expect(box(page, "Instructions")).to_have_value("You are Ada.")
        await expect(box(page, "Examples, 1")).to_have_value("Well.")
        await expect(page.get_by_role("button", name="Store")).to_be_disabled()
        await box(page, "Voice").fill("")
        await box(page, "Name").fill("")
        await page.get_by_role("button", name="Store").click()
        name = page.get_by_role("region", name="Name", exact=True)
        await expect(name.get_by_role("alert")).to_contain_text("at least 1 character")
        await box(page, "Name").fill("Ada Lovelace")
        await page.get_by_role("button", name="Store").click()
        await expect(page.get_by_text("version 2")).to_be_visible()
        found = await client.get(f"personas/{stored['id']}")
        assert (found["name"], found["voice"], found["examples"]) == ("Ada Lovelace", None, ["Well."])
        await visitor.axe()


async def test_nobody_stores_over_what_another_stored(console: Console) -> None:
    """Where two have changed the same, both versions are seen and one is chosen; the rest is taken in."""
    visitor = await console.visit("author")
    page = visitor.page
    async with people_of(console.server) as people:
        client = people.a("author")
        stored = await stored_persona(visitor, client)
        await box(page, "Instructions").fill("You are Ada, and in a hurry.")
        await box(page, "Icon").fill("A")
        await client.put(
            f"personas/{stored['id']}", {**stored, "instructions": "You are calm.", "description": "New."}
        )
        await page.get_by_role("button", name="Store", exact=True).click()
        about = page.get_by_role("region", name="Instructions", exact=True)
        await expect(about.get_by_role("figure", name="Yours")).to_contain_text("in a hurry")
        theirs = about.get_by_role("figure", name="From somebody else")
        await expect(theirs).to_contain_text("You are calm.")
        await expect(box(page, "Description")).to_have_value("New.")
        await expect(page.get_by_role("button", name="Store", exact=True)).to_be_disabled()
        await visitor.axe()
        await about.get_by_role("button", name="Keep theirs").click()
        await page.get_by_role("button", name="Store", exact=True).click()
        await expect(page.get_by_text("version 3")).to_be_visible()
        found = await client.get(f"personas/{stored['id']}")
        kept = (found["instructions"], found["icon"], found["description"])
        assert kept == ("You are calm.", "A", "New.")


async def test_a_draft_of_what_exists_shows_what_is_stored(console: Console) -> None:
    visitor = await console.visit("author")
    page = visitor.page
    async with people_of(console.server) as people:
        client = people.a("author")
        stored = await stored_persona(visitor, client)
        await page.get_by_role("button", name="Have a model change it").click()
        await expect(part(page, "Instructions").get_by_text("You are Ada.")).to_be_visible()
        await expect(part(page, "Examples").get_by_text("Well.")).to_be_visible()
        await part(page, "Names").get_by_role("button", name="Change it").click()
        await expect(part(page, "Names").get_by_role("textbox", name="Name")).to_have_value("Ada")
        await part(page, "Names").get_by_role("textbox", name="Name").fill("Ada Lovelace")
        await client.put(f"personas/{stored['id']}", {**stored, "name": "Eve"})
        await kept(page)
        await page.reload()
        await expect(page.get_by_text("stored anew since this draft was made of version 1")).to_be_visible()
        names = part(page, "Names")
        await names.get_by_text("Stored now").click()
        await expect(names.get_by_text("Eve")).to_be_visible()
        await page.get_by_role("button", name="Store").click()
        await expect(page.get_by_text("stored", exact=True)).to_be_visible()
        found = await client.get(f"personas/{stored['id']}")
        assert (found["name"], found["instructions"]) == ("Ada Lovelace", "You are Ada.")


async def test_who_comes_back_sees_what_is_being_made(console: Console) -> None:
    console.model.script([*PARTS[:1], {**PARTS[1], "hang": True}])
    visitor = await drafting(console, "Persona")
    page = visitor.page
    await page.get_by_role("button", name="Generate").click()
    box = page.get_by_role("region", name="Generate")
    await expect(box.get_by_text("made", exact=True)).to_have_count(1)
    waiting = await box.get_by_text("waits").count()
    assert waiting > 0
    await page.reload()
    await expect(box.get_by_text("made", exact=True)).to_have_count(1)
    await expect(box.get_by_text("waits")).to_have_count(waiting)
    await expect(page.get_by_role("button", name="Generating…")).to_be_disabled()


async def test_a_stored_scenario_becomes_a_practice(console: Console) -> None:
    console.model.script(PARTS)
    visitor = await drafting(console, "Scenario")
    page = visitor.page
    await write(page, "Names", "Name", "Late parcel")
    await page.get_by_role("button", name="Store").click()
    await expect(page.get_by_role("button", name="Store as another")).to_be_visible()
    await page.reload()
    stored = page.get_by_role("region", name="Store").get_by_role("link", name="Open it")
    await expect(stored).to_have_attribute("href", re.compile("#/author/content/scenario/"))
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
    await expect(page.get_by_role("link", name="Two", exact=True)).to_be_visible()
    await visitor.fits()
    await visitor.axe()
