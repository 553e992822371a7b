"""A watched room into which 5,000 deltas a second are published: the page answers, and nothing is missing."""

from playwright.async_api import expect

from tests.conftest import Cast
from tests.console.streaming import Stream, entry_shown, pause_after, replay_stream, reply_stream, watched
from tests.console.visitor import Console

RATE = 5_000
SECONDS = 2.0
SOON = 500  # entries


async def kept_up(console: Console, stream: Stream) -> None:
    """Watch a room while it is written into, hold it in the middle, and find every word at the end."""
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("watch", stream.room)
    shown = page.get_by_role("log").or_(page.get_by_role("region", name="What is said"))
    await expect(shown).to_contain_text("At ")
    async with watched(page) as found:
        sent = await stream.run(rate=RATE, seconds=SECONDS)
    print(f"{sent / SECONDS:.0f} deltas/s, {len(stream.heads)} texts: {found[0]}")
    await expect(shown).to_contain_text(stream.text(sent).strip())
    begun = await pause_after(page, SOON)
    more = await stream.run(rate=RATE, seconds=SECONDS, before=sent) - sent
    await expect(page.get_by_role("status").get_by_text("Paused")).to_be_visible()
    assert SOON <= await entry_shown(page) - begun < more  # in the middle, not when it was quiet again
    sent += more
    await page.get_by_role("button", name="Live").click()
    await expect(shown).to_contain_text(stream.text(sent).strip())


async def test_one_reply_in_a_conversation(console: Console, cast: Cast) -> None:
    await kept_up(console, await reply_stream(console.server, await cast.learner()))


async def test_many_replays_of_a_test(console: Console, cast: Cast) -> None:
    await kept_up(console, await replay_stream(console.server, await cast.author()))
