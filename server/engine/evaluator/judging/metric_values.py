"""Metrics of a run, whoever computes them, and what is wrong with one before any run."""

from typing import get_args

from schemas.evaluator import BuiltIn, EvalType, Metric
from schemas.evaluator_run import MetricValue, NumberedMetric, Talked
from server.engine.evaluator.judging.built_in import FLAGS, NAMES, compute
from server.engine.evaluator.judging.expressions import Evaluated, problem
from server.engine.evaluator.judging.inquiry import Inquiry
from server.engine.evaluator.judging.metric_judge import judge_metric
from server.engine.evaluator.judging.success import Value, holds
from server.errors import Upstream

_BUILT_INS: tuple[BuiltIn, ...] = get_args(BuiltIn)
_KINDS: dict[EvalType, str] = {
    "binary": "a truth value",
    "continuous_qualitative": "a number",
    "numeric": "a number",
    "enum": "one of the options",
}


def metric_problems(metric: Metric) -> dict[str, list[str]]:
    """Return what is wrong with a metric, by its fields; nothing when it can be computed."""
    found: dict[str, list[str]] = {}
    if metric.type == "llm_judge" and not (metric.prompt or "").strip():
        found["prompt"] = ["A metric of the type llm_judge needs a prompt: the question that is judged."]
    if metric.type == "custom_code":
        wrong = problem(metric.code or "") if (metric.code or "").strip() else "it is missing"
        found |= {"code": [f"This is no expression that can be evaluated: {wrong}."]} if wrong else {}
    if metric.type == "built_in" and metric.name not in NAMES:
        found["name"] = [f"There is no built-in metric of this name; there are {', '.join(NAMES)}."]
    if metric.eval_type == "enum" and metric.type == "llm_judge" and not metric.options:
        found["options"] = ["A metric of the eval_type enum needs the options to choose from."]
    if wrong_rule := _rule_problem(metric):
        found["pass"] = [wrong_rule]
    return found


def computed_value(numbered: NumberedMetric, talked: Talked) -> MetricValue:
    """Return what a built-in metric comes to; without anything to compute it from, its rule does not hold."""
    name = _built_in(numbered.metric.name)
    if name is None:
        return failed(numbered, "There is no built-in metric of this name.")
    computed = compute(name, talked)
    if computed.value is None:
        passed = False if numbered.metric.pass_ is not None else None
        return _blank(numbered).model_copy(update={"explanation": computed.explanation, "passed": passed})
    return _valued(numbered, computed.value, computed.explanation)


def evaluated_value(numbered: NumberedMetric, evaluated: Evaluated) -> MetricValue:
    """Return what an expression comes to; a value of another type than the metric's is an error."""
    value = evaluated.value
    if value is None:
        return failed(numbered, f"The expression has no value: {evaluated.error}.")
    if not _fits(numbered.metric, value):
        wanted = _KINDS[numbered.metric.eval_type]
        told = f"The expression gives {value!r:.200}, which is not {wanted}"
        kind = _type_of(value)
        return failed(
            numbered, f"{told}." if kind == numbered.metric.eval_type else f"{told}: set eval_type: {kind}."
        )
    return _valued(numbered, value, "")


async def judged_value(numbered: NumberedMetric, inquiry: Inquiry) -> MetricValue:
    """Return what a model says about a metric, or why it says nothing."""
    try:
        answer = await judge_metric(inquiry, numbered.metric)
    except Upstream as error:
        return failed(numbered, str(error))
    if answer.value is None:
        return failed(numbered, f"The conversation does not tell the number: {answer.explanation}")
    return _valued(numbered, answer.value, answer.explanation)


def failed(numbered: NumberedMetric, error: str) -> MetricValue:
    """Return a metric without a value; whether its rule holds is not known."""
    return _blank(numbered).model_copy(update={"error": error})


def _valued(numbered: NumberedMetric, value: Value, explanation: str) -> MetricValue:
    rule = numbered.metric.pass_
    passed = holds(rule, value) if rule is not None else None
    return _blank(numbered).model_copy(update={"value": value, "explanation": explanation, "passed": passed})


def _blank(numbered: NumberedMetric) -> MetricValue:
    metric = numbered.metric
    return MetricValue(id=numbered.id, name=metric.name, type=metric.type, eval_type=_eval_type(metric))


def _eval_type(metric: Metric) -> EvalType:
    if metric.type != "built_in":
        return metric.eval_type
    return "binary" if metric.name in FLAGS else "numeric"


def _built_in(name: str) -> BuiltIn | None:
    return next((known for known in _BUILT_INS if known == name), None)


def _fits(metric: Metric, value: Value) -> bool:
    kind = _eval_type(metric)
    if kind == "binary":
        return isinstance(value, bool)
    if kind == "enum":
        return isinstance(value, str) and (not metric.options or value in metric.options)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _type_of(value: Value) -> EvalType:
    if isinstance(value, bool):
        return "binary"
    return "enum" if isinstance(value, str) else "numeric"


def _rule_problem(metric: Metric) -> str | None:
    rule = metric.pass_
    if rule is None:
        return None
    kind = _eval_type(metric)
    if rule.operator in (">", ">=", "<", "<=") and kind in ("binary", "enum"):
        return f"The value of this metric is {_KINDS[kind]}, which has no order: use ==, != or in."
    wanted = rule.value if rule.operator == "in" else [rule.value]
    if not isinstance(wanted, list) or not wanted:
        return "The operator in needs a list of values."
    if not all(isinstance(v, bool | int | float | str) and _fits(metric, v) for v in wanted):
        return f"The value of this metric is {_KINDS[kind]}, and so is that of its rule."
    return None
