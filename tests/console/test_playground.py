"""The playground in a browser: a grounded chat with its sources, and settings saved as one types."""

from typing import Literal

import pytest
from playwright.async_api import Locator, Page, Route, expect

from schemas.envelope import Id
from schemas.playground import LlmParams, PlaygroundSession, SessionPatch
from server.engine.access import Identity
from server.engine.ids import new
from server.transports import keys
from tests.console.visitor import Console, Visitor
from tests.support.playgrounds import CATS, HOURS, Data, pipeline
from tests.support.rest import people_of

QUESTION = "When does the library open?"
LONG = {"chunks": ["Line.\n"] * 80, "delay_ms": 40}


async def opened(console: Console, *documents: Data, phone: bool = False) -> tuple[Visitor, Id]:
    """Open a shared pipeline as a learner."""
    pipeline_id = await pipeline(console.server, new(), *documents)
    visitor = await console.visit("learner", phone=phone)
    await visitor.open(f"playground/{pipeline_id}")
    await expect(visitor.page.get_by_label("Your message")).to_be_visible()
    return visitor, pipeline_id


async def ask(page: Page, message: str = QUESTION) -> None:
    """Say something by the keyboard."""
    await page.get_by_label("Your message").fill(message)
    await page.keyboard.press("Enter")


def log(page: Page) -> Locator:
    """Return the box of messages."""
    return page.get_by_role("log")


async def below(page: Page) -> float:
    """Return how many pixels of the conversation are below what is seen."""
    found: float = await log(page).evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight")
    return found


async def session_of(console: Console, visitor: Visitor, pipeline_id: Id) -> PlaygroundSession:
    """Return the session as the server has it."""
    caller = Identity(kind="profile", id=visitor.profile_id, role="learner")
    return await console.server.app[keys.PLAYGROUND].session(caller, pipeline_id)


async def test_an_answer_names_its_sources_and_opens_the_passage(console: Console) -> None:
    console.model.script([{"chunks": ["It opens at ", "nine [1]."]}])
    visitor, _ = await opened(console, HOURS, CATS)
    page = visitor.page
    await ask(page)
    await expect(log(page)).to_contain_text("It opens at nine")
    sources = page.get_by_role("list", name="Sources")
    await expect(sources.get_by_role("listitem").first).to_contain_text("Hours")
    await expect(sources.get_by_role("listitem").first).to_contain_text(str(HOURS["text"]))
    await visitor.axe()
    await page.get_by_role("button", name="Source 1: Hours").click()
    dialog = page.get_by_role("dialog", name="Hours")
    await expect(dialog.locator("mark")).to_have_text(str(HOURS["text"]))
    await visitor.axe()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_settings_are_saved_as_one_types(console: Console) -> None:
    visitor, pipeline_id = await opened(console)
    page = visitor.page
    prompt = "You are a librarian who never hurries."
    await page.get_by_label("System prompt").press_sequentially(prompt, delay=15)
    await page.get_by_label("Alpha").fill("0.75")
    await expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    await expect(page.get_by_label("System prompt")).to_have_value(prompt)
    kept = await session_of(console, visitor, pipeline_id)
    assert (kept.llm_params.system_prompt, kept.retrieval_params.alpha) == (prompt, 0.75)


async def test_an_older_answer_never_overwrites_newer_typing(console: Console) -> None:
    """Saves that are answered late, and one that fails, leave what is typed as it is typed."""
    visitor, pipeline_id = await opened(console)
    page = visitor.page
    held: list[str | None] = []

    async def hold(route: Route) -> None:
        """Answer the first save only once more was typed, and the second not at all."""
        if route.request.method != "PATCH":
            await route.continue_()
            return
        held.append(route.request.post_data)
        if len(held) == 1:
            await page.get_by_label("System prompt").press_sequentially(" And more.")
        if len(held) == 2:
            await route.fulfill(status=503, json={"detail": "The database is away."})
            return
        await route.continue_()

    await page.route("**/playground-session", hold)
    await page.get_by_label("System prompt").fill("First.")
    await expect(page.get_by_role("status").filter(has_text="Not saved")).to_be_visible()
    await expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    await expect(page.get_by_label("System prompt")).to_have_value("First. And more.")
    assert len(held) == 3
    kept = await session_of(console, visitor, pipeline_id)
    assert kept.llm_params.system_prompt == "First. And more."


