"""Figures of jobs: what passed, what it cost, and by permutation, language and test case."""

import tracemalloc
from itertools import permutations, product
from typing import Any

import pytest

from schemas.batch import BatchRequest, BatchResult, JobFigures, PartSummary, Verdict
from server.engine.batch.tally import MAX_PARTS, Tally

URL = "https://plugins.example/openapi.json"


def request(
    *, languages: tuple[str, ...] = (), cases: int = 2, permutations: int = 2, source: str = "English"
) -> BatchRequest:
    return BatchRequest.model_validate(
        {
            "name": "sweep",
            "config": {"auto_translate_to_languages": list(languages), "source_language": source},
            "test_plugin": {"manifest_url": URL},
            "plugin_groups": [{"name": "group", "plugins": [{"manifest_url": URL}]}],
            "permutations": [
                {
                    "name": f"p{number}",
                    "llm": {"provider": "OpenAI", "model_name": "m"},
                    "tool_selector": {
                        "provider": "OpenAI",
                        "pipeline_name": "default",
                        "plugin_group_name": "group",
                    },
                }
                for number in range(permutations)
            ],
            "test_cases": [
                {"name": f"c{number}", "type": "plugin_selector", "prompt": "Hello"}
                for number in range(cases)
            ],
        }
    )


def result(
    verdict: Verdict = "Passed",
    *,
    steps: str = "ab",
    permutation: str = "p0",
    case: str = "c0",
    language: str = "English",
    **values: Any,
) -> BatchResult:
    fields: dict[str, Any] = {
        "match_score": 1.0,
        "parameter_mapped_percentage": 0.0,
        "response_time_sec": 0.0,
        "total_llm_tokens_used": 0,
        "llm_api_cost": 0.0,
        "cached_calls": 0,
        **values,
    }
    return BatchResult(
        permutation_name=permutation,
        permutation_summary="OpenAI[m] - OpenAI[default]",
        test_type="api_signature_selector" if "c" in steps else "plugin_selector",
        test_case_name=case,
        is_run_completed=verdict != "Error",
        language=language,
        prompt="Hello",
        final_output=None,
        is_plugin_detected="a" in steps,
        is_plugin_operation_found="b" in steps,
        is_plugin_parameter_mapped="c" in steps,
        plugin_name=None,
        plugin_operation=None,
        plugin_parameters_mapped=None,
        job_id="0b0e7c1a-5c0a-4d7e-9a53-3f0f4c1f6a11",
        index=0,
        source_prompt="Hello",
        is_method_matched=False,
        detected=[],
        verdict=verdict,
        error=None,
        ignored=[],
        **fields,
    )


SIX = [
    result(steps="abc", response_time_sec=1.0, total_llm_tokens_used=100, llm_api_cost=0.0000012),
    result(steps="ab", case="c1", response_time_sec=2.0, total_llm_tokens_used=50, llm_api_cost=0.1),
    result(
        "Failed",
        steps="a",
        permutation="p1",
        match_score=0.3333,
        response_time_sec=0.5,
        total_llm_tokens_used=1,
        cached_calls=2,
    ),
    result("Error", steps="", permutation="p1", case="c1", match_score=0.0, response_time_sec=0.25),
    result(steps="ab", language="Spanish", response_time_sec=1.01, llm_api_cost=0.2),
    result("Failed", steps="", language="Spanish", case="c1", match_score=0.0, cached_calls=1),
]


def test_the_figures_of_a_job_are_those_worked_out_by_hand() -> None:
    tally = Tally(request(languages=("English", "Spanish")))
    for one in SIX:
        tally.add(one)
    assert tally.figures(12.3456) == JobFigures(
        total_test_cases=6,
        failed_cases=3,
        language="English, Spanish",
        overall_accuracy=50.0,
        accuracy_step_a=4,
        accuracy_step_b=3,
        accuracy_step_c=1,
        total_run_time=12.35,
        average_response_time_sec=0.9,  # 4.51 / 5: the run that failed does not count
        total_llm_tokens_used=151,
        average_llm_tokens_used=25.17,
        total_llm_api_cost=0.3000012,
        cached_calls=3,
        runs_with_parameters=1,
    )


