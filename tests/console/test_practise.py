"""Practise: from the list through a conversation to its grade, also when the line breaks."""

from datetime import timedelta
from typing import Any

from playwright.async_api import Locator, Page, expect

from server.engine.ids import new
from server.transports import keys
from tests.console.visitor import Console, Visitor
from tests.support import attempts
from tests.support.clients import socket

ASKED = "Before I explain it: what do you expect a loop to do?"
ANSWER = "It comes back to where it began. Does it not?"


def verdict(criterion: str, level: int, feedback: str, *quotes: tuple[str, str], wait: float = 0) -> Any:
    """Return how the judge answers for a criterion; `wait` in milliseconds."""
    return {
        "match": {"schema": "Verdict", "system_contains": f"Criterion: {criterion}"},
        "json": {
            "quotes": [{"message": m, "text": t} for m, t in quotes],
            "feedback": feedback,
            "level": level,
        },
        "first_delay_ms": wait,
    }


JUDGED = (verdict("Listening", 3, "You asked first."), verdict("Clarity", 2, "You were clear."))


async def begin(visitor: Visitor, name: str) -> Page:
    """Start a practice from the list."""
    await visitor.open("practise")
    await visitor.page.get_by_role("button", name=f"Start {name}", exact=True).click()
    return visitor.page


def field(page: Page, persona: str = "Ada") -> Locator:
    """Return where a message is written."""
    return page.get_by_role("textbox", name=f"Write to {persona}")


def messages(page: Page) -> Locator:
    """Return the messages that are shown."""
    return page.get_by_role("log").get_by_role("listitem")


async def say(page: Page, text: str, *, count: int, persona: str = "Ada") -> None:
    """Send a message with Enter and wait until so many messages are there, the last one whole."""
    await field(page, persona).fill(text)
    await field(page, persona).press("Enter")
    await expect(messages(page)).to_have_count(count)
    await expect(messages(page).last).to_have_attribute("data-state", "complete")
    await expect(field(page, persona)).to_have_value("")


async def test_a_talk_is_graded_criterion_by_criterion(console: Console) -> None:
    said = [("m1", "what do you expect")]
    await console.server.script(
        verdict("Listening", 3, "You asked what Ada expected.", *said),
        verdict("Clarity", 1, "It stayed vague.", wait=4000),
        {"reply": ANSWER},
    )
    visitor = await console.visit("learner")
    page = await begin(visitor, "Two")
    await say(page, ASKED, count=2)
    await expect(messages(page).nth(1)).to_contain_text(ANSWER)
    await page.get_by_role("button", name="End and grade").click()
    listening = page.locator(".conv-criterion", has_text="Listening")
    clarity = page.locator(".conv-criterion", has_text="Clarity")
    await expect(listening).to_contain_text("4 of 4 points")
    await expect(clarity).to_contain_text("Is being judged")
    await expect(field(page)).to_have_count(0)
    await expect(clarity).to_contain_text("0 of 2 points")
    await expect(page.get_by_text("4 of 6 points", exact=True)).to_be_visible()
    await jumps_and_returns(page)
    await visitor.axe()
    await visitor.fits()
    await page.get_by_role("link", name="Next scenario").click()
    await expect(page.get_by_role("heading", name="A second talk")).to_be_visible()
    await expect(field(page)).to_be_visible()


async def jumps_and_returns(page: Page) -> None:
    """Follow a quote to the message where it was said, and come back."""
    quote = page.get_by_role("button", name="what do you expect")
    await quote.click()
    asked = messages(page).first
    await expect(asked).to_be_focused()
    await expect(asked.locator("mark")).to_have_text("what do you expect")
    await asked.get_by_role("button", name="Back to the feedback").click()
    await expect(quote).to_be_focused()


async def test_a_line_that_breaks_in_a_reply_loses_and_doubles_nothing(console: Console) -> None:
    words = [f"{n} " for n in range(60)]
    await console.server.script({"chunks": words, "delay_ms": 50})
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await field(page).fill("Count.")
    await field(page).press("Enter")
    await expect(messages(page).last).to_contain_text("0 1 2 3")
    await visitor.drop()
    await field(page).fill("And further?")
    await visitor.mend()
    await expect(messages(page).last).to_have_attribute("data-state", "complete")
    await expect(messages(page)).to_have_count(2)
    text = await messages(page).last.locator(".conv-text").inner_text()
    assert text.split() == "".join(words).split()
    await page.reload()
    await expect(field(page)).to_have_value("And further?")  # what was written is still there
    await expect(messages(page)).to_have_count(2)


