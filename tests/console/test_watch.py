"""Watching rooms: joining late, losing the line, holding, moving back and playing again."""

from playwright.async_api import Locator, expect

from tests.conftest import Cast
from tests.console.visitor import Console, Visitor
from tests.support.attempts import Talk, begin
from tests.support.trials import LOOKUP
from tests.support.trials import begin as begin_test

WORDS = 40
SLOW = {"chunks_count": WORDS, "chunk_text": "word ", "delay_ms": 150}
WHOLE = "word " * WORDS


async def watched(console: Console, visitor: Visitor, talk: Talk) -> Locator:
    """Open a chat's room and return its conversation."""
    await visitor.open("watch", talk.room)
    return visitor.page.get_by_role("log")


async def said(talk: Talk) -> None:
    """Let the learner speak, and hear the beginning of the reply."""
    await talk.client.send("attempt_message", attempt_id=talk.attempt_id, chat_id=talk.chat_id, message="Hi!")
    await talk.client.until("attempt_progress", count=3)


async def test_who_comes_in_mid_reply_sees_all_of_it(console: Console, cast: Cast) -> None:
    await console.server.script(SLOW)
    talk = await begin(await cast.learner())
    await said(talk)
    visitor = await console.visit("ops")
    await visitor.open("watch")
    await visitor.page.get_by_role("list", name="Rooms").get_by_role("link").first.click()
    log = visitor.page.get_by_role("log")
    await expect(log).to_contain_text("Hi!")
    await expect(log).to_contain_text("word word word")
    await talk.client.until("attempt_assistant_complete")
    await expect(log).to_contain_text(WHOLE.strip())


async def test_a_broken_line_shows_a_dot_and_loses_nothing(console: Console, cast: Cast) -> None:
    await console.server.script(SLOW)
    talk = await begin(await cast.learner())
    await said(talk)
    visitor = await console.visit("author")
    log = await watched(console, visitor, talk)
    await expect(log).to_contain_text("word word")
    await visitor.drop()
    dot = visitor.page.get_by_role("img", name="The line is away")
    await expect(dot).to_be_visible()
    await expect(log).to_contain_text("word word")
    await talk.client.until("attempt_assistant_complete")
    await visitor.mend()
    await expect(dot).to_have_count(0)
    await expect(log).to_contain_text(WHOLE.strip())


async def test_holding_moving_back_and_playing(console: Console, cast: Cast) -> None:
    await console.server.script({"reply": "First."}, {"reply": "Never."})
    talk = await begin(await cast.learner())
    await talk.say("One?")
    visitor = await console.visit("author")
    page = visitor.page
    log = await watched(console, visitor, talk)
    await expect(log).to_contain_text("First.")
    await page.get_by_role("button", name="Pause").click()
    await console.server.script({"reply": "Second."})
    await talk.say("Two?")
    place = page.get_by_role("slider", name="Position")
    head = str(max(d["offset"] for _, d in talk.entries()))
    await expect(place).to_have_attribute("max", head)
    await expect(log).not_to_contain_text("Two?")
    await page.get_by_role("button", name="Live").click()
    await expect(log).to_contain_text("Second.")

    await place.focus()
    await page.keyboard.press("Home")
    await expect(log).not_to_contain_text("One?")
    await expect(place).to_have_attribute("aria-valuetext", f"Entry 0 of {head}")
    await page.get_by_role("heading", level=1).focus()
    await page.keyboard.press("ArrowRight")
    await expect(place).to_have_attribute("aria-valuetext", f"Entry 1 of {head}, 00:00 after the beginning")
    await page.get_by_label("Speed").select_option("8")
    await page.get_by_role("heading", level=1).focus()
    await page.keyboard.press("Space")
    await expect(log).to_contain_text("Second.")
    await expect(page.get_by_role("status").get_by_text("Live")).to_be_visible()
    await visitor.axe()


async def test_a_test_is_readable_on_a_phone(console: Console, cast: Cast) -> None:
    await console.server.script(LOOKUP, {"reply": "It is on its way."})
    client = await cast.author()
    trial = await begin_test(client)
    visitor = await console.visit("author", phone=True)
    await visitor.open("watch", trial.room)
    await expect(visitor.page.get_by_text("No run has begun")).to_be_visible()
    await trial.run("order")
    said = visitor.page.get_by_role("region", name="What is said in run")
    await expect(said).to_contain_text("Where is A-17?")
    await expect(said).to_contain_text("lookup")
    await expect(said).to_contain_text("As recorded")
    await expect(said).not_to_contain_text("{")
    await visitor.fits()
    await visitor.axe()


async def test_further_pages_stay_while_the_list_is_read_again(console: Console, cast: Cast) -> None:
    client = await cast.learner()
    for _ in range(101):
        await begin(client)
    visitor = await console.visit("ops")
    page = visitor.page
    await visitor.open("watch")
    rooms = page.get_by_role("list", name="Rooms").get_by_role("listitem")
    more = page.get_by_role("button", name="More")
    await expect(more).to_be_visible()
    await expect(rooms).not_to_have_count(101)  # a page of rooms, of which some are not shown
    await more.click()
    await expect(rooms).to_have_count(101)
    await begin(client)
    await expect(rooms).to_have_count(102)


async def test_the_list_is_filtered_and_shows_what_has_ended(console: Console, cast: Cast) -> None:
    talk = await begin(await cast.learner())
    await begin_test(await cast.author())
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("watch")
    rooms = page.get_by_role("list", name="Rooms").get_by_role("listitem")
    await expect(rooms).to_have_count(2)
    await page.get_by_label("Show").select_option("Conversations")
    await expect(rooms).to_have_count(1)
    await expect(rooms).to_contain_text("A plain talk")
    await talk.end(grade=False)
    await expect(page.get_by_text("Nothing goes on here")).to_be_visible()
    await page.get_by_label("Also what has ended").check()
    await expect(rooms).to_contain_text("ended")


async def test_playing_goes_on_after_a_broken_line(console: Console, cast: Cast) -> None:
    words = 30
    await console.server.script({"chunks_count": words, "chunk_text": "word ", "delay_ms": 100})
    talk = await begin(await cast.learner())
    await talk.say("Hi!")
    visitor = await console.visit("author")
    page = visitor.page
    log = await watched(console, visitor, talk)
    await expect(log).to_contain_text(("word " * words).strip())
    await page.get_by_role("button", name="Pause").click()
    place = page.get_by_role("slider", name="Position")
    await place.focus()
    await page.keyboard.press("Home")
    await expect(log).not_to_contain_text("word")
    await page.get_by_role("button", name="Play", exact=True).click()
    await expect(log).to_contain_text("word word")
    await visitor.drop()
    await expect(page.get_by_role("img", name="The line is away")).to_be_visible()
    await visitor.mend()
    await expect(log).to_contain_text(("word " * words).strip())
    await expect(page.get_by_role("status").get_by_text("Live")).to_be_visible()