async def test_leaving_the_view_saves_what_was_typed_last(console: Console) -> None:
    visitor, pipeline_id = await opened(console)
    page = visitor.page
    async with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await page.get_by_label("System prompt").fill("Kept.")
        await visitor.open("playground")
    kept = await session_of(console, visitor, pipeline_id)
    assert kept.llm_params.system_prompt == "Kept."


async def test_what_another_window_sets_is_shown(console: Console) -> None:
    visitor, pipeline_id = await opened(console)
    caller = Identity(kind="profile", id=visitor.profile_id, role="learner")
    change = SessionPatch(llm_params=LlmParams(temperature=1.5))
    await console.server.app[keys.PLAYGROUND].patch(caller, pipeline_id, change)
    await expect(visitor.page.get_by_label("Temperature")).to_have_value("1.5")


async def test_a_wrong_number_is_said_and_not_saved(console: Console) -> None:
    visitor, pipeline_id = await opened(console)
    page = visitor.page
    await page.get_by_label("Temperature").fill("7")
    await expect(page.get_by_text("A number from 0 to 2")).to_be_visible()
    await page.get_by_label("Temperature").fill("0.4")
    await expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    kept = await session_of(console, visitor, pipeline_id)
    assert kept.llm_params.temperature == 0.4


async def test_a_dropped_line_in_mid_reply_loses_and_doubles_nothing(console: Console) -> None:
    words = [f"word{n} " for n in range(60)]
    console.model.script([{"chunks": words, "delay_ms": 50}])
    visitor, _ = await opened(console, HOURS)
    page = visitor.page
    await ask(page)
    await expect(log(page)).to_contain_text("word5 ")
    await visitor.drop()
    await expect(page.get_by_text("The line is away")).to_be_visible()
    await visitor.mend()
    reply = log(page).locator(".playground-reply .playground-text")
    await expect(reply).to_have_text("".join(words))
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(log(page).get_by_text(QUESTION)).to_have_count(1)


async def test_a_reply_is_stopped_and_what_was_said_is_kept(console: Console) -> None:
    console.model.script([{"chunks": ["Well, ", "now "], "hang": True}])
    visitor, _ = await opened(console, HOURS)
    page = visitor.page
    await ask(page)
    await expect(log(page)).to_contain_text("Well, now")
    await page.get_by_role("button", name="Stop").click()
    await expect(log(page)).to_contain_text("stopped")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await page.reload()
    await expect(log(page)).to_contain_text("Well, now")


async def test_who_reads_further_up_is_left_there(console: Console) -> None:
    console.model.script([LONG])
    visitor, _ = await opened(console, HOURS)
    page = visitor.page
    await ask(page)
    await expect(log(page).locator(".playground-reply")).to_have_attribute("aria-busy", "true")
    await expect(log(page)).to_contain_text("Line. " * 30)  # more than the box shows
    await log(page).evaluate("box => { box.scrollTop = 40 }")
    follow = page.get_by_role("button", name="Follow the answer")
    await expect(follow).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert await log(page).evaluate("box => box.scrollTop") == 40
    await page.get_by_role("button", name="To the newest").click()
    assert await below(page) < 4


async def test_who_comes_back_goes_on_following(console: Console) -> None:
    console.model.script([LONG])
    visitor, pipeline_id = await opened(console, HOURS)
    page = visitor.page
    await ask(page)
    await expect(log(page)).to_contain_text("Line.")
    await visitor.open("playground")
    await expect(page.get_by_role("heading", name="Playground")).to_be_visible()
    await visitor.open(f"playground/{pipeline_id}")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(page.get_by_text("Line.\n" * 80)).to_have_count(1)
    assert await below(page) < 4


