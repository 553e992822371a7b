"""Whether it was the caller, not the agent, who spoilt a run."""

from pydantic import BaseModel

from schemas.evaluator import Condition, EvaluatorScenario
from schemas.evaluator_run import Setup, Talked
from server.engine.evaluator.callers import tags
from server.engine.evaluator.callers.actions import FIRST_MESSAGE
from server.engine.evaluator.callers.conditions import BadConditionError, compiled, is_contains
from server.engine.evaluator.callers.hearing import heard_since
from server.engine.evaluator.judging.inquiry import Inquiry
from server.engine.grading.fields import Paragraph, clean
from server.engine.grading.transcript import clip, json_line

TASK = (
    "A conversation tested an agent and did not succeed. The caller was played by a simulator; you judge only"
    " whether the simulator made a mistake that may be the reason: it did not do what it was told, gave facts"
    " other than those it was given, spoke as the agent, ended the call before the agent could finish, went"
    " round in circles, or said things that are no part of a call. A caller who follows what it was told has"
    " made no mistake, however difficult it is, and neither has one whom the agent misled. First explain in"
    " one to three sentences, then say whether there was such a mistake."
)
STUCK = "No condition held after the agent's last turn, so the caller said nothing until the time was up."
WAITED = 5.0  # seconds without a word of the agent: its turn was over, and the caller had none


class SimulatorVerdict(BaseModel):
    """What the judge says of the caller."""

    explanation: Paragraph
    mistake: bool


def is_played(scenario: EvaluatorScenario) -> bool:
    """Tell whether a model decides anything that the scenario's caller says."""
    rules = scenario.conditional_actions
    if scenario.scenario_type == "instruction" or rules is None:
        return True
    return any(_asks_model(condition) for condition in rules.conditions)


def is_stuck(scenario: EvaluatorScenario, talked: Talked) -> bool:
    """Tell whether a caller by rules had nothing to do until the time was up, as is certain without a model.

    It is where all conditions look for words, and none for those that the agent said last.
    """
    rules = scenario.conditional_actions
    if scenario.scenario_type == "instruction" or rules is None or talked.status != "timeout":
        return False
    spoken = [item for item in talked.transcript if item.role == "Main Agent"]
    heard = heard_since(talked.transcript)
    if not heard.strip():
        return False
    waited = talked.duration - spoken[-1].end_time
    if talked.ended_reason != "Main agent-silence-timed-out" and waited < WAITED:
        return False
    standard = [c for c in rules.conditions if c.id != FIRST_MESSAGE and c.type == "standard"]
    return not any(_may_hold(condition.condition, heard) for condition in standard)


async def judge_caller(inquiry: Inquiry, setup: Setup) -> str | None:
    """Return what the caller did wrong, or None. Raises Upstream."""
    parts = _told(setup)
    share = inquiry.budget.share(len(parts))
    told = [f"{what}: {clip(text, share)}" for what, text in parts]
    verdict = await inquiry.ask(SimulatorVerdict, "\n".join([TASK, "What the caller was told:", *told]))
    return (clean(verdict.explanation) or "The caller made a mistake.") if verdict.mistake else None


def _asks_model(condition: Condition) -> bool:
    """Tell whether a model decides if a condition holds, or words its action; the first message is fixed."""
    if condition.id == FIRST_MESSAGE:
        return False
    prose = condition.condition.strip() and not is_contains(condition.condition)
    decides = condition.type == "standard" and bool(prose)
    return decides or (not condition.fixed_message and bool(tags.split(condition.action)[0]))


def _may_hold(condition: str, heard: str) -> bool:
    """Tell whether a condition holds; of one in prose, or that cannot be read, nobody knows."""
    try:
        return compiled(condition)(heard) if is_contains(condition) else bool(condition.strip())
    except BadConditionError:
        return True


def _told(setup: Setup) -> list[tuple[str, str]]:
    scenario = setup.scenario
    parts = [("instructions", scenario.instructions), ("language", scenario.scenario_language)]
    if scenario.conditional_actions is not None:
        parts += [("role", scenario.conditional_actions.role)]
        parts += [("rules", json_line(scenario.conditional_actions.model_dump(mode="json")["conditions"]))]
    if setup.personality is not None:
        parts += [("personality", setup.personality.prompt)]
    if setup.profile is not None:
        parts += [("facts", json_line(setup.profile.information.testing_agent_variables))]
    return [(what, text) for what, text in parts if text.strip()]
