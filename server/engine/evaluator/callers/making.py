"""Which caller a run has, and what stands in the way of one."""

from schemas.evaluator_run import Setup
from server.engine.evaluator.callers import actions, templating
from server.engine.evaluator.callers.actions import ConditionalCaller
from server.engine.evaluator.callers.caller import Caller
from server.engine.evaluator.callers.persona_caller import PersonaCaller
from server.llm import Models


def caller_of(setup: Setup, models: Models) -> Caller:
    """Return the caller of one conversation, for a setup whose texts are filled in (templating.prepared)."""
    acts = setup.scenario.conditional_actions
    if setup.scenario.scenario_type == "conditional_actions" and acts is not None:
        return ConditionalCaller(setup, acts, models)
    return PersonaCaller(setup, models)


def problems(setup: Setup, *, as_text: bool) -> list[str]:
    """Return why a setup, as it was stored, cannot be run: its variables, conditions and tags."""
    found = templating.problems(setup)
    acts = setup.scenario.conditional_actions
    if found or acts is None or setup.scenario.scenario_type != "conditional_actions":
        return found
    filled = templating.prepared(setup).scenario.conditional_actions
    return actions.problems(filled or acts, as_text=as_text)
