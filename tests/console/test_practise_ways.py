"""Practise: lobbies, questions, hints, time, history, a keyboard and a phone."""

import io
import wave
from typing import Any

from playwright.async_api import Page, Route, expect

from server.engine.packs import read_pack
from server.transports import keys
from tests.console.test_practise import JUDGED, begin, field, messages, say
from tests.console.visitor import Console
from tests.console.wire import as_new, contents, wire_of
from tests.support.clients import socket

FILM = """
pack: {id: film, name: Film}
personas:
  eve: {name: Eve, instructions: You are Eve.}
scenarios:
  watching:
    name: Watching
    persona: eve
    template: {video_enabled: true, questions_enabled: true, copy_paste_allowed: false}
    videos:
      film: {name: The glider, url: /film.wav, text: A glider between two gates.}
    questions:
      force:
        text: Which force acts on the glider now?
        video: film
        at_seconds: 0.3
        options:
          none: {text: None, is_correct: true}
          spring: {text: That of the spring}
practices:
  film: {name: Film, scenarios: [watching]}
"""
OWN: dict[str, Any] = {
    "match": {"schema": "LobbyScenario"},
    "json": {
        "name": "Loops in a kitchen",
        "problem_statement": "Explain loops to Ada while you cook.",
        "objectives": ["Use the kitchen."],
        "situation": "You are hungry.",
    },
}


