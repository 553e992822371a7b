"""Callers for tests: their setups, and calls with an agent that says what the test wants."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.evaluator import EvaluatorScenario, Personality, TestProfile
from schemas.evaluator_run import Setup, Speaker, TranscriptItem
from server.engine.evaluator.callers.caller import Caller, EndCall, Say, Turn

END = {"name": "end_call", "arguments": {"all_answered": True}}


def setup(
    *,
    profile: TestProfile | None = None,
    personality: Personality | None = None,
    **scenario: object,
) -> Setup:
    """Return a setup whose scenario has these fields."""
    fields = {"name": "A call", "agent": 1, "instructions": "Order a pizza.", **scenario}
    return Setup.model_validate(
        {
            "agent_id": 1,
            "agent": {"agent_name": "Pizzeria"},
            "scenario_id": 2,
            "scenario": EvaluatorScenario.model_validate(fields),
            "profile": profile,
            "personality": personality,
        }
    )


def acting(*conditions: Mapping[str, Any], role: str = "", **scenario: Any) -> Setup:
    """Return a setup whose caller acts by these conditions."""
    actions = {"role": role, "conditions": list(conditions)}
    return setup(scenario_type="conditional_actions", conditional_actions=actions, **scenario)


def profile(testing: Mapping[str, Any] | None = None, main: Mapping[str, Any] | None = None) -> TestProfile:
    """Return a test profile with what the caller knows, and what the agent is told."""
    variables = {"testing_agent_variables": dict(testing or {}), "main_agent_variables": dict(main or {})}
    return TestProfile.model_validate({"name": "Ann", "information": variables})


def heard(*texts: str) -> list[TranscriptItem]:
    """Return a transcript: the caller and the agent in turn, the caller first; an empty text is left out."""
    roles: tuple[Speaker, Speaker] = ("Testing Agent", "Main Agent")
    return [item(roles[i % 2], text) for i, text in enumerate(texts) if text]


def item(role: Speaker, text: str) -> TranscriptItem:
    """Return an item of a transcript."""
    return TranscriptItem(role=role, content=text, start_time=0.0, end_time=0.0, time="00:00")


def words(turn: Turn | None) -> list[str]:
    """Return what is said in a turn, and [end] where the call is ended."""
    return ["[end]" if isinstance(s, EndCall) else s.text for s in turn or () if isinstance(s, EndCall | Say)]


async def call(caller: Caller, agent: Iterable[str]) -> list[str]:
    """Call an agent that says these things, one after each turn, until one side has had enough."""
    transcript: list[TranscriptItem] = []
    done = _perform(await caller.opening(), transcript)
    for line in agent:
        if "[end]" in done:
            break
        transcript.append(item("Main Agent", line))
        done += _perform(await caller.answer(transcript), transcript)
    return done


def _perform(turn: Turn | None, transcript: list[TranscriptItem]) -> list[str]:
    transcript += [item("Testing Agent", step.text) for step in turn or () if isinstance(step, Say)]
    return words(turn)


def says(*texts: str | None, end: Sequence[bool] = ()) -> list[dict[str, Any]]:
    """Return the rules of a model that says these things one after the other; None or `end`: it hangs up."""
    rules: list[dict[str, Any]] = []
    for i, text in enumerate(texts):
        ends = text is None or (i < len(end) and end[i])
        rules.append({"reply": text or "", "times": 1, "tool_calls": [END] if ends else []})
    return rules
