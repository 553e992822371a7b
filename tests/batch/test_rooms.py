"""The room of a batch job: who follows it, over which transport, and what it shows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schemas.envelope import Role
from server.engine.batch.rooms import batch_room
from server.engine.ids import new
from server.transports import keys
from tests.batch.conftest import OpenShop, Shop
from tests.fold.oracle import log_of
from tests.support.batches import FINDS, case
from tests.support.staff import Staff, staff_of

SLOW = {"match": {"any_contains": "take 7."}, **FINDS, "first_delay_ms": 60_000}


@pytest_asyncio.fixture
async def staff(shop: Shop) -> AsyncIterator[Staff]:
    """Let people connect to the shop."""
    async with staff_of(shop.server) as found:
        yield found


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_a_follower_sees_a_job_from_its_start_to_its_end(
    shop: Shop, staff: Staff, transport: str
) -> None:
    await shop.server.script({**FINDS, "first_delay_ms": 300})
    client = await staff.over(transport, "author")
    begun = await shop.start(40, concurrency=20)
    room = batch_room(begun.id)
    ack = await client.send("room_join", room=room)
    assert ack["snapshot"]["job"]["total_runs"] == 40
    ended = await client.until("batch_ended")
    assert (ended["status"], ended["results"], ended["overall_accuracy"]) == ("completed", 40, 100.0)
    names = client.names(room)
    before = ack["snapshot"]["results"]
    assert names[-1] == "batch_ended"
    assert names.count("batch_result") == 40 - before
    assert [d["index"] for d in client.named("batch_result")] == list(range(before, 40))
    await shop.ended(begun.id)


async def test_who_joins_later_gets_a_snapshot(shop: Shop, staff: Staff) -> None:
    job = await shop.ended((await shop.start(60)).id)
    ack = await (await staff.socket("ops")).send("room_join", room=batch_room(job.id))
    shown = ack["snapshot"]
    assert (shown["status"], shown["results"], shown["passed"], shown["errors"]) == ("completed", 60, 60, 0)
    assert (shown["failed"], shown["total_runs"], len(shown["latest"])) == (0, 60, 50)
    assert shown["latest"][-1]["index"] == 59
    assert shown["job"]["name"] == "shopping"
    assert shown["permutations"] == ["tools"]
    again = await (await staff.socket("admin")).send("room_join", room=batch_room(job.id), after=0)
    assert again["recovered"] is True


async def test_a_job_that_waits_is_shown_too(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop, staff_of(shop.server) as staff:
        begun = await shop.start(3)
        ack = await (await staff.socket("author")).send("room_join", room=batch_room(begun.id))
        assert (ack["snapshot"]["status"], ack["snapshot"]["results"]) == ("queued", 0)
        await shop.cancel(begun.id)


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_others_may_not_follow(shop: Shop, staff: Staff, transport: str) -> None:
    job = await shop.ended((await shop.start(1)).id)
    answers = []
    for role, org, job_id in (
        ("learner", "default", job.id),
        ("author", "other", job.id),
        ("author", "default", new()),
    ):
        client = await staff.over(transport, role, org=org)  # type: ignore[arg-type]
        answers.append((await client.call("room_join", room=batch_room(job_id)))["error"])
    assert answers[0]["code"] == "not_found"
    assert answers[0] == answers[1] == answers[2]


async def test_rooms_of_jobs_are_listed_while_they_run_and_after(shop: Shop, staff: Staff) -> None:
    done = await shop.ended((await shop.start(1)).id)
    await shop.server.script(SLOW)
    going = await shop.start(0, test_cases=[case(7)])
    await shop.server.model.until("running", 1)

    async def listed(role: Role, query: str = "", org: str = "default") -> dict[str, Any]:
        items = (await staff.people.a(role, org=org).get(f"rooms?limit=200{query}"))["items"]
        return {row["job_id"]: row for row in items if row["kind"] == "batch"}

    roles: list[Role] = ["author", "ops", "admin"]
    for role in roles:
        whole, live = await listed(role), await listed(role, "&live=1")
        assert list(whole) == [going.id, done.id]
        assert [row["status"] for row in whole.values()] == ["open", "closed"]
        assert live == {going.id: whole[going.id]}
        row = live[going.id]
        assert (row["room"], row["name"], row["owner"]["id"]) == (
            *(batch_room(going.id), "shopping"),
            shop.author.id,
        )
        place = await staff.people.a(role).get(f"rooms/{row['room']}")
        assert place["snapshot"]["job"]["job_id"] == going.id
    assert await listed("learner") == await listed("author", org="other") == {}
    await shop.cancel(going.id)


async def test_operators_are_told_of_starts_ends_and_failures(shop: Shop, staff: Staff) -> None:
    ops = await staff.socket("ops")
    await ops.send("room_join", room="ops")
    done = await shop.ended((await shop.start(1)).id)
    await ops.until("ops_entry", kind="batch", phase="ended", id=done.id)
    await shop.server.script(SLOW)
    begun = await shop.start(0, test_cases=[case(7)])
    await shop.server.model.until("running", 1)
    await shop.cancel(begun.id)
    await ops.until("ops_entry", kind="batch", phase="ended", id=begun.id)
    await shop.ended(begun.id)
    told = [(e["id"], e["phase"], e["subject_room"]) for e in ops.named("ops_entry", kind="batch")]
    rooms = {job_id: batch_room(job_id) for job_id in (done.id, begun.id)}
    assert told == [(job_id, phase, rooms[job_id]) for job_id in rooms for phase in ("started", "ended")]


async def test_a_room_counts_as_ended_for_retention(shop: Shop) -> None:
    job = await shop.ended((await shop.start(3)).id)
    assert await shop.store.entries.closed_rooms(0.0) == [batch_room(job.id)]
    retention = shop.server.app[keys.RETENTION]
    vars(retention)["_days"] = 0.0
    await retention.sweep()
    assert await shop.store.entries.floor(batch_room(job.id)) == 5
    place = await shop.server.app[keys.HUB].place(batch_room(job.id), after=None, epoch=None)
    assert place.snapshot is not None
    assert place.snapshot["results"] == 3


async def test_changes_are_heard_and_polled_for(shop: Shop) -> None:
    await shop.server.script(SLOW)
    begun = await shop.start(0, test_cases=[case(7)])
    async with shop.batches.changes(begun.id) as changes:
        await shop.server.model.until("running", 1)
        await shop.cancel(begun.id)
        while (await shop.get(begun.id)).completed_on is None:
            await changes.wait()
    room = shop.server.app[keys.HUB].loaded_room(batch_room(begun.id))
    assert room is not None
    assert not room.live
    assert [row.name for row in await log_of(shop.store, room.name)] == ["batch_started", "batch_ended"]
