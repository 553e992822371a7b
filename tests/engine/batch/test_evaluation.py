"""Runs of a job through the real parts: what they come to, whatever goes wrong."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.batch import BatchResult
from server.engine.batch.sealing import Keys
from server.llm.scripted import ScriptedModel
from tests.engine.batch.evaluating import (
    FUNCTION,
    KLARNA,
    PRODUCTS,
    Bench,
    bench,
    case,
    job,
    permutation,
)

SIGNATURE = {"type": "api_signature_selector", "expected_parameters": {"q": "T shirt", "size": 5}}
USAGE = {"prompt_tokens": 900, "completion_tokens": 100}
COST = (900 * 2.5 + 100 * 10) / 1_000_000


def calls(**arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": FUNCTION, "arguments": arguments}], "usage": USAGE}


@pytest.fixture
async def parts(model: tuple[ScriptedModel, str], mongod_url: str) -> AsyncIterator[Bench]:
    """Put together what evaluates jobs."""
    async with bench(model, mongod_url) as made:
        yield made


async def test_a_run_is_told_whole(parts: Bench) -> None:
    parts.model.script([calls(q="T shirt", size=5)])
    request = job(permutations=[permutation(best_of=2)], test_cases=[case(), case("test2", **SIGNATURE)])
    result = await parts.evaluation(request).run(1)
    assert 0 <= result.response_time_sec < 5
    assert result.model_dump() == {
        "permutation_name": "one",
        "permutation_summary": "OpenAIChat[gpt-4o] - OpenAI[default]",
        "test_type": "api_signature_selector",
        "test_case_name": "test2",
        "is_run_completed": True,
        "language": "English",
        "prompt": "Show me 5 T shirts from Klarna",
        "final_output": None,
        "match_score": 1.0,
        "is_plugin_detected": True,
        "is_plugin_operation_found": True,
        "is_plugin_parameter_mapped": True,
        "plugin_name": "Klarna Shopping",
        "plugin_operation": PRODUCTS,
        "plugin_parameters_mapped": {"q": "T shirt", "size": 5},
        "parameter_mapped_percentage": 100.0,
        "response_time_sec": result.response_time_sec,
        "total_llm_tokens_used": 1_000,
        "llm_api_cost": pytest.approx(COST),
        "job_id": parts.job_id,
        "index": -1,
        "source_prompt": "Show me 5 T shirts from Klarna",
        "is_method_matched": True,
        "detected": [
            {
                "plugin_name": "Klarna Shopping",
                "plugin_operation": PRODUCTS,
                "method": "get",
                "parameters": {"q": "T shirt", "size": 5},
            }
        ],
        "verdict": "Passed",
        "error": None,
        "ignored": ["best_of"],
        "cached_calls": 0,
        "answered_by": "gpt-4o",
    }


async def test_a_number_names_permutation_case_and_language(parts: Bench) -> None:
    parts.model.script([{"reply": "Muestra 5"}])
    request = job(
        "English",
        "Spanish",
        permutations=[permutation("one"), permutation("two", model_name="gpt-4.1")],
        test_cases=[case("a"), case("b", prompt="Show 5"), case("c", prompt="5 shows")],
    )
    evaluation = parts.evaluation(request)
    found = [await evaluation.run(number) for number in range(12)]
    languages = ("English", "Spanish")
    expected = list(product(("one", "two"), "abc", languages))
    assert [(r.permutation_name, r.test_case_name, r.language) for r in found] == expected
    assert found[8].prompt == "Show 5"
    assert (found[9].prompt, found[9].source_prompt) == ("Muestra 5", "Show 5")


async def test_runs_that_ask_the_same_share_the_answer(parts: Bench) -> None:
    parts.model.script([calls(q="T shirt")])
    request = job(test_cases=[case(str(number)) for number in range(20)])
    evaluation = parts.evaluation(request)
    results = await asyncio.gather(*[evaluation.run(number) for number in range(20)])
    assert len(parts.model.requests) == 1
    assert sorted(result.cached_calls for result in results) == [0] + [1] * 19
    assert {result.total_llm_tokens_used for result in results} == {1_000}


async def test_without_the_cache_every_run_asks(parts: Bench) -> None:
    request = job(config={"cache": False}, test_cases=[case("a"), case("b")])
    evaluation = parts.evaluation(request)
    results = [await evaluation.run(number) for number in range(2)]
    assert [result.cached_calls for result in results] == [0, 0]
    assert len(parts.model.requests) == 2


async def test_a_case_may_have_its_own_group_and_plugin(parts: Bench) -> None:
    parts.model.script([calls(q="T shirt")])
    own = {"plugin_group_name": "broken", "test_plugin": {"manifest_url": "https://other.example/m.json"}}
    request = job(test_cases=[case(), case("own", **own), case("other", test_plugin=own["test_plugin"])])
    evaluation = parts.evaluation(request)
    first, broken, other = [await evaluation.run(number) for number in range(3)]
    assert (first.verdict, other.verdict) == ("Passed", "Passed")
    assert failure(broken) == "not_found"
    assert broken.error is not None
    assert "nowhere.example" in broken.error.message


def failure(result: BatchResult) -> str:
    """Check that a run failed as runs fail, and return the code."""
    assert result.error is not None
    assert (result.is_run_completed, result.final_output, result.verdict) == (False, "FAILED", "Error")
    steps = (result.is_plugin_detected, result.is_plugin_operation_found, result.is_method_matched)
    assert (*steps, result.is_plugin_parameter_mapped) == (False,) * 4
    assert (result.match_score, result.parameter_mapped_percentage) == (0.0, 0.0)
    assert (result.plugin_name, result.plugin_operation, result.plugin_parameters_mapped) == (None,) * 3
    assert result.detected == []
    return result.error.code


async def test_a_model_that_fails_fails_the_run_only(parts: Bench) -> None:
    parts.model.script([{"match": {"last_contains": "no answer"}, "status": 500}, calls(q="T shirt")])
    request = job(test_cases=[case(), case("fails", prompt="no answer"), case("after")])
    evaluation = parts.evaluation(request)
    results = [await evaluation.run(number) for number in range(3)]
    assert [result.verdict for result in results] == ["Passed", "Error", "Passed"]
    assert failure(results[1]) == "upstream"
    assert (results[1].prompt, results[1].total_llm_tokens_used) == ("no answer", 0)


async def test_a_group_with_a_bad_manifest_fails_its_runs(parts: Bench) -> None:
    parts.model.script([calls(q="T shirt")])
    bad = permutation("bad", selector={"plugin_group_name": "broken"})
    evaluation = parts.evaluation(job(permutations=[bad, permutation("good")]))
    results = [await evaluation.run(number) for number in (0, 1, 0)]
    assert [result.verdict for result in results] == ["Error", "Passed", "Error"]
    assert failure(results[0]) == "not_found"
    assert results[0].error == results[2].error


async def test_a_mistake_of_ours_is_a_result_too(parts: Bench) -> None:
    request = job(permutations=[permutation(selector={"pipeline_name": "of another version"})])
    assert failure(await parts.evaluation(request).run(0)) == "internal"


async def test_cancelling_passes_and_leaves_nothing_behind(parts: Bench) -> None:
    parts.model.script([{"hang": True, "times": 1}, calls(q="T shirt")])
    evaluation = parts.evaluation(job())
    run = asyncio.create_task(evaluation.run(0))
    await parts.model.until("running")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await parts.model.until("closed_by_client")
    assert (await evaluation.run(0)).verdict == "Passed"


async def test_a_key_that_no_model_can_be_sent_fails_the_run(parts: Bench) -> None:
    keys = Keys(openai_api_key=SecretStr("sk-\nx"))
    assert failure(await parts.evaluation(job(), keys).run(0)) == "upstream"
    assert parts.model.requests == []


REACT = {"provider": "Langchain", "pipeline_name": "zero-shot-react-description"}
WANTED = f"Thought: I look.\nAction: requests_get\nAction Input: {PRODUCTS}?q=shirt"
STEPS: list[dict[str, Any]] = [{"reply": WANTED, "times": 1}, {"reply": "Thought: done\nFinal Answer: none"}]


async def api_call(parts: Bench, *, allowed: bool) -> str:
    """Have a model call the API of a plugin, and return what it is told."""
    parts.model.script(STEPS)
    request = job(config={"allow_api_calls": allowed}, permutations=[permutation(selector=REACT)])
    result = await parts.evaluation(request).run(0)
    assert (result.is_run_completed, result.is_plugin_operation_found) == (True, True)
    return str(parts.asked()[1][-1]["content"])


async def test_a_model_reads_what_an_api_answers(
    model: tuple[ScriptedModel, str], mongod_url: str, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    await asyncio.to_thread(copytree, KLARNA / "mirror", mirror)
    (mirror / PRODUCTS.removeprefix("https://")).write_text('{"products": []}')
    async with bench(model, mongod_url, mirror=mirror) as parts:
        assert '{"products": []}' in await api_call(parts, allowed=True)


async def test_a_model_reads_that_an_api_cannot_be_reached(parts: Bench) -> None:
    assert "www.klarna.com" in await api_call(parts, allowed=True)


async def test_api_calls_are_not_made_unless_allowed(parts: Bench) -> None:
    assert "www.klarna.com" not in await api_call(parts, allowed=False)


async def test_a_translation_costs_the_run_that_made_it(parts: Bench) -> None:
    translation = {"match": {"system_contains": "translator"}, "reply": "Muéstrame 5", "usage": USAGE}
    parts.model.script([translation, calls(q="T shirt")])
    request = job("Spanish", test_cases=[case("a"), case("b")])
    evaluation = parts.evaluation(request)
    results = [await evaluation.run(number) for number in range(2)]
    assert [result.total_llm_tokens_used for result in results] == [2_000, 1_000]
    assert [result.llm_api_cost for result in results] == pytest.approx([2 * COST, COST])
    assert [result.cached_calls for result in results] == [0, 1]
    assert {result.prompt for result in results} == {"Muéstrame 5"}


@pytest.mark.parametrize("status", [None, 401])
async def test_a_run_takes_no_time_while_others_have_their_turn(parts: Bench, status: int | None) -> None:
    slow: dict[str, Any] = {"first_delay_ms": 200, "status": status}
    parts.model.script([slow if status else slow | calls(q="T shirt")])
    cases = [case(str(number), prompt=f"{number}") for number in range(4)]
    evaluation = parts.evaluation(job(config={"concurrency": 1}, test_cases=cases))
    started = time.perf_counter()
    results = await asyncio.gather(*[evaluation.run(number) for number in range(4)])
    took = time.perf_counter() - started
    seconds = [result.response_time_sec for result in results]
    assert min(seconds) >= 0.19
    assert sum(seconds) <= took + 0.05  # one after the other; with the waiting it is more than twice that


async def test_a_translation_that_fails_fails_the_run(parts: Bench) -> None:
    parts.model.script([{"reply": "Muéstrame camisetas", "usage": USAGE}])
    result = await parts.evaluation(job("Spanish")).run(0)
    assert failure(result) == "upstream"
    assert result.prompt == result.source_prompt == case()["prompt"]
    assert (result.language, result.response_time_sec) == ("Spanish", 0.0)
    assert result.total_llm_tokens_used == 2_000


async def test_a_model_that_chooses_nothing_is_quoted(parts: Bench) -> None:
    parts.model.script([{"reply": "There is nothing to buy."}])
    result = await parts.evaluation(job()).run(0)
    assert (result.final_output, result.verdict) == ("There is nothing to buy.", "Failed")


async def test_the_result_names_the_model_that_answered(
    model: tuple[ScriptedModel, str], mongod_url: str
) -> None:
    async with bench(model, mongod_url, small=True) as parts:
        parts.model.script([{"reply": "Action: None"}])
        chosen = permutation(selector={"provider": "Imprompt"})
        evaluation = parts.evaluation(job(permutations=[chosen, permutation("tools")]))
        answered, refused = [await evaluation.run(number) for number in range(2)]
    assert answered.permutation_summary.startswith("OpenAIChat[gpt-4o]")
    assert answered.answered_by == "smollm2"
    assert (refused.verdict, refused.answered_by) == ("Error", None)


async def test_a_translation_that_fails_names_the_model_that_was_asked(
    model: tuple[ScriptedModel, str], mongod_url: str
) -> None:
    async with bench(model, mongod_url, small=True) as parts:
        parts.model.script([{"reply": "Muéstrame camisetas"}])
        result = await parts.evaluation(job("Spanish")).run(0)
    assert result.error is not None
    assert "The model smollm2 did not translate" in result.error.message
    assert result.answered_by is None


async def test_the_embedded_model_is_asked_one_at_a_time(
    model: tuple[ScriptedModel, str], mongod_url: str
) -> None:
    async with bench(model, mongod_url, small=True) as parts:
        parts.model.script([{"hang": True}])
        chosen = permutation(selector={"provider": "Imprompt"})
        request = job(
            permutations=[chosen], test_cases=[case(str(number), prompt=f"{number}") for number in range(3)]
        )
        evaluation = parts.evaluation(request)
        runs = [asyncio.create_task(evaluation.run(number)) for number in range(3)]
        await parts.model.until("running")
        runs[0].cancel()
        await parts.model.until("closed_by_client")
        await parts.model.until("running")
        assert len(parts.model.requests) == 2
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


def test_each_number_is_a_run_of_its_own() -> None:
    permutations = [permutation("a"), permutation("b")]
    request = job("French", "Welsh", "French", permutations=permutations, test_cases=[case()] * 3)
    runs = [request.run_at(number) for number in range(request.total_runs)]
    assert runs == [(p, c, n) for p in range(2) for c in range(3) for n in range(2)]
