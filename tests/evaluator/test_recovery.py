"""Results whose process died, was cut off, or stops: no run lost, none ended twice, and others go on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from schemas.envelope import utc_now
from schemas.evaluator_run import Talked, TranscriptItem
from server.engine.evaluator.frozen import thawed
from server.engine.evaluator.ledger import Ledger
from server.engine.evaluator.rooms import run_ended
from server.errors import NotFound
from server.store import Store
from server.transports import keys
from tests.evaluator.agents import agent
from tests.evaluator.crowds import Crowd
from tests.evaluator.lab import Lab, OpenLab
from tests.fold.oracle import log_of
from tests.recovery.test_leases import lose

GHOST = "ghost-1"


@pytest_asyncio.fixture
async def waiting(open_lab: OpenLab) -> AsyncIterator[Lab]:
    """Run a server that takes requests and plays nothing."""
    async with open_lab(job_slots=0) as lab:
        yield lab


def held() -> Crowd:
    """Return an agent that does not answer yet."""
    crowd = Crowd()
    crowd.held.clear()
    return crowd


async def leave(store: Store, run_id: int, **fields: Any) -> None:
    """Let a run be as a dead process has left it."""
    update = {"$set": {"fence": 1, "attempt": 1, "started_at": utc_now(), **fields}}
    assert await store.evaluator_runs.change(run_id, when={"state": "queued"}, update=update) is not None


async def haunt(store: Store, result_id: int) -> None:
    """Let a result be as a dead process has left it."""
    left = {"state": "running", "process": GHOST, "fence": 1, "started_at": utc_now()}
    waits = {"state": "queued"}
    found = await store.evaluator_results.change(result_id, when=waits, update={"$set": left})
    assert found is not None


def said(content: str) -> str:
    """Return a stored conversation of one item."""
    item = TranscriptItem(role="Main Agent", content=content, start_time=0.0, end_time=0.0, time="00:00")
    talked = Talked(status="completed", ended_reason="Testing agent-ended-call", transcript=[item])
    return talked.model_dump_json()


async def until_ended(lab: Lab, result_id: int) -> None:
    """Return once a result has ended; what a test has made up of it is not in its room."""
    async with asyncio.timeout(30):
        while (await lab.stored(result_id)).state != "ended":
            await lab.store.ping()


def database_of(lab: Lab) -> str:
    """Return the name of a server's database."""
    return lab.server.app[keys.SETTINGS].mongodb_database


async def test_a_dead_processes_result_is_gone_on_with(waiting: Lab, open_lab: OpenLab) -> None:
    crowd = Crowd()
    async with agent(crowd.talk) as called:
        scenario = await waiting.scenario(await waiting.agent(called.url))
        result_id = await waiting.start(scenario, freq=4)
        queued, talking, judging, ended = await waiting.runs(result_id)
        await leave(waiting.store, talking.id, state="talking")
        await leave(waiting.store, judging.id, state="judging", talked=said("said before"))
        end = {"status": "completed", "success": True, "judged": 1, "ended_at": utc_now()}
        await leave(waiting.store, ended.id, state="ended", talked=said("all said"), **end)
        await haunt(waiting.store, result_id)
        async with open_lab(mongodb_database=database_of(waiting)) as lab:
            await until_ended(lab, result_id)
            result = await lab.stored(result_id)
    runs = await waiting.runs(result_id)
    assert dict(crowd.calls) == {str(queued.id): 1, str(talking.id): 1}
    assert [run.attempt for run in runs] == [1, 2, 1, 1]
    assert [run.talked.transcript[0].content for run in runs if run.talked] == [
        "Hello",
        "Hello",
        "said before",
        "all said",
    ]
    assert (result.status, result.fence) == ("completed", 2)


async def test_runs_that_the_start_could_not_make_are_made(waiting: Lab, open_lab: OpenLab) -> None:
    crowd = Crowd()
    async with agent(crowd.talk) as called:
        scenario = await waiting.scenario(await waiting.agent(called.url))
        result_id = await waiting.start(scenario, freq=3)
        before = [run.id for run in await waiting.runs(result_id)]
        await waiting.store.evaluator_runs.delete(result_id, ids=before[1:])
        async with open_lab(mongodb_database=database_of(waiting)) as lab:
            lab.author = waiting.author
            view = await lab.ended(result_id)
    assert [int(run) for run in view["runs"]] == before
    assert (view["success_rate"], view["status"]) == (100.0, "completed")


async def test_a_result_that_cannot_be_read_fails(waiting: Lab, open_lab: OpenLab) -> None:
    scenario = await waiting.scenario(await waiting.agent("ws://127.0.0.1:1/"))
    result_id = await waiting.start(scenario, freq=2)
    await waiting.store.evaluator_results.save_setup(result_id, b"rubbish")
    async with open_lab(mongodb_database=database_of(waiting)) as lab:
        lab.author = waiting.author
        view = await lab.ended(result_id)
    assert (view["status"], view["failed_runs_count"]) == ("failed", 2)
    assert all("cannot be read" in run["error_message"] for run in view["runs"].values())


async def test_when_the_lease_is_lost_the_result_is_claimed_anew(lab: Lab) -> None:
    crowd = held()
    async with agent(crowd.talk) as called:
        scenario = await lab.scenario(await lab.agent(called.url))
        result_id = await lab.start(scenario, freq=3, concurrency_limit=2)
        await crowd.until_calls(2)
        lose(lab.server)
        await crowd.until_calls(4)
        crowd.held.set()
        view = await lab.ended(result_id)
    assert sorted(run["attempt"] for run in view["runs"].values()) == [1, 2, 2]
    assert (view["success_rate"], (await lab.stored(result_id)).fence) == (100.0, 2)
    log = await log_of(lab.store, f"result_{result_id}")
    assert [row.name for row in log].count("result_started") == 2


