"""Runs are scored by what their case asks for, and by nothing else."""

from typing import Any, cast

import pytest

from schemas.batch import DetectedOperation, TestCase
from server.engine.batch.scoring import Score, score
from server.engine.batch.selectors.selection import Detected
from tests.engine.batch.plugin_cases import KLARNA, KLARNA_URL, PETS, PRODUCTS, called, selected

PLUGIN_CASE: dict[str, Any] = {  # the first case of the documented job
    "name": "test1",
    "type": "plugin_selector",
    "prompt": "Show me 5 T shirts from Klarna",
    "expected_plugin_used": KLARNA_URL,
    "expected_api_used": PRODUCTS,
    "expected_method": "get",
}
SIGNATURE_CASE: dict[str, Any] = {  # its second
    **PLUGIN_CASE,
    "name": "test2",
    "type": "api_signature_selector",
    "expected_parameters": {"q": "T shirt", "size": 5},
}
RIGHT: dict[str, Any] = {"q": "T shirt", "size": 5}
PETS_CASE: dict[str, Any] = {
    "name": "pets",
    "type": "plugin_selector",
    "prompt": "Show me pets",
    "expected_plugin_used": "pets",
}
NOTHING: dict[str, Any] = {"name": "none", "type": "plugin_selector", "prompt": "Hello"}


def scored(case: dict[str, Any], *calls: Detected, under_test: str = KLARNA_URL, **changes: object) -> Score:
    return score(
        TestCase.model_validate({**case, **changes}),
        test_plugin_url=under_test,
        selected=selected(*calls),
        match="exact",
    )


def steps(result: Score) -> tuple[bool, bool, bool, bool]:
    return (
        result.is_plugin_detected,
        result.is_plugin_operation_found,
        result.is_method_matched,
        result.is_plugin_parameter_mapped,
    )


def test_the_right_call_passes_the_documented_plugin_case_with_its_documented_values() -> None:
    assert scored(PLUGIN_CASE, called(KLARNA, **RIGHT)) == Score(
        is_plugin_detected=True,
        is_plugin_operation_found=True,
        is_method_matched=True,
        is_plugin_parameter_mapped=False,
        match_score=1.0,
        plugin_name="Klarna Shopping",
        plugin_operation=PRODUCTS,
        plugin_parameters_mapped=None,
        parameter_mapped_percentage=0.0,
        detected=[
            DetectedOperation(
                plugin_name="Klarna Shopping", plugin_operation=PRODUCTS, method="get", parameters=RIGHT
            )
        ],
        verdict="Passed",
    )


def test_the_right_call_passes_the_documented_signature_case() -> None:
    result = scored(SIGNATURE_CASE, called(KLARNA, **RIGHT))
    assert steps(result) == (True, True, True, True)
    assert (result.match_score, result.verdict) == (1.0, "Passed")
    assert result.plugin_parameters_mapped == RIGHT
    assert result.parameter_mapped_percentage == 100.0


@pytest.mark.parametrize(
    ("parameters", "percentage", "match_score"),
    [
        ({"q": "T shirt", "size": "5", "max_price": 9}, 100, 1.0),
        ({"q": "T shirts", "size": 5}, 50, 0.875),
        ({"q": "trousers"}, 0, 0.75),
        ({}, 0, 0.75),
    ],
)
def test_wrong_parameters_fail_a_signature_case_and_cost_their_part(
    parameters: dict[str, Any], percentage: float, match_score: float
) -> None:
    result = scored(SIGNATURE_CASE, called(KLARNA, **parameters))
    assert steps(result)[:3] == (True, True, True)
    assert result.parameter_mapped_percentage == percentage
    assert result.match_score == match_score
    assert result.verdict == ("Passed" if percentage == 100 else "Failed")
    assert result.plugin_parameters_mapped == parameters
    assert scored(PLUGIN_CASE, called(KLARNA, **parameters)).verdict == "Passed"


@pytest.mark.parametrize(
    ("changes", "match_score"),
    [
        ({"expected_parameters": None, "expected_method": None}, 0.8333),  # (1 + 1 + 0.5) / 3
        ({"expected_api_used": None, "expected_method": None}, 0.75),  # (1 + 0.5) / 2
        ({"expected_method": "post"}, 0.625),  # (1 + 1 + 0 + 0.5) / 4
        ({"expected_api_used": "/other", "expected_method": "get"}, 0.25),  # (1 + 0 + 0 + 0) / 4
    ],
)
def test_the_score_is_the_mean_of_what_is_asked(changes: dict[str, object], match_score: float) -> None:
    half = {"expected_parameters": {"q": "T shirt", "size": 6}}
    case = {**SIGNATURE_CASE, **changes, **half}
    assert scored(case, called(KLARNA, **RIGHT)).match_score == match_score


