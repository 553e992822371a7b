"""Callers by rules that had nothing to do until the time was up."""

from typing import Any

import pytest

from schemas.evaluator import ConditionalActions
from server.engine.evaluator.judging.judges import Judges
from server.engine.evaluator.judging.simulator import STUCK
from server.llm import Models
from tests.engine.evaluator.judging import AGENT, CALLER, Line, setup, talked

WAITS = {"id": 1, "condition": 'contains "never"', "action": "Oh.", "fixed_message": True}
TIMEOUT: dict[str, Any] = {"status": "timeout", "ended_reason": "Main agent-silence-timed-out"}
ASKED: Line = (AGENT, "Which day?", 2.0)


async def judged(nobody: Models, condition: dict[str, Any], lines: list[Line], **changes: Any) -> str | None:
    acts = ConditionalActions.model_validate({"conditions": [condition]})
    made = setup()
    rules = made.scenario.model_copy(update={"conditional_actions": acts})
    run = talked(lines=lines, **{**TIMEOUT, "duration": 302.0, **changes})
    judgement = await Judges(nobody).judge(made.model_copy(update={"scenario": rules}), run)
    assert judgement.success is False
    return judgement.simulator_error


@pytest.mark.parametrize("reason", ["Main agent-silence-timed-out", "exceeded-max-duration"])
async def test_a_caller_whose_conditions_do_not_hold_is_at_fault(nobody: Models, reason: str) -> None:
    lines: list[Line] = [(CALLER, "Hello", 1.0), ASKED]
    assert await judged(nobody, WAITS, lines, ended_reason=reason) == STUCK
    instructs = {**WAITS, "fixed_message": False}
    assert await judged(nobody, instructs, lines, ended_reason=reason) == STUCK


async def test_an_agent_that_does_not_answer_is_not_the_callers_fault(nobody: Models) -> None:
    assert await judged(nobody, WAITS, [ASKED, (CALLER, "Friday.", 3.0)]) is None
    assert await judged(nobody, WAITS, []) is None


async def test_an_agent_that_has_just_spoken_is_not_the_callers_fault(nobody: Models) -> None:
    late: dict[str, Any] = {"ended_reason": "exceeded-max-duration", "duration": 4.0}
    assert await judged(nobody, WAITS, [ASKED], **late) is None
    holds = {**WAITS, "condition": 'contains "which"'}
    assert await judged(nobody, holds, [ASKED]) is None