def sound(seconds: int = 4) -> bytes:
    """Return a film of silence."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes([128]) * 8000 * seconds)
    return made.getvalue()


async def test_a_video_waits_for_its_question(console: Console) -> None:
    pack = read_pack(FILM, file="film.yaml")
    await console.server.app[keys.STORE].content.put(pack.contents, org="default")
    visitor = await console.visit("learner")

    async def film(route: Route) -> None:
        await route.fulfill(body=sound(), content_type="audio/wav")

    await visitor.page.route("**/film.wav", film)
    page = await begin(visitor, "Film")
    video = page.locator("video")
    await expect(page.get_by_text("A question comes while the video plays.")).to_be_visible()
    await video.evaluate("video => { video.muted = true; return video.play() }")
    question = page.get_by_role("group", name="Which force acts on the glider now?")
    await expect(question).to_be_focused()
    assert await video.evaluate("video => video.paused")
    await visitor.axe()
    await question.get_by_role("radio", name="That of the spring").check()
    await question.get_by_role("button", name="Answer", exact=True).click()
    await expect(question).to_contain_text("Not right")
    await question.get_by_role("radio", name="None").check()
    await question.get_by_role("button", name="Answer again").click()
    await expect(question).to_contain_text("Right")
    await question.get_by_role("button", name="Go on with the video").click()
    await expect(video).to_have_js_property("paused", False)
    await page.reload()
    await expect(question.get_by_role("radio", name="None")).to_be_checked()


async def test_a_video_that_cannot_be_played_leaves_its_questions(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.page.route("https://example.org/film.mp4", lambda route: route.abort())
    page = await begin(visitor, "Quiz")
    await expect(page.get_by_role("link", name="Open it by itself")).to_be_visible()
    many = page.get_by_role("group", name="Which repeat?")
    for name in ("for", "while"):
        await many.get_by_role("checkbox", name=name, exact=True).check()
    await many.get_by_role("button", name="Answer", exact=True).click()
    await expect(many).to_contain_text("Right")
    await expect(page.get_by_role("group", name="What is it?")).to_be_visible()


async def test_hints_are_there_for_who_asks(console: Console) -> None:
    await console.server.script({"match": {"schema": "HintsDraft"}, "json": {"hints": ["Ask Ada why."]}})
    visitor = await console.visit("learner")
    page = await begin(visitor, "Hinted")
    await say(page, "A loop repeats.", count=2)
    await page.get_by_text("A hint", exact=True).click()
    await expect(page.get_by_text("Ask Ada why.")).to_be_visible()


async def test_time_runs_out_or_is_only_shown(console: Console) -> None:
    await console.server.script(*JUDGED)
    visitor = await console.visit("learner")
    page = await begin(visitor, "Hurried")
    await expect(page.get_by_role("link", name="All grades")).to_be_visible()
    await expect(field(page)).to_have_count(0)
    page = await begin(visitor, "Patient")
    await expect(page.get_by_text("Over time by")).to_be_visible()
    await expect(field(page)).to_be_visible()


async def test_writing_can_be_switched_off(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "Silent")
    await expect(page.get_by_text("Writing is switched off in this scenario.")).to_be_visible()
    await expect(field(page)).to_have_count(0)


async def test_an_earlier_conversation_stands_for_a_scenario(console: Console) -> None:
    await console.server.script(*JUDGED)
    visitor = await console.visit("learner")
    page = await begin(visitor, "Lobby only")
    await expect(page.get_by_text("You have no graded conversation of this scenario yet.")).to_be_visible()
    await page.get_by_role("button", name="Begin the conversation").click()
    await say(page, "Hello.", count=2)
    await page.get_by_role("button", name="End and grade").click()
    await page.get_by_role("link", name="All grades").click()
    await expect(page.get_by_role("heading", name="All done")).to_be_visible()
    await expect(page.get_by_text("6 of 6", exact=True)).to_be_visible()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Table (CSV)").click()
    assert (await saved.value).suggested_filename.endswith(".csv")
    page = await begin(visitor, "Lobby only")
    await visitor.axe()
    await page.get_by_role("button", name="Use this one").click()
    await expect(page.get_by_text("from an earlier attempt")).to_be_visible()
    await visitor.open("practise", "history")
    await expect(page.get_by_text("Complete", exact=True)).to_have_count(2)
    await visitor.axe()
    await visitor.fits()


async def test_a_lobby_makes_the_scenario_ones_own(console: Console) -> None:
    await console.server.script(OWN)
    visitor = await console.visit("learner")
    page = await begin(visitor, "Custom first")
    await page.get_by_role("textbox", name="What should be different?").fill("In a kitchen, please.")
    await page.get_by_role("button", name="Prepare it").click()
    await expect(page.get_by_text("Explain loops to Ada while you cook.")).to_be_visible()
    await page.get_by_role("button", name="Begin with this").click()
    await expect(page.get_by_text("Use the kitchen.")).to_be_visible()
    await expect(field(page)).to_be_visible()


async def test_what_was_prepared_while_the_line_was_away_is_there(console: Console) -> None:
    await console.server.script(OWN | {"first_delay_ms": 1500})
    visitor = await console.visit("learner")
    wire = await wire_of(visitor.page)
    page = await begin(visitor, "Custom first")
    await page.get_by_role("textbox", name="What should be different?").fill("In a kitchen, please.")
    wire.alter_sent = as_new  # one's own room is then followed from its head
    async with socket(console.server.url, {"token": console.server.token(visitor.profile_id)}) as client:
        await page.get_by_role("button", name="Prepare it").click()
        await wire.until(lambda: any("run_id" in found[0] for found in map(contents, wire.heard) if found))
        await visitor.drop()
        await client.until("generation_complete")
    await visitor.mend()
    await expect(page.get_by_text("Explain loops to Ada while you cook.")).to_be_visible()
    await expect(page.get_by_role("button", name="Begin with this")).to_be_visible()


async def test_an_attempt_is_ended_early_and_graded_again(console: Console) -> None:
    await console.server.script(*JUDGED)
    visitor = await console.visit("learner")
    page = await begin(visitor, "Two")
    await say(page, "Hello.", count=2)
    await page.get_by_role("button", name="End the attempt").click()
    await page.get_by_role("dialog").get_by_role("button", name="End the attempt").click()
    await page.get_by_role("link", name="All grades").click()
    await expect(page.get_by_role("heading", name="This attempt has ended")).to_be_visible()
    await page.get_by_role("link", name="A plain talk").last.click()
    await page.get_by_text("Grade again", exact=True).first.click()
    await page.get_by_role("button", name="Grade again").click()
    await expect(page.get_by_role("combobox", name="Grade")).to_contain_text("2 of 2: 6 of 6 (newest)")
    await page.go_back()
    await expect(page.get_by_role("heading", name="This attempt has ended")).to_be_visible()


async def reach(page: Page, name: str) -> None:
    """Press Tab until something has the focus."""
    wanted = page.get_by_role("button", name=name, exact=True)
    await expect(wanted).to_be_visible()
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{name} cannot be reached with Tab")


async def test_all_of_it_by_keyboard(console: Console) -> None:
    await console.server.script(*JUDGED)
    visitor = await console.visit("learner")
    page = visitor.page
    await visitor.open("practise")
    await reach(page, "Start One")
    await page.keyboard.press("Enter")
    await expect(field(page)).to_be_visible()
    await reach(page, "End without a grade")
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await field(page).evaluate("element => element === document.activeElement"):
            break
    await page.keyboard.type("One line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("and another.")
    await page.keyboard.press("Enter")
    await expect(messages(page)).to_have_count(2)
    assert "One line\nand another." in await messages(page).first.inner_text()
    await page.reload()
    await reach(page, "End and grade")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("6 of 6 points", exact=True)).to_be_visible()


async def test_on_a_phone(console: Console) -> None:
    await console.server.script(*JUDGED)
    visitor = await console.visit("learner", phone=True)
    page = visitor.page
    await visitor.open("practise")
    await expect(page.get_by_role("button", name="Start One", exact=True)).to_be_visible()
    await visitor.fits()
    await begin(visitor, "One")
    await say(page, "Before I explain it: what do you expect a loop to do?", count=2)
    await visitor.fits()
    await visitor.axe()
    await page.get_by_role("tab", name="Scenario").click()
    await expect(page.get_by_text("Explain loops to Ada.")).to_be_visible()
    await visitor.fits()
    await page.get_by_role("button", name="End and grade").click()
    await expect(page.get_by_role("tab", name="Feedback")).to_have_attribute("aria-selected", "true")
    await expect(page.get_by_text("6 of 6 points", exact=True)).to_be_visible()
    await visitor.fits()
    await visitor.axe()
    await page.get_by_role("tab", name="Conversation").click()
    await expect(messages(page)).to_have_count(2)
