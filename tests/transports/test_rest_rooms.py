"""Rooms over HTTP: which ones, their snapshots and their entries."""

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.clients import Socket
from tests.support.rest import People
from tests.support.running import Server, practice


async def begin(learner: Socket, key: str = "one") -> tuple[str, str]:
    ack = await learner.send("attempt_start", practice_id=practice(key))
    return ack["attempt_id"], ack["chat_id"]


async def say(learner: Socket, attempt_id: str, chat_id: str) -> None:
    ack = await learner.send(
        "attempt_message", attempt_id=attempt_id, chat_id=chat_id, message="Hello there!"
    )
    await learner.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])


async def test_the_rooms_that_one_may_follow(server: Server, cast: Cast, people: People) -> None:
    learner = await cast.learner()
    attempt_id, closed = await begin(learner)
    await learner.send("attempt_end", attempt_id=attempt_id, chat_id=closed, grade=False)
    await learner.until("attempt_ended")
    _, opened = await begin(learner)
    own = people.a("learner", profile=cast.learner_id)
    mine = f"profile_{cast.learner_id}"
    author, ops = people.a("author"), people.a("ops")
    for person, standing in (
        (own, [mine]),
        (author, [f"profile_{author.profile}"]),
        (ops, [f"profile_{ops.profile}", "ops"]),
    ):
        rooms = [r["room"] for r in (await person.get("rooms"))["items"]]
        assert rooms == [*standing, f"attempt_{opened}", f"attempt_{closed}"]
        live = (await person.get("rooms?live=1"))["items"]
        assert [r["room"] for r in live] == [*standing, f"attempt_{opened}"]
        last = live[-1]
        assert (last["status"], last["chat_id"], last["name"]) == ("open", opened, "A plain talk")
    stranger = people.a("learner")
    assert [r["room"] for r in (await stranger.get("rooms"))["items"]] == [f"profile_{stranger.profile}"]
    assert await own.refused("rooms?live=perhaps", status=400) == "bad_request"
    assert await people.with_token("x").refused("rooms", status=401) == "unauthenticated"


async def test_pages_of_rooms_hold_every_room_once(server: Server, cast: Cast, people: People) -> None:
    learner = await cast.learner()
    chats = [(await begin(learner))[1] for _ in range(3)]
    own = people.a("learner", profile=cast.learner_id)
    expected = [f"profile_{cast.learner_id}", *(f"attempt_{c}" for c in reversed(chats))]
    for limit in (1, 2, 4):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await own.get(f"rooms?limit={limit}{f'&cursor={cursor}' if cursor else ''}")
            assert len(page["items"]) <= limit
            found += [r["room"] for r in page["items"]]
            cursor = page["next_cursor"]
        assert found == expected


async def test_entries_are_what_sockets_got(server: Server, cast: Cast, people: People) -> None:
    learner = await cast.learner()
    attempt_id, chat_id = await begin(learner)
    await say(learner, attempt_id, chat_id)
    room = f"attempt_{chat_id}"
    got = [(n, d) for n, d in learner.seen if d.get("room") == room]
    for person in (people.a("learner", profile=cast.learner_id), people.a("author"), people.a("ops")):
        page = await person.get(f"rooms/{room}/entries?limit=200")
        assert [(e["name"], e["data"]) for e in page["items"]] == got
        assert [e["offset"] for e in page["items"]] == list(range(1, len(got) + 1))
        assert {e["room"] for e in page["items"]} == {room}
        assert (page["next_cursor"], page["offset"]) == (None, len(got))
    one = await person.get(f"rooms/{room}/entries?after=2&limit=1")
    assert ([e["offset"] for e in one["items"]], one["next_cursor"]) == ([3], "3")
    following = await person.get(f"rooms/{room}/entries?cursor={one['next_cursor']}&limit=1")
    assert [e["offset"] for e in following["items"]] == [4]
    assert (await person.get(f"rooms/{room}/entries?after=999"))["items"] == []


async def test_a_room_with_its_snapshot(server: Server, cast: Cast, people: People) -> None:
    learner = await cast.learner()
    attempt_id, chat_id = await begin(learner)
    await say(learner, attempt_id, chat_id)
    own = people.a("learner", profile=cast.learner_id)
    found = await own.get(f"rooms/attempt_{chat_id}")
    joined = await (await cast.ops()).send("attempt_join", chat_id=chat_id)
    assert (found["epoch"], found["offset"]) == (joined["epoch"], joined["offset"])
    assert found["snapshot"]["messages"] == joined["snapshot"]["messages"]
    assert "SECRET" not in str(found)
    room = await own.get(f"rooms/profile_{cast.learner_id}")
    assert [a["attempt_id"] for a in room["snapshot"]["attempts"]] == [attempt_id]


async def test_rooms_that_may_not_be_followed(server: Server, cast: Cast, people: People) -> None:
    _, chat_id = await begin(await cast.learner())
    rooms = (
        f"attempt_{chat_id}",
        f"profile_{cast.learner_id}",
        f"attempt_{new()}",
        "ops:default",
        "ops:",
        "opsy",
        f"test_{new()}",
        "attempt_",
        "x",
        "%00",
    )
    for person in (people.a("learner"), people.a("ops", org="elsewhere"), people.with_token(None)):
        for room in rooms:
            assert await person.refused(f"rooms/{room}/entries", status=404) == "not_found"
            assert await person.refused(f"rooms/{room}", status=404) == "not_found"
    for person in (people.a("learner"), people.a("author"), people.with_token(None)):
        assert await person.refused("rooms/ops", status=404) == "not_found"
    assert await people.with_token("x").refused(f"rooms/{rooms[0]}/entries", status=401) == "unauthenticated"


async def test_wrong_offsets(server: Server, cast: Cast, people: People) -> None:
    _, chat_id = await begin(await cast.learner())
    own = people.a("learner", profile=cast.learner_id)
    for query in ("after=-1", "after=x", "after=1e3", "after=" + "9" * 30, "after=", "cursor=x", "limit=201"):
        address = f"rooms/attempt_{chat_id}/entries?{query}"
        assert await own.refused(address, status=400) == "bad_request"


async def test_entries_that_are_not_kept_any_more(server: Server, cast: Cast, people: People) -> None:
    learner = await cast.learner()
    attempt_id, chat_id = await begin(learner)
    await say(learner, attempt_id, chat_id)
    await server.app[keys.STORE].entries.trim(f"attempt_{chat_id}", upto=2, floor=0)
    own = people.a("learner", profile=cast.learner_id)
    assert await own.refused(f"rooms/attempt_{chat_id}/entries?after=1", status=410) == "gone"
    for query in ("", "?after=2"):
        page = await own.get(f"rooms/attempt_{chat_id}/entries{query}")
        assert page["items"][0]["offset"] == 3
