"""Results with very many runs, or very much that was said: they are read without holding up others."""

import asyncio
import gc
import time
from contextlib import suppress

from schemas.envelope import utc_now
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, RunPlan
from schemas.stored import Owner
from server.engine.evaluator.reading import MAX_WHOLE_BYTES
from server.store import Store
from tests.evaluator.agents import agent, patient
from tests.evaluator.lab import Lab

MANY = 2_000


async def test_of_very_much_that_was_said_the_runs_are_shown_without_it(lab: Lab) -> None:
    async with agent(patient) as called:
        result_id = await lab.start(await lab.scenario(await lab.agent(called.url)), freq=2)
        view = await lab.ended(result_id)
    first, second = await lab.runs(result_id)
    assert first.talked is not None
    assert first.judgement is not None
    said, thought = first.talked.model_dump_json(), first.judgement.model_dump_json()
    assert first.size == len(said.encode()) + len(thought.encode())
    assert not view["transcripts_left_out"]
    sized = {"$set": {"size": MAX_WHOLE_BYTES - second.size}}
    await lab.store.evaluator_runs.change(first.id, when={}, update=sized)
    assert not (await lab.evaluators.result(lab.author, result_id))["transcripts_left_out"]
    sized = {"$set": {"size": MAX_WHOLE_BYTES - second.size + 1}}
    await lab.store.evaluator_runs.change(first.id, when={}, update=sized)
    view = await lab.evaluators.result(lab.author, result_id)
    assert view["transcripts_left_out"]
    assert ["transcript" in run for run in view["runs"].values()] == [False, False]
    _, listed = await lab.evaluators.runs(lab.author, result=result_id)
    assert [(run["id"], run["transcripts_left_out"]) for run in listed] == [
        (second.id, True),
        (first.id, True),
    ]
    _, listed = await lab.evaluators.runs(lab.author, ids=[second.id])
    assert [item["content"] for item in listed[0]["transcript_object"]] == ["Hello", "Yes?", "Bye"]


async def test_others_get_their_turn_while_many_runs_are_read(lab: Lab) -> None:
    result_id = await store_many(lab.store, lab.author.id)
    bursts: list[float] = []
    watch = asyncio.create_task(measure(bursts))
    await asyncio.sleep(0)
    gc.disable()  # a look through all that other tests left in memory is not what is measured
    try:
        view = await lab.evaluators.result(lab.author, result_id)
    finally:
        gc.enable()
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    assert list(view["runs"]) == [str(number) for number in range(1, MANY + 1)]
    assert max(bursts) < sum(bursts) / 5


async def measure(bursts: list[float]) -> None:
    """Note how long this thread computes between two turns of this task."""
    before = time.thread_time()
    while True:
        await asyncio.sleep(0)
        now = time.thread_time()
        bursts.append(now - before)
        before = now


async def store_many(store: Store, owner: str) -> int:
    """Store a result that has ended, with many runs."""
    now, plans = utc_now(), [RunPlan(scenario=3)] * MANY
    result = EvaluatorResult(
        id=1,
        org="default",
        owner=Owner(kind="profile", id=owner),
        name="many",
        agent=7,
        run_as_text=True,
        first_run=1,
        plans=plans,
        state="ended",
        status="completed",
        created_at=now,
    )
    assert await store.evaluator_results.create(result, [])
    runs = [
        EvaluatorRun(
            id=n,
            org="default",
            result=1,
            agent=7,
            plan=plan,
            state="ended",
            status="completed",
            created_at=now,
        )
        for n, plan in enumerate(plans, 1)
    ]
    await store.evaluator_runs.make(runs)
    return result.id
