"""Checks what authors want kept, and says all that is wrong with it, field by field."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from schemas.envelope import JsonObject
from schemas.evaluator import (
    RESOURCES,
    AiAgent,
    AnyResource,
    EvaluatorScenario,
    Metric,
    ResourceKind,
    TestProfile,
)
from server.engine.evaluator.callers import actions
from server.engine.evaluator.field_names import near_fields
from server.engine.evaluator.invalid import Fields, Invalid, merged
from server.engine.evaluator.judging.metric_values import metric_problems
from server.engine.evaluator.lines.destinations import (
    PAGES,
    address_problems,
    header_problems,
    is_header_value,
)

WHOLE = "non_field_errors"
Reference = tuple[str, ResourceKind, int]  # the field that refers, and to what
ONE: dict[ResourceKind, str] = {
    "aiagents": "agent",
    "scenarios": "scenario",
    "personalities": "personality",
    "metrics": "metric",
    "test-profiles": "test profile",
}
_ADDRESSES = {
    "websocket_url": "This should be an address that begins with ws:// or wss://.",
    "voice_url": "This should be an address that begins with ws:// or wss://.",
    "webhook_url": "This should be an address that begins with http:// or https://.",
}


def read_resource(kind: ResourceKind, body: JsonObject) -> AnyResource:
    """Return a request's body as a resource; raises Invalid."""
    model = RESOURCES[kind]
    misspelt = near_fields(body, model)
    try:
        resource = model.model_validate(body)
    except ValidationError as error:
        raise Invalid(merged(misspelt, fields_of(error))) from error
    found = merged(misspelt, problems(resource))
    if found:
        raise Invalid(found)
    return resource


def fields_of(error: ValidationError) -> Fields:
    """Return what is wrong by top-level fields; where in them it is begins the message."""
    fields: Fields = {}
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        name, *rest = found["loc"] or (WHOLE,)
        where = ".".join(str(part) for part in rest if part != "[key]")
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] == "string_pattern_mismatch":
            message = _ADDRESSES.get(str(name), "This holds characters that are not allowed here")
        fields.setdefault(str(name), []).append(f"{where}: {message}" if where else message)
    return fields


def problems(resource: AnyResource) -> Fields:
    """Return what is wrong with a resource whose types are right."""
    found = _CHECKS[type(resource)](resource) if type(resource) in _CHECKS else {}
    return {name: messages for name, messages in found.items() if messages}


def references_of(resource: AnyResource) -> list[Reference]:
    """Return what a resource refers to."""
    if not isinstance(resource, EvaluatorScenario):
        return []
    found: list[Reference] = [("agent", "aiagents", resource.agent)]
    if resource.personality is not None:
        found.append(("personality", "personalities", resource.personality))
    if resource.test_profile is not None:
        found.append(("test_profile", "test-profiles", resource.test_profile))
    return [*found, *(("metrics", "metrics", number) for number in resource.metrics)]


def missing(references: Iterable[Reference], known: set[str]) -> Fields:
    """Return what is wrong with references of which these exist."""
    fields: Fields = {}
    for field, kind, number in references:
        if f"{kind}/{number}" not in known:
            fields.setdefault(field, []).append(f"There is no {ONE[kind]} {number}.")
    return fields


def repeated(numbers: Iterable[int]) -> list[str]:
    """Return which numbers are there more than once."""
    return [f"{number} is named {times} times." for number, times in Counter(numbers).items() if times > 1]


def _agent(agent: AiAgent) -> Fields:
    found: Fields = {"websocket_headers": header_problems(agent.websocket_headers)}
    for name in ("websocket_url", "voice_url"):
        address = getattr(agent, name)
        found[name] = address_problems(address) if address is not None else []
    if agent.webhook_url is not None:
        found["webhook_url"] = address_problems(agent.webhook_url, schemes=PAGES)
    return found


def _scenario(scenario: EvaluatorScenario) -> Fields:
    found: Fields = {"metrics": repeated(scenario.metrics)}
    if scenario.scenario_type == "instruction":
        if not scenario.instructions.strip():
            found["instructions"] = ["A scenario of the type instruction needs instructions."]
    elif scenario.conditional_actions is None:
        found["conditional_actions"] = ["A scenario of the type conditional_actions needs them."]
    if scenario.conditional_actions is not None:  # tags for a voice are refused when it is run as text
        found["conditional_actions"] = actions.problems(scenario.conditional_actions, as_text=False)
    return found


def _profile(profile: TestProfile) -> Fields:
    """Check what becomes headers, and that none of them is the connection's own."""
    headers = {
        k: v for k, v in profile.information.main_agent_variables.items() if k.lower().startswith("x-")
    }
    found = [
        f"main_agent_variables.{name}: this becomes a header, so it is a short line of ASCII."
        for name, value in headers.items()
        if not is_header_value(value)
    ]
    return {"information": found}


_CHECKS: dict[type[AnyResource], Callable[[Any], Fields]] = {
    AiAgent: _agent,
    EvaluatorScenario: _scenario,
    Metric: metric_problems,
    TestProfile: _profile,
}
