"""Who comes late to a test sees what those saw who were there; who may come at all."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from schemas.envelope import Role
from tests.conftest import Cast
from tests.support.attempts import Data
from tests.support.attempts import refused as refused_room
from tests.support.running import Server
from tests.support.staff import Staff, staff_of
from tests.support.trials import LOOKUP, Trial, begin, refused


@pytest_asyncio.fixture(loop_scope="session")
async def staff(server: Server) -> AsyncIterator[Staff]:
    """Give a test its people."""
    async with staff_of(server) as staff:
        yield staff


async def finished(server: Server, cast: Cast) -> Trial:
    """Return a test that was run to its end, with tool calls, and everything that its author saw."""
    await server.script(LOOKUP, {"reply": "It is on its way."})
    trial = await begin(await cast.author())
    await trial.client.send("test_join", invocation_id=trial.invocation_id, after=0)
    await trial.client.send("test_group", **trial.ids)
    await trial.client.until("test_all_complete", invocation_id=trial.invocation_id)
    return trial


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_late_is_as_good_as_early(server: Server, cast: Cast, staff: Staff, transport: str) -> None:
    trial = await finished(server, cast)
    seen = trial.entries()
    head = seen[-1][1]["offset"]
    assert [d["offset"] for _, d in seen] == list(range(1, head + 1))
    late = await staff.over(transport, "ops")
    join = await late.send("test_join", invocation_id=trial.invocation_id, after=0)
    assert (join["recovered"], join["offset"]) == (True, head)
    await late.until("test_joined")
    assert [(n, d) for n, d in late.seen if d.get("room") == trial.room and "offset" in d] == seen
    page = await staff.people.a("ops").get(f"rooms/{trial.room}/entries?limit=200")
    assert [(e["name"], e["data"]) for e in page["items"]] == seen
    await late.send("room_replay", room=trial.room, speed=0)
    await late.until("replay_end", room=trial.room)
    assert [(e["name"], e["data"]) for e in late.named("replay_entry")] == seen


async def test_a_snapshot_tells_the_same_early_and_late(server: Server, cast: Cast, staff: Staff) -> None:
    trial = await finished(server, cast)
    late = await staff.socket("author")
    join = await late.send("room_join", room=trial.room)
    assert await late.until("test_joined") == {"invocation_id": trial.invocation_id, "success": True}
    snapshot = join["snapshot"]
    assert snapshot == await trial.snapshot()
    assert "running" not in snapshot
    assert snapshot["invocation"]["test_id"] == trial.test_id
    complete = {d["run_id"] for d in trial.client.named("test_run_complete")}
    assert {r["run_id"] for r in snapshot["runs"]} == complete
    assert {r["state"] for r in snapshot["runs"]} == {"done"}
    rest = await staff.people.a("author").get(f"rooms/{trial.room}")
    assert (rest["offset"], rest["snapshot"]) == (join["offset"], snapshot)


async def test_who_may_follow_a_test(server: Server, cast: Cast, staff: Staff) -> None:
    trial = await begin(await cast.author())
    invocation: Data = {"invocation_id": trial.invocation_id}
    allowed: list[tuple[Role, str]] = [("author", "default"), ("ops", "default"), ("admin", "default")]
    for role, org in allowed:
        client = await staff.socket(role, org=org)
        assert "snapshot" in await client.send("test_join", **invocation)
        await client.send("room_replay", room=trial.room, speed=0)
    others: list[tuple[Role, str]] = [
        ("learner", "default"),
        *((role, "elsewhere") for role, _ in allowed),
    ]
    for role, org in others:
        client = await staff.socket(role, org=org)
        await refused(client, "test_join", "not_found", **invocation)
        await refused_room(client, "room_join", "not_found", room=trial.room)
        await refused_room(client, "room_replay", "not_found", room=trial.room, speed=0)
        person = staff.people.a(role, org=org)
        assert await person.refused(f"rooms/{trial.room}", status=404) == "not_found"
        assert await person.refused(f"rooms/{trial.room}/entries", status=404) == "not_found"
        assert trial.room not in await rooms(staff, role, org=org)


async def test_whose_profile_may_be_followed_for_a_test(server: Server, cast: Cast, staff: Staff) -> None:
    room = f"profile_{cast.author_id}"
    early = await staff.socket("ops")
    await refused_room(early, "room_join", "not_found", room=room)
    await begin(await cast.author())
    assert (await early.send("room_join", room=room))["room"] == room
    others: list[tuple[Role, str]] = [("learner", "default"), ("ops", "elsewhere")]
    for role, org in others:
        client = await staff.socket(role, org=org)
        await refused_room(client, "room_join", "not_found", room=room)


async def rooms(staff: Staff, role: Role, *, org: str = "default", query: str = "") -> dict[str, Data]:
    """Return the rooms on the first page, by name."""
    page = await staff.people.a(role, org=org).get(f"rooms?limit=200{query}")
    return {row["room"]: row for row in page["items"]}


async def test_invocations_are_listed_while_they_run_and_after(
    server: Server, cast: Cast, staff: Staff
) -> None:
    done, running = await finished(server, cast), await begin(await cast.author())
    roles: list[Role] = ["author", "ops", "admin"]
    for role in roles:
        listed, live = await rooms(staff, role), await rooms(staff, role, query="&live=1")
        assert listed[done.room]["status"] == "closed"
        assert done.room not in live
        row = live[running.room]
        assert row == listed[running.room]
        assert (row["kind"], row["status"]) == ("test", "open")
        assert (row["invocation_id"], row["test_id"]) == (running.invocation_id, running.test_id)
        assert row["owner"] == {"kind": "profile", "id": cast.author_id}
        assert ("ops" in live) == (role != "author")


async def test_pages_mix_chats_and_invocations(server: Server, cast: Cast, staff: Staff) -> None:
    author = await cast.author()
    made = [(await begin(author)).room for _ in range(3)]
    person = staff.people.a("ops")
    whole = [r["room"] for r in (await person.get("rooms?limit=200"))["items"]]
    assert whole[:2] == [f"profile_{person.profile}", "ops"]
    assert [r for r in whole if r in made] == made[::-1]
    for limit in (1, 2, 7):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None and len(found) < len(whole):
            page = await person.get(f"rooms?limit={limit}{f'&cursor={cursor}' if cursor else ''}")
            found += [r["room"] for r in page["items"]]
            cursor = page["next_cursor"]
        assert found[: len(whole)] == whole


async def test_ops_hear_of_a_test(server: Server, cast: Cast, staff: Staff) -> None:
    ops, elsewhere = await staff.socket("ops"), await staff.socket("ops", org="elsewhere")
    for client in (ops, elsewhere):
        await client.send("room_join", room="ops")
    trial = await finished(server, cast)
    await ops.until("ops_entry", id=trial.test_id, phase="ended")
    told = ops.named("ops_entry", id=trial.test_id)
    assert [(d["kind"], d["phase"], d["subject_room"]) for d in told] == [
        ("test", "started", trial.room),
        ("test", "ended", trial.room),
    ]
    await server.script({"status": 400})
    failing = await begin(await cast.author())
    await failing.send("short")
    await ops.until("ops_entry", id=failing.test_id, phase="error", code="upstream")
    assert elsewhere.named("ops_entry") == []
