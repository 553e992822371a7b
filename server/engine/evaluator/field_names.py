"""Finds unknown fields in what is written for evaluators, so that a slip of the pen judges nothing less."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from schemas.evaluator import (
    AiAgent,
    Condition,
    ConditionalActions,
    EvaluatorScenario,
    Metric,
    PassRule,
    TestProfile,
    Variables,
)
from server.engine.evaluator.invalid import Fields
from server.engine.spelling import NearNames, names_of

Loc = tuple[str | int, ...]
# the objects inside of each, and the items of its lists
PARTS: dict[type[BaseModel], dict[str, type[BaseModel]]] = {
    EvaluatorScenario: {"conditional_actions": ConditionalActions},
    ConditionalActions: {"conditions": Condition},
    Metric: {"pass": PassRule, "pass_": PassRule},
    TestProfile: {"information": Variables},
}
# what is answered with a resource, and may be sent back with it
ANSWERED: dict[type[BaseModel], frozenset[str]] = {
    AiAgent: frozenset({"has_websocket_secret", "has_webhook_secret"}),
    Metric: frozenset({"pass_"}),
}


def near_fields(body: dict[str, Any], model: type[BaseModel]) -> Fields:
    """Return the unknown fields of a body that are near to known ones, by top-level fields.

    Other unknown ones are left alone: clients of the same interface elsewhere send more.
    """
    fields: Fields = {}
    for (first, *rest), near in unknown_fields(body, model):
        if near is not None:
            where = ".".join(map(str, rest))
            message = f"{rest[-1] if rest else first} is no field; is {near} meant?"
            fields.setdefault(str(first), []).append(f"{where}: {message}" if where else message)
    return fields


def unknown_fields(body: dict[str, Any], model: type[BaseModel]) -> Iterator[tuple[Loc, str | None]]:
    """Yield where a body has unknown fields, each with the known one that it is near to."""
    return _unknown(body, model, (), NearNames())


def _unknown(
    value: object, model: type[BaseModel], loc: Loc, names: NearNames
) -> Iterator[tuple[Loc, str | None]]:
    if not isinstance(value, dict):
        return
    known = ANSWERED.get(model, frozenset()).union(names_of(model))
    for name in value:
        if name not in known:
            yield (*loc, name), names.meant(name, model)
    for field, part in PARTS.get(model, {}).items():
        inside = value.get(field)
        for place, item in enumerate(inside) if isinstance(inside, list) else ():
            yield from _unknown(item, part, (*loc, field, place), names)
        yield from _unknown(inside, part, (*loc, field), names)
