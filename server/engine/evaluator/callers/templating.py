"""Variables of test profiles in texts: `{{test_profile.a.b}}`, and those that become headers."""

import json
import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from schemas.evaluator import ConditionalActions, EvaluatorScenario, TestProfile
from schemas.evaluator_run import Setup
from server.engine.evaluator.callers.conditions import is_contains
from server.engine.evaluator.lines.destinations import header_problems, is_header_value

MAX_FILLED = 64_000  # characters of a text with its values
MAX_HEADERS = 50
_VARIABLE = re.compile(r"\{\{\s*test_profile((?:\.[^\s{}.]+)*)\s*\}\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_QUOTES = re.compile(r"[\"'\\]")
_OURS = re.compile(r"x-vocera-(?:secret|scenario-id|result-id|run-id)", re.IGNORECASE)


def filled(text: str, profile: TestProfile | None, *, quoted: bool = False) -> str:
    """Return a text with the values of its variables; those that are not known stay as they are.

    What does not fit into 64,000 characters is cut off; `problems` says so before. `quoted` values can stand
    between quotation marks.
    """
    if "{{" not in text:
        return text
    parts: list[str] = []
    length, at = 0, 0
    for found in _VARIABLE.finditer(text):
        value = _value(profile, found[1])
        if value is not None and quoted:
            value = _QUOTES.sub(r"\\\g<0>", value)
        parts += [text[at : found.start()], found[0] if value is None else value]
        at = found.end()
        length += len(parts[-1]) + len(parts[-2])
        if length > MAX_FILLED:
            break
    return "".join([*parts, text[at:]])[:MAX_FILLED]


def prepared(setup: Setup) -> Setup:
    """Return a setup with the values of its profile in all texts; do it once, values are not looked into."""
    if not any("{{" in text for _, text in _texts(setup)):
        return setup
    profile = setup.profile
    personality, metrics = setup.personality, []
    if personality is not None:
        personality = personality.model_copy(update={"prompt": filled(personality.prompt, profile)})
    for numbered in setup.metrics:
        prompt = None if numbered.metric.prompt is None else filled(numbered.metric.prompt, profile)
        metric = numbered.metric.model_copy(update={"prompt": prompt})
        metrics.append(numbered.model_copy(update={"metric": metric}))
    scenario = _scenario(setup.scenario, profile)
    return setup.model_copy(update={"scenario": scenario, "personality": personality, "metrics": metrics})


def problems(setup: Setup) -> list[str]:
    """Return what stands in the way of filling a setup's texts, and of sending its profile's headers."""
    found: list[str] = []
    for place, text in _texts(setup):
        if "{{" not in text:
            continue
        unknown = {f"{{{{test_profile{path}}}}}" for path in _unknown(text, setup.profile)}
        if unknown:
            lacks = (
                "there is no test profile" if setup.profile is None else "the test profile has no such value"
            )
            found.append(f"{place}: {', '.join(sorted(unknown)[:10])}: {lacks}.")
        elif len(filled(text, setup.profile)) == MAX_FILLED:
            found.append(
                f"{place}: with the values of the test profile it exceeds {MAX_FILLED:,} characters."
            )
    return found + _header_problems(setup)


def headers(setup: Setup) -> dict[str, str]:
    """Return the headers of the handshake that come from the profile: its agent's variables named X-…."""
    return {name: str(value) for name, value in _headers(setup).items()}


def written(value: JsonValue) -> str:
    """Return a value as it stands in a text: strings as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _scenario(scenario: EvaluatorScenario, profile: TestProfile | None) -> EvaluatorScenario:
    update: dict[str, object] = {
        name: filled(getattr(scenario, name), profile)
        for name in ("instructions", "first_message", "expected_outcome_prompt")
    }
    if (acts := scenario.conditional_actions) is not None:
        update["conditional_actions"] = _actions(acts, profile)
    return scenario.model_copy(update=update)


def _actions(acts: ConditionalActions, profile: TestProfile | None) -> ConditionalActions:
    conditions = []
    for c in acts.conditions:
        condition = filled(c.condition, profile, quoted=is_contains(c.condition))
        action = filled(c.action, profile)
        conditions.append(c.model_copy(update={"condition": condition, "action": action}))
    return acts.model_copy(update={"role": filled(acts.role, profile), "conditions": conditions})


def _texts(setup: Setup) -> Iterator[tuple[str, str]]:
    scenario = setup.scenario
    yield "instructions", scenario.instructions
    yield "first_message", scenario.first_message
    yield "expected_outcome_prompt", scenario.expected_outcome_prompt
    if scenario.conditional_actions is not None:
        yield "role", scenario.conditional_actions.role
        for condition in scenario.conditional_actions.conditions:
            yield f"condition {condition.id}", condition.condition
            yield f"action {condition.id}", condition.action
    if setup.personality is not None:
        yield "personality", setup.personality.prompt
    for numbered in setup.metrics:
        yield f"metric {numbered.metric.name}", numbered.metric.prompt or ""


def _unknown(text: str, profile: TestProfile | None) -> Iterator[str]:
    for found in _VARIABLE.finditer(text):
        if _value(profile, found[1]) is None:
            yield found[1]


def _value(profile: TestProfile | None, path: str) -> str | None:
    """Return the value at a path: of what the caller knows, else of what the agent is told, else of both."""
    if profile is None or not path:
        return None
    names = path[1:].split(".")
    known = profile.information
    places: tuple[Mapping[str, JsonValue], ...] = (
        known.testing_agent_variables,
        known.main_agent_variables,
        {
            "testing_agent_variables": known.testing_agent_variables,
            "main_agent_variables": known.main_agent_variables,
        },
    )
    for place in places:
        value: JsonValue = dict(place)
        for name in names:
            if not isinstance(value, dict) or name not in value:
                break
            value = value[name]
        else:
            return written(value)
    return None


def _headers(setup: Setup) -> dict[str, JsonValue]:
    if setup.profile is None:
        return {}
    told = setup.profile.information.main_agent_variables
    return {name: value for name, value in told.items() if name.lower().startswith("x-")}


def _header_problems(setup: Setup) -> list[str]:
    given = _headers(setup)
    found = header_problems(dict.fromkeys(given, ""))
    if len(given) > MAX_HEADERS:
        found.append(f"The test profile has more than {MAX_HEADERS} headers.")
    for name, value in given.items():
        if _OURS.fullmatch(name):
            found.append(f"{name} is set by the run itself; name the test profile's value otherwise.")
        elif not _HEADER.fullmatch(name):
            found.append(f"{name[:60]!r} is no name of a header; use letters, digits and hyphens.")
        elif not is_header_value(value):
            found.append(f"{name} becomes a header: its value should be a number or plain text on one line.")
    return found