async def test_what_is_sent_while_the_line_is_away_is_said_once(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await say(page, "Hello.", count=2)
    await visitor.drop()
    await field(page).fill("Are you there?")
    await field(page).press("Enter")
    await expect(page.get_by_role("button", name="Send", exact=True)).to_have_attribute("aria-busy", "true")
    await visitor.mend()
    await expect(messages(page)).to_have_count(4)
    await expect(field(page)).to_have_value("")


async def test_what_was_on_its_way_at_a_reload_is_said_once(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await say(page, "Hello.", count=2)
    _, attempt_id, _, chat_id = page.url.partition("#/practise/")[2].split("/")
    sent = {"attempt_id": attempt_id, "chat_id": chat_id, "message": "Again.", "client_event_id": new()}
    for _ in range(2):  # the second time its answer was what got lost
        await page.evaluate(
            """sent => {
                sessionStorage.setItem(`greenroom.mine.sending.${sent.chat_id}`, JSON.stringify(sent));
                sessionStorage.setItem(`greenroom.mine.draft.${sent.chat_id}`, sent.message);
            }""",
            sent,
        )
        await page.reload()
        await expect(messages(page)).to_have_count(4)
        await expect(messages(page).last).to_have_attribute("data-state", "complete")
        await expect(field(page)).to_have_value("")
    await say(page, "And that was all.", count=6)


async def test_an_edited_message_is_a_branch(console: Console) -> None:
    await console.server.script(
        {"match": {"last_contains": "circle"}, "reply": "Round, then."},
        {"match": {"last_contains": "line"}, "reply": "Straight, then."},
    )
    visitor = await console.visit("learner")
    page = await begin(visitor, "Opening")
    await expect(messages(page)).to_have_count(1)
    await say(page, "It is a line.", count=3, persona="Bob")
    await messages(page).nth(1).get_by_role("button", name="Edit and send again").click()
    editor = page.get_by_role("textbox", name="Say instead")
    await expect(editor).to_be_focused()
    await editor.fill("It is a circle.")
    await page.get_by_role("button", name="Send instead").click()
    await expect(messages(page).last).to_contain_text("Round, then.")
    await expect(messages(page).nth(1)).to_contain_text("2 of 2")
    await visitor.axe()
    await page.get_by_role("button", name="Previous version").click()
    await expect(messages(page).last).to_contain_text("Straight, then.")
    await say(page, "As a line is.", count=5, persona="Bob")
    await page.get_by_role("button", name="Next version").click()
    await expect(messages(page)).to_have_count(3)
    await expect(messages(page).last).to_contain_text("Round, then.")
    await page.get_by_role("button", name="Previous version").click()
    await expect(messages(page)).to_have_count(5)
    await page.get_by_role("button", name="Next version").click()
    await expect(messages(page)).to_have_count(3)
    await page.reload()
    await expect(messages(page)).to_have_count(3)  # not the newest branch, but the one that was chosen
    await expect(messages(page).last).to_contain_text("Round, then.")


async def test_what_the_first_message_cannot_do_is_said(console: Console) -> None:
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await say(page, "Hello.", count=2)
    await say(page, "And again.", count=4)
    await expect(messages(page).first).to_contain_text("The first message cannot be said again")
    await expect(page.get_by_role("button", name="Edit and send again")).to_have_count(1)


async def test_messages_from_further_back_are_there_for_who_asks(console: Console) -> None:
    visitor = await console.visit("learner")
    server = console.server
    async with socket(server.url, {"token": server.token(visitor.profile_id)}) as client:
        talk = await attempts.begin(client)
        for count in range(101):
            await talk.say(f"Question {count}.")
    chats = server.app[keys.STORE].database.chats
    (chat,) = await chats.find({"_id": talk.chat_id}).to_list(1)
    before = chat["messages"][200]["created_at"] - timedelta(milliseconds=1)  # a clock was set back
    await chats.update_one({"_id": talk.chat_id}, {"$set": {"messages.201.created_at": before}})
    await visitor.open("practise", "attempt", talk.attempt_id, "chat", talk.chat_id)
    page = visitor.page
    await expect(messages(page)).to_have_count(200)
    await expect(messages(page).first).to_contain_text("Question 1.")
    await page.get_by_role("button", name="Older messages").click()
    await expect(messages(page)).to_have_count(202)
    await expect(messages(page).first).to_contain_text("Question 0.")
    await expect(page.get_by_role("button", name="Older messages")).to_have_count(0)
    await say(page, "That was all.", count=204)


async def test_a_stopped_reply_keeps_its_words(console: Console) -> None:
    await console.server.script({"chunks": ["One ", "two "], "hang": True})
    visitor = await console.visit("learner")
    page = await begin(visitor, "One")
    await field(page).fill("Count.")
    await field(page).press("Enter")
    await expect(messages(page).last).to_contain_text("One two")
    await page.get_by_role("button", name="Stop").click()
    await expect(messages(page).last).to_contain_text("Stopped")
    await expect(messages(page).last).to_contain_text("One two")
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


async def test_a_reply_that_fails_can_be_asked_for_again(console: Console) -> None:
    await console.server.script({"match": {"last_contains": "Hello"}, "status": 400, "times": 1})
    visitor = await console.visit("learner")
    page = await begin(visitor, "Opening")
    await expect(messages(page)).to_have_count(1)
    await field(page, "Bob").fill("Hello?")
    await field(page, "Bob").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("upstream")
    await page.get_by_role("button", name="Say it again").click()
    await expect(messages(page).last).to_have_attribute("data-state", "complete")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_two_windows_see_the_same_conversation(console: Console) -> None:
    await console.server.script(*JUDGED)
    me = new()
    first = await console.visit("learner", profile_id=me)
    second = await console.visit("learner", profile_id=me)
    page = await begin(first, "One")
    await expect(field(page)).to_be_visible()
    await second.open(*page.url.partition("#/")[2].split("/"))
    await say(page, "Hello.", count=2)
    await expect(messages(second.page)).to_have_count(2)
    await say(second.page, "And again.", count=4)
    await expect(messages(page)).to_have_count(4)
    await second.page.get_by_role("button", name="End and grade").click()
    await expect(page.get_by_text("6 of 6 points", exact=True)).to_be_visible()
    await expect(field(page)).to_have_count(0)