async def replace(console: Console, visitor: Visitor, pipeline_id: Id, said: list[str]) -> None:
    """Have a client of the visitor's replace the conversation, as published ones do with each message."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    async with people_of(console.server) as people:
        client = people.a("learner", profile=visitor.profile_id)
        await client.post(f"pipelines/{pipeline_id}/chat", {"messages": messages}, status=200)


async def test_what_was_said_earlier_is_whole_and_stands_once(console: Console) -> None:
    """More than a snapshot holds is there in order; when the conversation becomes another, only that is."""
    visitor, pipeline_id = await opened(console, HOURS)
    page = visitor.page
    console.model.script([{"reply": "The end."}])
    said = [f"Message {n:03}." for n in range(301)]
    await replace(console, visitor, pipeline_id, said)
    await page.reload()
    await expect(log(page)).to_contain_text("The end.")
    assert len(await texts(page)) == 200  # the snapshot's
    await page.get_by_role("button", name="Show earlier messages").click()
    await expect(log(page)).to_contain_text("Message 000.")
    assert await texts(page) == [*said, "The end."]
    await expect(page.get_by_role("button", name="Show earlier messages")).to_have_count(0)

    other = [f"Other {n:03}." + " More." * 200 for n in range(231)]  # more than is told at once
    await replace(console, visitor, pipeline_id, other)
    await expect(log(page)).to_contain_text("Other 000.")
    await expect(log(page)).to_contain_text("The end.")
    assert await texts(page) == [*other, "The end."]
    await replace(console, visitor, pipeline_id, ["Only this."])
    await expect(log(page)).not_to_contain_text("Other")
    await expect(log(page)).to_contain_text("The end.")
    assert await texts(page) == ["Only this.", "The end."]


async def texts(page: Page) -> list[str]:
    """Return what is shown of the conversation, in order."""
    return await log(page).locator(".playground-mine, .playground-said .playground-text").all_inner_texts()


async def test_what_is_typed_is_there_after_a_look_at_the_documents(console: Console) -> None:
    visitor, pipeline_id = await opened(console, HOURS)
    page = visitor.page
    await page.get_by_label("Your message").fill("When does")
    await page.get_by_role("tab", name="Documents").click()
    await expect(page.get_by_role("region", name="Documents", exact=True)).to_contain_text("Hours")
    await page.get_by_role("tab", name="Chat").click()
    await expect(page.get_by_label("Your message")).to_have_value("When does")
    await visitor.open("playground", pipeline_id, "documents")
    await page.reload()
    await page.get_by_role("tab", name="Chat").click()
    await expect(page.get_by_label("Your message")).to_have_value("When does")


async def test_a_failure_is_said(console: Console) -> None:
    console.model.script([{"status": 400}])
    visitor, _ = await opened(console, HOURS)
    await ask(visitor.page)
    await expect(visitor.page.get_by_role("alert").filter(has_text="upstream")).to_be_visible()
    await expect(visitor.page.get_by_role("button", name="Send")).to_be_visible()


async def test_a_session_is_forgotten(console: Console) -> None:
    visitor, _ = await opened(console, HOURS)
    page = visitor.page
    await ask(page)
    await expect(log(page).locator(".playground-reply")).to_have_count(1)
    await page.get_by_role("button", name="Forget session").click()
    await page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    await expect(page.get_by_text("Nothing said yet")).to_be_visible()


async def test_an_author_makes_a_pipeline_and_puts_documents_in(console: Console) -> None:
    visitor = await console.visit("author")
    await visitor.open("playground")
    page = visitor.page
    await page.get_by_role("button", name="New pipeline").click()
    await page.get_by_label("Name").fill("House rules")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_role("heading", name="House rules")).to_be_visible()
    files = [
        {"name": "cats.md", "mimeType": "text/markdown", "buffer": b"# Cats\n\nCats stay outside."},
        {"name": "empty.pdf", "mimeType": "application/pdf", "buffer": b"this is no PDF"},
    ]
    await page.get_by_label("Put files in").set_input_files(files)  # type: ignore[arg-type]
    await expect(page.get_by_text("1 of 2 documents can be searched, 1 failed")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="empty.pdf")).to_contain_text("failed")
    await visitor.axe()
    await page.get_by_role("button", name="Remove empty.pdf").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("1 of 1 documents can be searched")).to_be_visible()


async def test_on_a_phone_everything_fits(console: Console) -> None:
    console.model.script([{"reply": "At nine [1]. " * 20}])
    visitor, _ = await opened(console, HOURS, CATS, phone=True)
    page = visitor.page
    await expect(page.get_by_label("Temperature")).to_be_hidden()
    await ask(page)
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await visitor.fits()
    await page.get_by_role("button", name="Settings").click()
    await expect(page.get_by_label("Temperature")).to_be_visible()
    await visitor.fits()
    await visitor.axe()


@pytest.mark.parametrize("role", ["learner", "author"])
async def test_the_list_of_pipelines(console: Console, role: Literal["learner", "author"]) -> None:
    await pipeline(console.server, new(), HOURS, name="Handbook of the library")
    visitor = await console.visit(role)
    await visitor.open("playground")
    await expect(visitor.page.get_by_role("link", name="Handbook of the library")).to_be_visible()
    await expect(visitor.page.get_by_role("button", name="New pipeline")).to_have_count(int(role == "author"))
    await visitor.axe()
