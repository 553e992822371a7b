"""Runs as judges get them."""

from typing import Any

from schemas.evaluator import AiAgent, ConditionalActions, EvaluatorScenario, Metric
from schemas.evaluator_run import NumberedMetric, Setup, Speaker, Talked, TranscriptItem

CALLER: Speaker = "Testing Agent"
AGENT: Speaker = "Main Agent"
CALL: Speaker = "Function Call"
RESULT: Speaker = "Function Call Result"
PROMPT = "The desk books a table for two and says goodbye."
FIXED = {"conditions": [{"id": 0, "action": "A table for two.", "fixed_message": True}]}
Line = tuple[Speaker, str, float]
TALK: list[Line] = [
    (AGENT, "Trattoria Verde, good evening.", 0.2),
    (CALLER, "A table for two, please.", 1.0),
    (AGENT, "For which day?", 1.4),
    (AGENT, "We are open on all days.", 1.5),
    (CALLER, "Friday.", 3.0),
    (AGENT, "It is booked.", 4.1),
]


def item(role: Speaker, content: str, at: float, data: dict[str, Any] | None = None) -> TranscriptItem:
    time = f"00:{int(at):02}"
    return TranscriptItem(role=role, content=content, start_time=at, end_time=at, time=time, data=data)


def called(name: str, *, key: Any = "c1", arguments: str = "{}", at: float = 3.5) -> TranscriptItem:
    return item(CALL, name, at, {"id": key, "name": name, "arguments": arguments})


def answered(result: Any, *, key: Any = "c1", at: float = 3.6) -> TranscriptItem:
    return item(RESULT, str(result), at, {"id": key, "result": result})


def talked(*items: TranscriptItem, lines: list[Line] | None = None, **changes: Any) -> Talked:
    spoken = [item(*line) for line in (TALK if lines is None else lines)]
    transcript = sorted([*spoken, *items], key=lambda i: i.start_time)
    values = {"status": "completed", "ended_reason": "Testing agent-ended-call", "duration": 5.0, **changes}
    return Talked(transcript=transcript, **values)


def metric(name: str = "polite", **fields: Any) -> Metric:
    return Metric.model_validate({"name": name, **fields})


def setup(*metrics: Metric, prompt: str = "", fixed: bool = True, **scenario: Any) -> Setup:
    part = EvaluatorScenario(
        name="books",
        agent=1,
        instructions="Book a table for two.",
        scenario_type="conditional_actions" if fixed else "instruction",
        conditional_actions=ConditionalActions.model_validate(FIXED) if fixed else None,
        expected_outcome_prompt=prompt,
        **scenario,
    )
    numbered = [NumberedMetric(id=n, metric=m) for n, m in enumerate(metrics, start=1)]
    return Setup(agent_id=1, agent=AiAgent(agent_name="desk"), scenario_id=1, scenario=part, metrics=numbered)
