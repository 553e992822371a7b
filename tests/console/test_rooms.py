"""Rooms as the page follows them: no hole, no repetition, and none that nobody looks at."""

from typing import Any

from playwright.async_api import expect

from server.engine.ids import new
from tests.console.test_practise import begin, field, messages, say
from tests.console.visitor import Console, Visitor
from tests.console.wire import Wire, as_new, contents, named, wire_of


async def talking(console: Console) -> tuple[Visitor, Wire, str]:
    """Begin a conversation; return its page, what goes over its line, and its room."""
    visitor = await console.visit("learner")
    wire = await wire_of(visitor.page)
    page = await begin(visitor, "One")
    await say(page, "Hello.", count=2)
    return visitor, wire, f"attempt_{page.url.rsplit('/', 1)[1]}"


async def elsewhere(console: Console, visitor: Visitor) -> Visitor:
    """Open the same conversation in another window."""
    other = await console.visit("learner", profile_id=visitor.profile_id)
    await other.open(*visitor.page.url.partition("#/")[2].split("/"))
    await expect(field(other.page)).to_be_visible()
    return other


def lose_first(name: str) -> tuple[list[str], Any]:
    """Return what loses the first event of a name, and where it is put."""
    lost: list[str] = []

    def alter(frame: str) -> str | None:
        if not lost and contents(frame)[:1] == [name]:
            lost.append(frame)
            return None
        return frame

    return lost, alter


async def test_an_entry_that_is_lost_on_the_way_is_asked_for(console: Console) -> None:
    visitor, wire, room = await talking(console)
    lost, wire.alter_heard = lose_first("attempt_user_complete")
    joined, left = len(named(wire.sent, "room_join", room)), len(named(wire.sent, "room_leave", room))
    await say(visitor.page, "And this?", count=4)
    await expect(messages(visitor.page).nth(2)).to_contain_text("And this?")
    hole = contents(lost[0])[1]["offset"]
    (again,) = named(wire.sent, "room_join", room)[joined:]
    assert again["after"] == hole - 1
    assert len(named(wire.sent, "room_leave", room)) == left + 1


async def test_a_room_that_is_set_back_starts_from_its_snapshot(console: Console) -> None:
    visitor, wire, room = await talking(console)
    page = visitor.page
    await page.reload()
    await expect(messages(page)).to_have_count(2)
    answers = [found[0] for found in map(contents, wire.heard) if len(found) == 1]
    ack = next(answer for answer in reversed(answers) if answer.get("room") == room)
    first = {**ack["snapshot"]["messages"][0], "content": "It was said otherwise."}
    snapshot = {**ack["snapshot"], "messages": [first]}
    wire.tell("room_reset", {"room": room, "epoch": new(), "offset": ack["offset"] - 1, "snapshot": snapshot})
    await expect(messages(page)).to_have_count(1)
    await expect(messages(page).first).to_contain_text("It was said otherwise.")
    await page.reload()
    await expect(messages(page)).to_have_count(2)


async def test_a_session_that_is_not_recovered_goes_on_where_it_was(console: Console) -> None:
    visitor, wire, room = await talking(console)
    page = visitor.page
    other = await elsewhere(console, visitor)
    seen = contents(wire.heard[-1])[1]["offset"]
    wire.alter_sent = as_new
    await visitor.drop()
    await expect(page.get_by_role("img", name="The connection is away")).to_be_visible()
    await say(other.page, "Meanwhile.", count=4)
    joined = len(named(wire.sent, "room_join", room))
    await visitor.mend()
    await expect(messages(page)).to_have_count(4)
    await say(page, "Afterwards.", count=6)
    told = [found[1] for found in map(contents, wire.heard) if found[:1] == ["connection_confirmed"]]
    assert told[-1]["recovered"] is False
    (again,) = named(wire.sent, "room_join", room)[joined:]
    assert again["after"] >= seen


async def test_a_room_that_is_left_while_the_line_is_away_is_left(console: Console) -> None:
    visitor, wire, room = await talking(console)
    other = await elsewhere(console, visitor)
    left = len(named(wire.sent, "room_leave", room))
    await visitor.drop()
    await expect(visitor.page.get_by_role("img", name="The connection is away")).to_be_visible()
    await visitor.open("practise")
    await expect(messages(visitor.page)).to_have_count(0)
    await visitor.mend()
    await wire.count(wire.sent, "room_leave", room, left + 1)
    await visitor.page.get_by_role("link", name="History").click()  # answers come in order: it has left
    await expect(visitor.page.get_by_text("Open", exact=True)).to_be_visible()
    told = [found[1] for found in map(contents, wire.heard) if found[:1] == ["connection_confirmed"]]
    assert told[-1]["recovered"]
    heard = len(wire.heard)
    await say(other.page, "You do not hear this.", count=4)
    await visitor.open(*other.page.url.partition("#/")[2].split("/"))
    await expect(messages(visitor.page)).to_have_count(4)
    entries = [found[1] for found in map(contents, wire.heard[heard:]) if len(found) > 1]
    assert not [entry for entry in entries if entry.get("room") == room and "offset" in entry]
