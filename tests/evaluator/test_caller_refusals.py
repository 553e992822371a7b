"""What callers cannot play is refused over HTTP: when it is saved, or when it is started."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.evaluator.client import Client, agent_at, desk_of, scenario_of
from tests.support.running import Server

START = "scenarios/run_scenarios_text/"


@pytest_asyncio.fixture
async def author(server: Server) -> AsyncIterator[Client]:
    async with desk_of(server) as desk:
        yield await desk.person("author")


def acting(*conditions: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a scenario whose caller acts by these conditions."""
    return {"scenario_type": "conditional_actions", "conditional_actions": {"conditions": list(conditions)}}


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({"id": 1, "condition": "contains name", "action": "Ann."}, "`name` cannot be read"),
        ({"id": 1, "condition": "", "action": "Ann."}, "It has no condition"),
        ({"id": 1, "condition": "It rains", "action": "Bye <endcal/>"}, "<endcal/> is not a tag"),
        ({"id": 1, "type": "action_followup", "condition": 7, "action": "Ann."}, "follows the condition 7"),
    ],
)
async def test_bad_rules_are_not_saved(author: Client, condition: dict[str, Any], problem: str) -> None:
    body = {"name": "x", "agent": await agent_at(author), **acting(condition)}
    status, told = await author.outcome("scenarios/", body)
    assert status == 400
    assert problem in told["conditional_actions"][0]


async def test_a_scenario_for_a_voice_is_saved_but_not_run_as_text(author: Client) -> None:
    tones = {"id": 0, "action": '<dtmf digits="1"/> Hello', "fixed_message": True}
    scenario = await author.create("scenarios", agent=await agent_at(author), **acting(tones))
    status, told = await author.outcome(START, {"scenarios": [scenario]})
    assert status == 400
    assert "Condition 0: <dtmf/> acts in voice runs only" in told["scenarios"][0]


async def test_variables_without_a_value_are_refused_at_the_start(author: Client) -> None:
    agent = await agent_at(author)
    profile = await author.create(
        "test-profiles", name="Ann", information={"testing_agent_variables": {"a": 1}}
    )
    asking = {"instructions": "You are {{test_profile.name}}."}
    alone = await scenario_of(author, agent, **asking)
    lacking = await scenario_of(author, agent, **asking, test_profile=profile)
    for scenario, problem in ((alone, "there is no test profile"), (lacking, "has no such value")):
        status, told = await author.outcome(START, {"scenarios": [scenario]})
        assert status == 400
        assert problem in told["scenarios"][0]
