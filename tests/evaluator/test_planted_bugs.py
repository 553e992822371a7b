"""The demo agent's scenarios find what is planted in it, and nothing else; callers' mistakes stand apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import pytest

from content.evaluator.demo_agent import BUGS
from schemas.envelope import JsonObject
from server.cli.evaluate import code_of
from server.cli.evaluate_figures import reasons_of, word_of
from server.cli.evaluate_file import read_evaluation
from server.cli.evaluate_link import EvaluateLink
from server.cli.evaluate_making import Maker
from server.cli.where import Reached
from server.engine.ids import new
from tests.evaluator.lab import Lab
from tests.evaluator.trattoria import FILE, GRACE, MARY, script, trattoria

BOOKINGS = {
    *("All at once", "One thing after the other", "An allergy at the beginning", "An allergy in passing"),
    *("A change of mind", "Full, so later", GRACE, MARY),
}
OTHERS = {"Closed on Mondays", "A booking to cancel", "A question only", "Too many for the desk"}
ALLERGIES = {"An allergy at the beginning", "An allergy in passing"}
JUDGED = "not met: What was expected – Nothing in the conversation shows it."
FOUND: Mapping[str, Mapping[str, set[str]]] = {
    "wrong-date": {
        **{name: {"Books what it confirms is False"} for name in BOOKINGS},
        "One thing after the other": {"Books what it confirms is False", "Books as asked is False"},
    },
    "forgets-allergy": {**{name: {"Notes the allergy is False"} for name in ALLERGIES}, MARY: {JUDGED}},
    "claims-booking": {
        **{name: {"Books once is False"} for name in BOOKINGS},
        **{name: {"Books once is False", "Notes the allergy is False"} for name in ALLERGIES},
        "One thing after the other": {"Books once is False", "Books as asked is False"},
        **{name: {"Books once is False", JUDGED} for name in (GRACE, MARY)},
    },
}


@dataclass
class Evaluated:
    """A result, and its runs as they are read, each with its scenario's name."""

    result: JsonObject
    runs: list[tuple[str, JsonObject]]

    def alarms(self) -> dict[str, set[str]]:
        """Return why runs have not succeeded, by scenario; where the caller erred it is no alarm."""
        bad = [(name, run) for name, run in self.runs if word_of(run) not in ("succeeded", "caller erred")]
        return {name: set(reasons_of(run)) for name, run in bad}

    def erred(self) -> list[str]:
        """Return the scenarios whose caller made a mistake."""
        return [name for name, run in self.runs if word_of(run) == "caller erred"]


async def evaluated(
    lab: Lab, *bugs: str, freq: int = 1, forgetful: bool = False, tags: Sequence[str] = ()
) -> Evaluated:
    """Run the scenarios of the file against the demo agent, as the command does."""
    lab.server.model.script(script(forgetful=forgetful))
    token = lab.server.token(new(), role="author")
    headers = {"Authorization": f"Bearer {token}"}
    async with trattoria(*bugs) as agent, aiohttp.ClientSession(lab.server.url, headers=headers) as http:
        maker = Maker(http)
        made = await maker.make(read_evaluation(FILE, agent_url=agent, tags=list(tags)), FILE)
        link = EvaluateLink(Reached(url=lab.server.url, token=token, http=http))
        body = {"agent_id": made.agent, "scenarios": list(made.scenarios), "freq": freq}
        await link.start(body)
        result = await link.follow(lambda _: None)
        runs = [(made.scenarios[run["scenario"]], run) async for run in link.runs()]
        assert await maker.remove() == []
    return Evaluated(result, runs)


@pytest.mark.parametrize("bug", BUGS)
async def test_every_planted_bug_is_found_by_what_it_spoils(lab: Lab, bug: str) -> None:
    found = await evaluated(lab, bug)
    assert found.alarms() == FOUND[bug]
    assert found.erred() == []
    assert {run["status"] for _, run in found.runs} == {"completed"}
    assert found.result["success_runs_count"] == len(BOOKINGS | OTHERS) - len(FOUND[bug])
    assert code_of(found.result, None) == 1


async def test_all_bugs_together_are_found_too(lab: Lab) -> None:
    found = await evaluated(lab, *BUGS)
    assert set(found.alarms()) == BOOKINGS


async def test_there_is_no_alarm_about_an_agent_without_bugs(lab: Lab) -> None:
    found = await evaluated(lab, freq=2)
    assert found.alarms() == {}
    assert found.erred() == []
    assert len(found.runs) == 2 * len(BOOKINGS | OTHERS)
    assert {name for name, _ in found.runs} == BOOKINGS | OTHERS
    assert (found.result["success_rate"], found.result["pass_hat_k"]) == (100.0, [1.0, 1.0])
    assert code_of(found.result, None) == 0


async def test_a_callers_mistake_is_not_held_against_the_agent(lab: Lab) -> None:
    found = await evaluated(lab, forgetful=True, freq=2)
    assert found.alarms() == {}
    assert found.erred() == [MARY, MARY]
    assert found.result["simulator_errors_count"] == 2
    assert {run["simulator_error"] for name, run in found.runs if name == MARY} == {
        "The caller did not speak of its allergy."
    }
    assert found.result["pass_hat_k"] == [1.0, 1.0]
    assert code_of(found.result, None) == 0


async def test_rules_need_no_model(lab: Lab) -> None:
    found = await evaluated(lab, tags=["rules"])
    assert found.alarms() == {}
    assert {name for name, _ in found.runs} == (BOOKINGS | OTHERS) - {GRACE, MARY}
    assert lab.server.model.requests == []
