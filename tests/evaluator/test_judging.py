"""Runs that are played and judged by a server, from their conversation to what is read back."""

from typing import Any

import pytest

from schemas.envelope import JsonObject
from tests.evaluator.agents import agent, patient
from tests.evaluator.lab import Lab

PASS: Any = {"operator": "==", "value": True}
PROMPT = "The clerk says yes to {{test_profile.name}}."
METRICS: list[JsonObject] = [
    {"name": "said yes", "type": "custom_code", "pass": PASS},
    {"name": "latency_p90", "type": "built_in", "pass": {"operator": "<", "value": 60_000}},
    {"name": "kind", "prompt": "Was it kind to {{test_profile.name}}?", "pass": PASS},
]
METRICS[0]["code"] = 'data.transcript.exists(t, t.role == "Main Agent" && t.content.matches("(?i)yes"))'


def outcome(met: bool) -> JsonObject:
    value = {"outcomes": [{"outcome": "It says yes.", "explanation": "m2 says so.", "met": met}]}
    return {"match": {"schema": "OutcomesVerdict", "system_contains": "yes to Ada."}, "json": value}


KIND = {
    "match": {"schema": "BinaryAnswer", "system_contains": "kind to Ada?"},
    "json": {"explanation": "It was.", "value": True},
}
DOWN = {"status": 400, "error": {"message": "no such thing"}}


async def judged(lab: Lab, *rules: JsonObject, freq: int = 1) -> JsonObject:
    """Return a result whose runs are judged by all kinds of metrics, and by their expected outcome."""
    lab.server.model.script(rules)
    metrics = [(await lab.resources.create(lab.author, "metrics", body))["id"] for body in METRICS]
    profile = {"name": "Ada", "information": {"testing_agent_variables": {"name": "Ada"}}}
    told = (await lab.resources.create(lab.author, "test-profiles", profile))["id"]
    async with agent(patient) as called:
        scenario = await lab.scenario(
            await lab.agent(called.url),
            metrics=metrics,
            test_profile=told,
            expected_outcome_prompt=PROMPT,
        )
        return await lab.ended(await lab.start(scenario, freq=freq))


@pytest.mark.parametrize(("met", "rate"), [(True, 100.0), (False, 0.0)])
async def test_a_run_is_judged_by_its_outcome_and_its_metrics(lab: Lab, met: bool, rate: float) -> None:
    view = await judged(lab, outcome(met), KIND)
    assert (view["status"], view["success_rate"]) == ("completed", rate)
    [run] = view["runs"].values()
    assert (run["status"], run["success"]) == ("completed", met)
    values = {m["name"]: (m["value"], m["passed"]) for m in run["evaluation"]["metrics"]}
    assert values["said yes"] == values["kind"] == (True, True)
    assert values["latency_p90"][1] is True
    assert run["expected_outcome"]["outcomes"][0]["explanation"] == "m2 says so."


async def test_a_run_that_could_not_be_judged_is_judged_again(lab: Lab) -> None:
    view = await judged(lab, DOWN)
    [run] = view["runs"].values()
    assert (run["status"], run["success"], view["success_rate"]) == ("completed", None, 0.0)
    assert "could not be judged" in run["error_message"]
    assert "no such thing" not in run["error_message"]
    lab.server.model.script([outcome(True), KIND])
    await lab.evaluators.evaluate_metrics(lab.author, view["id"], None)
    again = await lab.ended(view["id"], ends=2)
    [run] = again["runs"].values()
    assert (run["success"], run["error_message"], again["success_rate"]) == (True, None, 100.0)


async def test_runs_of_one_scenario_differ_and_say_how_reliable_it_is(lab: Lab) -> None:
    view = await judged(lab, {**outcome(True), "times": 1}, outcome(False), KIND, freq=2)
    assert (view["success_rate"], view["pass_hat_k"]) == (50.0, [0.5, 0.0])