async def test_who_has_lost_a_result_changes_nothing_more_of_it(lab: Lab) -> None:
    crowd = held()
    async with agent(crowd.talk) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)))
        await crowd.until_calls(1)
        taken = {"process": GHOST, "fence": 9}
        await lab.store.evaluator_results.change(result_id, when={"state": "running"}, update={"$set": taken})
        await crowd.until_calls(2)  # the old call is dropped, the ghost is dead: it is claimed anew
        crowd.held.set()
        view = await lab.ended(result_id)
    (run,) = view["runs"].values()
    assert (run["attempt"], run["success"], (await lab.stored(result_id)).fence) == (2, True, 10)


async def test_a_server_that_stops_gives_its_result_back(open_lab: OpenLab) -> None:
    crowd = held()
    async with agent(crowd.talk) as called:
        async with open_lab() as first:
            scenario = await first.scenario(await first.agent(called.url))
            result_id = await first.start(scenario, freq=4, concurrency_limit=2)
            await crowd.until_calls(2)
        crowd.held.set()
        async with open_lab(mongodb_database=database_of(first)) as second:
            second.author = first.author
            assert (await second.stored(result_id)).fence >= 2
            view = await second.ended(result_id)
    assert (view["status"], view["success_rate"]) == ("completed", 100.0)
    assert sorted(run["attempt"] for run in view["runs"].values()) == [1, 1, 2, 2]


async def test_a_call_of_a_dead_process_that_was_ended_is_not_made_again(
    waiting: Lab, open_lab: OpenLab
) -> None:
    crowd = Crowd()
    async with agent(crowd.talk) as called:
        scenario = await waiting.scenario(await waiting.agent(called.url))
        result_id = await waiting.start(scenario, freq=2)
        first, second = await waiting.runs(result_id)
        await leave(waiting.store, first.id, state="talking")
        await haunt(waiting.store, result_id)
        await waiting.evaluators.end_call(waiting.author, first.id)
        async with open_lab(mongodb_database=database_of(waiting)) as lab:
            await until_ended(lab, result_id)
            result = await lab.stored(result_id)
    assert dict(crowd.calls) == {str(second.id): 1}
    assert result.status == "cancelled"


async def test_who_comes_too_late_makes_no_runs_of_a_deleted_result(lab: Lab) -> None:
    async with agent(Crowd().talk) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)), freq=3)
        result = await lab.stored(result_id)
        packed = await lab.store.evaluator_results.setup(result_id, version=result.setup)
        assert packed is not None
        await lab.ended(result_id)
    await lab.evaluators.delete(lab.author, result_id)
    parts = lab.evaluators._parts
    await Ledger(parts.store, parts.outboxes).make(result, thawed(packed))
    assert await lab.evaluators.runs(lab.author) == (0, [])


async def test_an_end_that_a_dead_process_has_not_told_is_told_before_the_results(
    waiting: Lab, open_lab: OpenLab
) -> None:
    scenario = await waiting.scenario(await waiting.agent("ws://127.0.0.1:1/"))
    result_id = await waiting.start(scenario, freq=2)
    first, second = await waiting.runs(result_id)
    for run in (first, second):
        end = {"state": "ended", "status": "completed", "success": True, "judged": 1, "ended_at": utc_now()}
        event = run_ended(run.model_copy(update=end)).model_dump()
        # no sweeper takes it meanwhile
        untold = {"outbox": [event], "outbox_at": utc_now() + timedelta(hours=1)}
        await leave(waiting.store, run.id, talked=said("all said"), **end, **untold)
    await haunt(waiting.store, result_id)
    async with open_lab(mongodb_database=database_of(waiting)) as lab:
        await until_ended(lab, result_id)
        log = await log_of(waiting.store, f"result_{result_id}")
        async with asyncio.timeout(30):
            while log[-1].name != "result_ended":
                log = await log_of(waiting.store, f"result_{result_id}")
    assert [row.name for row in log] == ["result_started", "run_ended", "run_ended", "result_ended"]


async def test_ending_the_calls_of_a_result_that_waits_judges_nothing_meanwhile(
    waiting: Lab, open_lab: OpenLab
) -> None:
    scenario = await waiting.scenario(await waiting.agent("ws://127.0.0.1:1/"))
    result_id = await waiting.start(scenario, freq=3)
    talked = (await waiting.runs(result_id))[0]
    await leave(waiting.store, talked.id, state="judging", talked=said("said before"))
    await waiting.store.evaluator_results.change(result_id, when={}, update={"$set": {"fence": 1}})
    await waiting.evaluators.end_calls(waiting.author, result_id)
    assert [run.state for run in await waiting.runs(result_id)] == ["judging", "ended", "ended"]
    assert (await waiting.stored(result_id)).state == "queued"
    async with open_lab(mongodb_database=database_of(waiting)) as lab:
        await until_ended(lab, result_id)
        runs = await lab.runs(result_id)
    assert [run.status for run in runs] == ["completed", "cancelled", "cancelled"]
    assert runs[0].success


async def test_a_deletion_that_a_dead_process_has_begun_is_finished(lab: Lab) -> None:
    async with agent(Crowd().talk) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)), freq=2)
        await lab.ended(result_id)
    assert await lab.store.evaluator_results.hide(result_id, when={"state": "ended"})
    with pytest.raises(NotFound):
        await lab.evaluators.result(lab.author, result_id)
    assert await lab.evaluators.results(lab.author) == (0, [])
    async with asyncio.timeout(30):
        while await lab.store.evaluator_results.get(result_id) is not None:
            await lab.store.ping()
    assert await lab.evaluators.runs(lab.author) == (0, [])
    assert await lab.store.evaluator_results.setup(result_id, version=1) is None
