"""Whether rules hold, and what they and the expected outcome make of a run."""

from typing import Any

import pytest

from schemas.evaluator import PassRule
from schemas.evaluator_run import ExpectedOutcome, MetricValue
from server.engine.evaluator.judging.metric_values import metric_problems
from server.engine.evaluator.judging.success import holds, succeeded
from tests.engine.evaluator.judging import metric


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "held"),
    [
        ("==", True, True, True),
        ("==", True, False, False),
        ("==", 1, True, False),
        ("!=", 1, True, True),
        ("==", 2, 2.0, True),
        ("!=", 2, 2.0, False),
        (">=", 3, 3.0, True),
        (">", 3, 3.0, False),
        ("<=", 2.5, 2.4, True),
        ("<", 2.5, 2.5, False),
        (">", "a", "b", False),
        (">", 0, True, False),
        (">=", "3", 4.0, False),
        ("in", ["a", "b"], "b", True),
        ("in", ["a", "b"], "c", False),
        ("in", [1, 2], True, False),
        ("in", [1, 2], 2.0, True),
        ("in", "abc", "b", False),
        ("==", None, "x", False),
    ],
)
def test_rules_compare_values_of_one_type(operator: Any, wanted: Any, value: Any, held: bool) -> None:
    assert holds(PassRule(operator=operator, value=wanted), value) is held


RULE = PassRule(operator="==", value=True)


def value(passed: bool | None) -> MetricValue:
    return MetricValue(name="m", type="built_in", eval_type="binary", passed=passed)


def outcome(passed: bool) -> ExpectedOutcome:
    return ExpectedOutcome(score=50, passed=passed, pass_score=100, outcomes=[])


@pytest.mark.parametrize(
    ("expects", "judged", "metrics", "success"),
    [
        (False, None, [], True),
        (True, outcome(True), [], True),
        (True, outcome(False), [], False),
        (True, None, [], None),
        (True, outcome(True), [(RULE, True), (None, None)], True),
        (True, outcome(True), [(RULE, True), (RULE, False)], False),
        (True, outcome(True), [(RULE, None)], None),
        (True, None, [(RULE, False)], False),
        (False, None, [(None, None), (RULE, True)], True),
    ],
)
def test_all_that_counts_must_hold_and_one_failure_is_enough(
    expects: bool, judged: Any, metrics: list[tuple[Any, Any]], success: bool | None
) -> None:
    values = [(rule, value(passed)) for rule, passed in metrics]
    assert succeeded(expects=expects, outcome=judged, metrics=values) is success


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("prompt", {}),
        ("prompt", {"prompt": "  "}),
        ("code", {"type": "custom_code"}),
        ("code", {"type": "custom_code", "code": "data.turns >"}),
        ("code", {"type": "custom_code", "code": "turns > 3"}),
        ("name", {"type": "built_in"}),
        ("options", {"prompt": "How?", "eval_type": "enum"}),
        ("pass", {"prompt": "How?", "pass": {"operator": ">", "value": True}}),
        ("pass", {"prompt": "How?", "pass": {"operator": "==", "value": "yes"}}),
        ("pass", {"prompt": "How?", "pass": {"operator": "=="}}),
        ("pass", {"prompt": "How?", "eval_type": "numeric", "pass": {"operator": ">=", "value": "3"}}),
        ("pass", {"prompt": "How?", "eval_type": "numeric", "pass": {"operator": "in", "value": 3}}),
        ("pass", {"prompt": "How?", "eval_type": "numeric", "pass": {"operator": "in", "value": []}}),
        (
            "pass",
            {
                "prompt": "How?",
                "eval_type": "enum",
                "options": ["good"],
                "pass": {"operator": "==", "value": "bad"},
            },
        ),
        ("pass", {"name": "turns", "type": "built_in", "pass": {"operator": "==", "value": True}}),
        (
            "pass",
            {"name": "appropriate_termination", "type": "built_in", "pass": {"operator": ">", "value": 1}},
        ),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused_by_its_field(field: str, fields: dict[str, Any]) -> None:
    problems = metric_problems(metric(**{"name": "polite", **fields}))
    assert list(problems) == [field]
    assert all(text.endswith(".") for text in problems[field])


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "How?", "pass": {"operator": "==", "value": True}},
        {"prompt": "How?", "eval_type": "continuous_qualitative", "pass": {"operator": ">=", "value": 4}},
        {"prompt": "How?", "eval_type": "enum", "options": ["a", "b"]},
        {"type": "custom_code", "code": "data.turns > 3", "pass": {"operator": "!=", "value": False}},
        {
            "type": "custom_code",
            "eval_type": "enum",
            "code": '"a"',
            "pass": {"operator": "in", "value": ["a"]},
        },
        {"name": "latency_p95", "type": "built_in", "pass": {"operator": "<", "value": 2000}},
        {
            "name": "appropriate_termination",
            "type": "built_in",
            "eval_type": "numeric",
            "pass": {"operator": "==", "value": True},
        },
    ],
)
def test_a_metric_that_can_be_computed_is_taken(fields: dict[str, Any]) -> None:
    assert metric_problems(metric(**{"name": "polite", **fields})) == {}