@pytest.mark.parametrize("parameters", [None, {}])
def test_no_expected_parameters_are_mapped_once_the_operation_is_found(parameters: object) -> None:
    result = scored(SIGNATURE_CASE, called(KLARNA, q="x"), expected_parameters=parameters)
    assert (result.parameter_mapped_percentage, result.verdict) == (100.0, "Passed")
    result = scored(SIGNATURE_CASE, expected_parameters=parameters)
    assert (result.parameter_mapped_percentage, result.match_score, result.verdict) == (0.0, 0.0, "Failed")


@pytest.mark.parametrize("case", [PLUGIN_CASE, SIGNATURE_CASE])
def test_no_call_fails_where_one_is_expected(case: dict[str, Any]) -> None:
    result = scored(case)
    assert steps(result) == (False, False, False, False)
    assert (result.match_score, result.verdict) == (0.0, "Failed")
    assert (result.plugin_name, result.plugin_operation, result.plugin_parameters_mapped) == (
        None,
        None,
        None,
    )
    assert result.detected == []


def test_the_call_of_another_plugin_is_told_but_worth_nothing() -> None:
    result = scored(SIGNATURE_CASE, called(PETS, **RIGHT))
    assert steps(result) == (False, False, False, False)
    assert (result.plugin_name, result.plugin_operation, result.plugin_parameters_mapped) == (
        None,
        None,
        None,
    )
    assert [call.plugin_name for call in result.detected] == ["Pets"]


def test_a_call_of_something_that_does_not_exist_is_told_by_what_the_model_named() -> None:
    unknown = Detected(plugin=None, operation=None, target="get_weather", parameters={"city": "Rome"})
    result = scored(PLUGIN_CASE, unknown)
    assert steps(result) == (False, False, False, False)
    assert result.detected == [
        DetectedOperation(
            plugin_name=None, plugin_operation="get_weather", method=None, parameters={"city": "Rome"}
        )
    ]


def test_a_plugin_without_one_of_its_operations_is_detected_only() -> None:
    lost = Detected(plugin=KLARNA, operation=None, target="https://www.klarna.com/buy", method="POST")
    result = scored(PLUGIN_CASE, lost)
    assert steps(result) == (True, False, False, False)
    assert (result.plugin_name, result.plugin_operation) == ("Klarna Shopping", None)
    assert (result.match_score, result.verdict) == (0.3333, "Failed")
    assert result.detected[0].plugin_operation == "https://www.klarna.com/buy"
    assert result.detected[0].method == "post"


def test_any_call_may_be_the_expected_one_and_the_last_of_the_plugin_is_shown() -> None:
    pets = {**PETS_CASE, "expected_api_used": "/pets/mine", "type": "api_signature_selector"}
    result = scored(pets, called(PETS, 3), called(PETS, 0, tag="dog"), called(KLARNA, q="bone"))
    assert steps(result) == (True, True, True, True)
    assert result.plugin_operation == "https://api.example/v1/pets"
    assert result.plugin_parameters_mapped == {"tag": "dog"}
    assert [call.plugin_name for call in result.detected] == ["Pets", "Pets", "Klarna Shopping"]


def test_parameters_are_those_of_the_last_call_of_the_expected_operation() -> None:
    right, wrong = called(KLARNA, **RIGHT), called(KLARNA, q="trousers", size=5)
    assert scored(SIGNATURE_CASE, wrong, right).parameter_mapped_percentage == 100
    assert scored(SIGNATURE_CASE, right, wrong).parameter_mapped_percentage == 50


def test_parameters_of_another_operation_are_worth_nothing() -> None:
    result = scored(
        PETS_CASE,
        called(PETS, 0, tag="dog"),
        type="api_signature_selector",
        expected_api_used="/pets/mine",
        expected_parameters={"tag": "dog"},
    )
    assert steps(result) == (True, False, False, False)
    assert (result.parameter_mapped_percentage, result.match_score) == (0.0, 0.3333)


