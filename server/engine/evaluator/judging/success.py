"""Whether a run succeeded, and whether a metric's rule holds."""

from collections.abc import Sequence
from operator import eq, ge, gt, le, lt, ne

from schemas.evaluator import PassRule
from schemas.evaluator_run import ExpectedOutcome, MetricValue

Value = bool | float | str
_ORDER = {">": gt, ">=": ge, "<": lt, "<=": le}
_SAME = {"==": eq, "!=": ne}


def holds(rule: PassRule, value: Value) -> bool:
    """Tell whether a rule holds; values of different types are never equal, and are in no order."""
    if rule.operator == "in":
        return isinstance(rule.value, list) and any(_comparable(v, value) and v == value for v in rule.value)
    if not _comparable(rule.value, value):
        return rule.operator == "!="
    if compare := _SAME.get(rule.operator):
        return bool(compare(value, rule.value))
    return _is_number(value) and bool(_ORDER[rule.operator](value, rule.value))


def succeeded(
    *, expects: bool, outcome: ExpectedOutcome | None, metrics: Sequence[tuple[PassRule | None, MetricValue]]
) -> bool | None:
    """Tell whether a run that talked succeeded; None when something that counts could not be judged.

    One thing that does not hold is enough for a False, whatever else could not be judged.
    """
    parts: list[bool | None] = [outcome.passed if outcome is not None else None] if expects else []
    parts += [metric.passed for rule, metric in metrics if rule is not None]
    if False in parts:
        return False
    return None if None in parts else True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(one: object, two: object) -> bool:
    return (_is_number(one) and _is_number(two)) or type(one) is type(two)