def test_the_parts_of_a_job_are_those_worked_out_by_hand() -> None:
    tally = Tally(request(languages=("English", "Spanish")))
    for one in SIX:
        tally.add(one)
    assert tally.by_permutation()[1] == PartSummary(
        name="p1",
        total=2,
        passed=0,
        failed=1,
        errors=1,
        accuracy=0.0,
        accuracy_step_a=1,
        accuracy_step_b=0,
        accuracy_step_c=0,
        average_match_score=0.1666,  # 0.3333 / 2 = 0.16665, the nearest below in binary
        average_response_time_sec=0.5,  # of the one that was completed
        total_llm_tokens_used=1,
        total_llm_api_cost=0.0,
    )
    assert [(part.name, part.total, part.passed) for part in tally.by_permutation()] == [
        ("p0", 4, 3),
        ("p1", 2, 0),
    ]
    assert [(part.name, part.accuracy) for part in tally.by_language()] == [
        ("English", 50.0),
        ("Spanish", 50.0),
    ]
    cases = tally.by_test_case()
    assert isinstance(cases, list)
    assert [(part.name, part.total, part.accuracy, part.failed, part.errors) for part in cases] == [
        ("c0", 3, 66.67, 1, 0),
        ("c1", 3, 33.33, 1, 1),
    ]


def test_the_order_of_results_does_not_matter() -> None:
    def told(results: tuple[BatchResult, ...]) -> tuple[object, ...]:
        tally = Tally(request(languages=("English", "Spanish")))
        for one in results:
            tally.add(one)
        return tally.figures(1), tally.by_permutation(), tally.by_language(), tally.by_test_case()

    orders = [told(order) for order in permutations(SIX[:4])]
    assert orders == [orders[0]] * len(orders)


def test_a_job_without_results_has_zeros_for_all_its_parts() -> None:
    tally = Tally(request())
    figures = tally.figures(0.0)
    assert (figures.total_test_cases, figures.failed_cases, figures.overall_accuracy) == (0, 0, 0.0)
    assert (figures.average_response_time_sec, figures.average_llm_tokens_used) == (0.0, 0.0)
    cases = tally.by_test_case()
    assert isinstance(cases, list)
    parts = [*tally.by_permutation(), *tally.by_language(), *cases]
    assert [part.name for part in parts] == ["p0", "p1", "English", "c0", "c1"]
    assert {(part.total, part.accuracy, part.average_match_score) for part in parts} == {(0, 0.0, 0.0)}


def test_prompts_as_they_are_written_have_the_source_language() -> None:
    tally = Tally(request(source="German"))
    tally.add(result(language="German"))
    assert tally.figures(1).language == "German"
    assert [(part.name, part.total) for part in tally.by_language()] == [("German", 1)]


def test_a_language_that_is_listed_twice_is_one() -> None:
    tally = Tally(request(languages=("Spanish", "English", "Spanish")))
    assert [part.name for part in tally.by_language()] == ["Spanish", "English"]


@pytest.mark.parametrize(("passed", "accuracy"), [(0, 0.0), (1, 33.33), (2, 66.67), (3, 100.0)])
def test_accuracy_is_the_percentage_of_passed_runs(passed: int, accuracy: float) -> None:
    tally = Tally(request())
    for number in range(3):
        tally.add(result("Passed" if number < passed else "Failed"))
    assert tally.figures(1).overall_accuracy == accuracy
    assert tally.figures(1).failed_cases == 3 - passed


def test_cases_of_one_name_are_counted_together() -> None:
    whole = request(cases=1)
    twice = whole.model_copy(update={"test_cases": whole.test_cases * 2})
    tally = Tally(twice)
    tally.add(result())
    tally.add(result("Failed"))
    cases = tally.by_test_case()
    assert isinstance(cases, list)
    assert [(part.name, part.total, part.accuracy) for part in cases] == [("c0", 2, 50.0)]


@pytest.mark.parametrize(("cases", "told"), [(MAX_PARTS, "list"), (MAX_PARTS + 1, "int")])
def test_of_too_many_cases_only_the_number_is_told(cases: int, told: str) -> None:
    tally = Tally(request(cases=cases))
    tally.add(result(case="c7"))
    by_case = tally.by_test_case()
    assert type(by_case).__name__ == told
    assert (by_case if isinstance(by_case, int) else len(by_case)) == cases
    assert tally.figures(1).total_test_cases == 1


def test_counting_does_not_hold_results() -> None:
    tally = Tally(request(languages=("English", "Spanish")))
    runs = list(product(("p0", "p1"), ("c0", "c1"), ("English", "Spanish")))
    tracemalloc.start()
    for number in range(2_000):
        permutation, case, language = runs[number % len(runs)]
        tally.add(result(permutation=permutation, case=case, language=language))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tally.figures(1).total_test_cases == 2_000
    assert held < 100_000