def test_the_call_with_the_expected_method_is_the_one_that_counts() -> None:
    result = scored(
        PETS_CASE,
        called(PETS, 1, name="Rex"),
        called(PETS, 0),
        type="api_signature_selector",
        expected_api_used="/pets",
        expected_method="POST",
        expected_parameters={"name": "Rex"},
    )
    assert steps(result) == (True, True, True, True)
    assert result.plugin_parameters_mapped == {}


@pytest.mark.parametrize(
    ("expected", "used", "matched"),
    [
        ("get", None, True),
        ("GET", "Get", True),
        (" get ", "get", True),
        ("post", None, False),
        ("get", "POST", False),
        (None, "delete", True),
        ("None", "delete", True),
    ],
)
def test_the_method_counts_when_one_is_expected(
    expected: str | None, used: str | None, matched: bool
) -> None:
    result = scored(PLUGIN_CASE, called(KLARNA, method=used), expected_method=expected)
    assert steps(result) == (True, True, matched, False)
    assert result.verdict == ("Passed" if matched else "Failed")
    assert result.match_score == (1.0 if matched else 0.6667)


def test_without_an_expected_operation_any_of_the_plugin_passes() -> None:
    assert scored(PETS_CASE, called(PETS, 2)).verdict == "Passed"
    assert scored(PETS_CASE, called(PETS, 2)).match_score == 1.0
    assert scored(PETS_CASE, called(KLARNA)).verdict == "Failed"
    assert scored(PETS_CASE, called(PETS, 2), expected_method="post").verdict == "Failed"


@pytest.mark.parametrize("expected", [None, "None", "none", "", " "])
@pytest.mark.parametrize("kind", ["plugin_selector", "api_signature_selector"])
def test_nothing_expected_passes_when_nothing_is_chosen(kind: str, expected: str | None) -> None:
    result = scored(NOTHING, type=kind, expected_plugin_used=expected)
    mapped = kind == "api_signature_selector"
    assert steps(result) == (True, True, True, mapped)
    assert result.parameter_mapped_percentage == (100.0 if mapped else 0.0)
    assert (result.match_score, result.verdict) == (1.0, "Passed")
    assert (result.plugin_name, result.plugin_operation, result.plugin_parameters_mapped) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    "call",
    [called(KLARNA, **RIGHT), called(PETS), Detected(plugin=None, operation=None, target="invented")],
    ids=["under test", "another", "invented"],
)
@pytest.mark.parametrize("kind", ["plugin_selector", "api_signature_selector"])
def test_nothing_expected_fails_when_anything_is_chosen(kind: str, call: Detected) -> None:
    result = scored(NOTHING, call, type=kind)
    assert steps(result) == (False, False, False, False)
    assert (result.match_score, result.verdict) == (0.0, "Failed")
    assert len(result.detected) == 1


def test_an_operation_without_a_plugin_is_that_of_the_plugin_under_test() -> None:
    case = {**PLUGIN_CASE, "expected_plugin_used": None}
    assert scored(case, called(KLARNA)).verdict == "Passed"
    assert scored(case).verdict == "Failed"
    assert scored(case, called(KLARNA), under_test=PETS.manifest_url).verdict == "Failed"


def test_the_plugin_under_test_of_a_case_stands_in_for_that_of_the_job() -> None:
    case = {**PLUGIN_CASE, "expected_plugin_used": None, "test_plugin": {"manifest_url": KLARNA_URL}}
    assert scored(case, called(KLARNA), under_test=PETS.manifest_url).verdict == "Passed"


def test_none_for_the_plugin_wins_over_an_operation() -> None:
    assert scored(PLUGIN_CASE, expected_plugin_used="None").verdict == "Passed"
    assert scored(PLUGIN_CASE, called(KLARNA), expected_plugin_used="None").verdict == "Failed"


def test_parameters_are_compared_in_the_way_that_the_job_names() -> None:
    case = TestCase.model_validate({**SIGNATURE_CASE, "expected_parameters": {"Q": "T Shirts"}})
    chosen = selected(called(KLARNA, q="t shirt"))
    by_mode = [
        score(case, test_plugin_url=KLARNA_URL, selected=chosen, match=mode).verdict
        for mode in cast("tuple[Any, ...]", ("exact", "loose", "bfcl"))
    ]
    assert by_mode == ["Failed", "Passed", "Failed"]
