"""The model calls of a job over HTTP: each once, at the endpoint's pace, tried again where it helps."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.content import ToolCall
from server.engine.batch.calls import Calls, Spent, key_of, size_of
from server.errors import RateLimited, Upstream
from server.llm.completions import Completion, CompletionAsk, Completions, Sampling
from server.llm.scripted import ScriptedModel

Model = tuple[ScriptedModel, str]
FAILS: dict[str, Any] = {"status": 500}


def ask(text: str = "hello", **changes: Any) -> CompletionAsk:
    said = CompletionAsk(provider="OpenAI", model="gpt-4o", messages=[{"role": "user", "content": text}])
    return replace(said, **changes)


@pytest.fixture
async def completions(model: Model) -> AsyncIterator[Completions]:
    """Ask the scripted model."""
    made = Completions(base_url=model[1], api_key=SecretStr("of-server"), model="scripted", timeout=10)
    yield made
    await made.aclose()


def calls(completions: Completions, **options: Any) -> Calls:
    return Calls(completions, **{"concurrency": 4, "backoff": 0.01} | options)


async def test_equal_calls_are_made_once(model: Model, completions: Completions) -> None:
    job = calls(completions)
    answers = await asyncio.gather(*[job.complete(ask()) for _ in range(10)])
    answers.append(await job.complete(ask()))
    assert [answer.cached for answer in answers] == [False] + [True] * 10
    assert len(model[0].requests) == 1


async def test_calls_that_differ_in_anything_are_made_each(model: Model, completions: Completions) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    asks = [
        ask(),
        ask("hello!"),
        ask(model="gpt-4o-mini"),
        ask(provider="OpenAIChat"),
        ask(tools=[tool]),
        ask(stop=("end",)),
        ask(sampling=Sampling(temperature=0)),
        ask(sampling=Sampling(temperature=0.1)),
        ask(sampling=Sampling(n=1)),
    ]
    job = calls(completions)
    answers = [await job.complete(each) for each in asks * 2]
    assert [answer.cached for answer in answers] == [False] * len(asks) + [True] * len(asks)
    assert len(model[0].requests) == len(asks)
    assert len({key_of(each) for each in asks}) == len(asks)


async def test_without_a_cache_every_call_is_made(model: Model, completions: Completions) -> None:
    job = calls(completions, cache=False)
    answers = await asyncio.gather(*[job.complete(ask()) for _ in range(5)])
    assert not any(answer.cached for answer in answers)
    assert len(model[0].requests) == 5


async def test_never_more_calls_than_allowed_are_under_way(model: Model, completions: Completions) -> None:
    model[0].script([{"hang": True}])
    job = calls(completions, concurrency=3)
    tasks = [asyncio.create_task(job.complete(ask(str(number)))) for number in range(8)]
    running = await model[0].until("running", 3)
    assert [seen.messages[0]["content"] for seen in running] == ["0", "1", "2"]
    tasks[1].cancel()
    await model[0].until("closed_by_client", 1)
    await model[0].until("running", 3)
    assert len(model[0].requests) == 4
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_failure_that_may_pass_is_tried_again(model: Model, completions: Completions) -> None:
    model[0].script([FAILS | {"times": 2}, {"reply": "there"}])
    answer = await calls(completions).complete(ask())
    assert answer.completion.text == "there"
    assert len(model[0].requests) == 3


@pytest.mark.parametrize(("retries", "made"), [(0, 1), (1, 2), (None, 3), (5, 6)])
async def test_tries_are_counted(
    model: Model, completions: Completions, retries: int | None, made: int
) -> None:
    model[0].script([FAILS])
    job = calls(completions)
    with pytest.raises(Upstream):
        await job.complete(ask(), max_retries=retries)
    assert len(model[0].requests) == made
    model[0].script([{"reply": "there"}])
    assert (await job.complete(ask())).completion.text == "there"


async def test_a_refusal_for_good_is_not_tried_again(model: Model, completions: Completions) -> None:
    model[0].script([{"status": 401}])
    with pytest.raises(Upstream):
        await calls(completions).complete(ask())
    assert len(model[0].requests) == 1


async def test_another_goes_on_when_who_asked_first_is_cancelled(
    model: Model, completions: Completions
) -> None:
    model[0].script([{"hang": True, "times": 1}, {"reply": "there"}])
    job = calls(completions)
    leader = asyncio.create_task(job.complete(ask()))
    await model[0].until("running")
    others = [asyncio.create_task(job.complete(ask())) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    answers = await asyncio.gather(*others)
    assert [answer.completion.text for answer in answers] == ["there"] * 3
    assert sum(not answer.cached for answer in answers) == 1
    assert len(model[0].requests) == 2


async def test_a_storm_of_refusals_costs_no_tries_and_time_is_kept(
    model: Model, completions: Completions
) -> None:
    refused = {"status": 429, "retry_after": 0.2, "times": 8}
    model[0].script([refused, {"reply": "there"}])
    job = calls(completions, concurrency=8)
    started = time.monotonic()
    tasks = [job.complete(ask(str(number)), max_retries=0) for number in range(20)]
    answers = await asyncio.gather(*tasks)
    assert [answer.completion.text for answer in answers] == ["there"] * 20
    seen = model[0].requests
    assert len(seen) == 28
    assert seen[8].at - started >= 0.2
    assert seen[8].at - seen[7].at > 0.1
    again = [request.messages[0]["content"] for request in seen[8:12]]
    assert again == ["0", "1", "2", "3"]  # the oldest first, half as many at once


async def test_an_endpoint_that_only_refuses_ends_the_call(model: Model, completions: Completions) -> None:
    model[0].script([{"status": 429, "retry_after": 0.001}])
    job = calls(completions, concurrency=1, refusals=4)
    with pytest.raises(RateLimited):
        await job.complete(ask())
    assert len(model[0].requests) == 4


async def test_a_run_counts_what_it_used(model: Model, completions: Completions) -> None:
    model[0].script([{"reply": "there", "usage": {"prompt_tokens": 900, "completion_tokens": 100}}])
    job, spent = calls(completions), Spent()
    for _ in range(3):
        spent.add(await job.complete(ask(sampling=Sampling(best_of=3))))
    assert (spent.tokens, spent.cached_calls, list(spent.ignored)) == (3_000, 2, ["best_of"])
    assert spent.cost == pytest.approx(3 * (900 * 2.5 + 100 * 10) / 1_000_000)


async def test_waiting_for_a_turn_is_told_to_each_who_waited(model: Model, completions: Completions) -> None:
    model[0].script([{"match": {"last_contains": "bad"}, "status": 401}, {"first_delay_ms": 300}])
    job = calls(completions, concurrency=1)
    kept = {name: Spent() for name in ("first", "second", "shared", "bad", "late")}

    async def waited(text: str, who: str) -> None:
        with suppress(Upstream):
            await job.complete(ask(text), spent=kept[who])

    first = asyncio.create_task(waited("one", "first"))
    await model[0].until("running")
    rest = [waited("two", "second"), waited("two", "shared"), waited("bad", "bad")]
    started = time.perf_counter()
    await asyncio.gather(first, *rest)
    took = time.perf_counter() - started
    await waited("two", "late")
    assert kept["first"].waited < 0.05
    assert kept["second"].waited == pytest.approx(kept["shared"].waited, abs=0.05)
    assert 0 < kept["second"].waited <= took - 0.3  # its own call takes that long
    assert kept["second"].waited + 0.3 <= kept["bad"].waited <= took
    assert kept["late"].waited == 0


async def test_pauses_that_an_endpoint_asks_for_are_waiting(model: Model, completions: Completions) -> None:
    model[0].script([{"status": 429, "retry_after": 0.3, "times": 1}, {"reply": "there"}])
    spent = Spent()
    started = time.perf_counter()
    await calls(completions).complete(ask(), spent=spent)
    assert 0.25 < spent.waited < time.perf_counter() - started


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_size_of_an_answer_is_what_it_takes(count: int) -> None:
    def answer(number: int) -> Completion:
        arguments = f'{{"number": {number}}}'
        made = [ToolCall(id=f"{number}_{i}", name=f"do_{number}", arguments=arguments) for i in range(count)]
        return Completion(
            model="gpt-4o",
            text="x" * 100 + str(number),
            calls=tuple(made),
            prompt_tokens=number + 1_000,
            completion_tokens=number + 2_000,
            cost=number / 3,
            finish_reason="stop",
        )

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        answers = [answer(number) for number in range(1_000)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken / 1.5 < sum(map(size_of, answers)) < taken * 1.5
