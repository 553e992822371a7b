"""The room of a result: who follows it, over which transport, and what it shows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from schemas.envelope import Role
from server.engine.evaluator.rooms import result_room
from server.rooms.folds import RESULT_EVENTS
from server.transports import keys
from tests.evaluator.agents import agent, patient
from tests.evaluator.crowds import Crowd
from tests.evaluator.lab import Lab
from tests.fold.oracle import log_of
from tests.support.staff import Staff, staff_of

PLACES = ("0", "01", "9" * 16, "9" * 17, "-1", "abc")


@pytest_asyncio.fixture
async def staff(lab: Lab) -> AsyncIterator[Staff]:
    """Let people connect."""
    async with staff_of(lab.server) as found:
        yield found


async def played(lab: Lab, **changes: Any) -> int:
    """Have a result played to its end."""
    async with agent(patient) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)), **changes)
        await lab.ended(result_id)
    return result_id


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_a_follower_sees_every_turn(lab: Lab, staff: Staff, transport: str) -> None:
    crowd = Crowd()
    crowd.held.clear()
    async with agent(crowd.talk) as called:
        client = await staff.over(transport, "ops")
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)))
        await crowd.until_calls(1)
        room = result_room(result_id)
        ack = await client.send("room_join", room=room, after=0)
        assert ack["recovered"] is True
        crowd.held.set()
        ended = await client.until("result_ended")
        await lab.ended(result_id)
    assert (ended["status"], ended["success_rate"], ended["completed_runs"]) == ("completed", 100.0, 1)
    assert client.names(room) == [
        "result_started",
        "run_started",
        *["run_turn"] * 3,
        "run_ended",
        "result_ended",
    ]
    (run_id,) = [event["run_id"] for event in client.named("run_started")]
    turns = [(t["run_id"], t["index"], t["role"], t["content"]) for t in client.named("run_turn")]
    said = [("Testing Agent", "Hello"), ("Main Agent", "Yes?"), ("Testing Agent", "Bye")]
    assert turns == [(run_id, n, *item) for n, item in enumerate(said)]


async def test_who_joins_in_the_middle_sees_who_talks(lab: Lab, staff: Staff) -> None:
    crowd = Crowd()
    crowd.held.clear()
    async with agent(crowd.talk) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        result_id = await lab.start(scenario, freq=3, concurrency_limit=2)
        await crowd.until_calls(2)
        client = await staff.socket("author")
        shown = (await client.send("room_join", room=result_room(result_id)))["snapshot"]
        assert (shown["result"]["result_id"], shown["total_runs"], shown["ended_runs"]) == (result_id, 3, 0)
        assert {run["scenario_name"] for run in shown["running"]} <= {"hello and bye"}
        crowd.held.set()
        await lab.ended(result_id)
    shown = (await (await staff.socket("admin")).send("room_join", room=result_room(result_id)))["snapshot"]
    assert (shown["status"], shown["success_runs"], shown["running"]) == ("completed", 3, [])
    assert [run["status"] for run in shown["latest"]] == ["completed"] * 3


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_others_may_not_follow(lab: Lab, staff: Staff, transport: str) -> None:
    result_id = await played(lab)
    answers = []
    for role, org, number in (
        ("learner", "default", result_id),
        ("author", "other", result_id),
        ("author", "default", result_id + 1),
    ):
        client = await staff.over(transport, role, org=org)  # type: ignore[arg-type]
        answers.append((await client.call("room_join", room=result_room(number)))["error"])
    assert answers[0]["code"] == "not_found"
    assert answers[0] == answers[1] == answers[2]
    client = await staff.over(transport, "author")
    for place in PLACES:
        refused = await client.call("room_join", room=f"result_{place}")
        assert refused["error"]["code"] in ("bad_request", "not_found"), place


async def test_rooms_of_results_are_listed_page_by_page(lab: Lab, staff: Staff) -> None:
    done = [await played(lab), await played(lab)]
    crowd = Crowd()
    crowd.held.clear()
    async with agent(crowd.talk) as called:
        going = await lab.start(await lab.scenario(await lab.agent(called.url)))
        await crowd.until_calls(1)

        async def listed(role: Role, query: str = "", org: str = "default") -> list[int]:
            found: list[int] = []
            cursor, more = "", True
            while more:
                page = await staff.people.a(role, org=org).get(f"rooms?limit=2{query}{cursor}")
                found += [row["result_id"] for row in page["items"] if row["kind"] == "evaluator"]
                more = page["next_cursor"] is not None
                cursor = f"&cursor={page['next_cursor']}"
            return found

        assert await listed("ops") == [going, *reversed(done)]
        assert await listed("author", "&live=1") == [going]
        assert await listed("learner") == await listed("author", org="other") == []
        crowd.held.set()
        await lab.ended(going)


async def test_operators_are_told(lab: Lab, staff: Staff) -> None:
    ops = await staff.socket("ops")
    await ops.send("room_join", room="ops")
    result_id = await played(lab)
    await ops.until("ops_entry", kind="evaluator", phase="ended", id=result_id)
    told = [(e["id"], e["phase"], e["subject_room"]) for e in ops.named("ops_entry", kind="evaluator")]
    assert told == [(result_id, phase, result_room(result_id)) for phase in ("started", "ended")]


async def test_a_room_counts_as_ended_for_retention(lab: Lab) -> None:
    result_id = await played(lab)
    room = result_room(result_id)
    assert await lab.store.entries.closed_rooms(0.0) == [room]
    retention = lab.server.app[keys.RETENTION]
    vars(retention)["_days"] = 0.0
    await retention.sweep()
    place = await lab.server.app[keys.HUB].place(room, after=None, epoch=None)
    assert place.snapshot is not None
    assert place.snapshot["success_runs"] == 1


async def test_an_event_of_every_kind_is_in_the_log(lab: Lab) -> None:
    result_id = await played(lab, freq=2)
    assert {row.name for row in await log_of(lab.store, result_room(result_id))} == RESULT_EVENTS
