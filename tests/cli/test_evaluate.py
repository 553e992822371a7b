"""`evaluate`, as a process: beside a running server, with one of its own, and in a terminal."""

import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import orjson
import pytest
import pytest_asyncio

from server.cli.evaluate_figures import reasons_of
from server.cli.evaluate_file import read_evaluation
from server.cli.failure import Failure
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.cli.programs import command
from tests.cli.terminal import terminal
from tests.evaluator.trattoria import FILE, MARY, script, trattoria
from tests.imports import ROOT
from tests.support.databases import databases
from tests.support.process import free_port
from tests.support.program import Program
from tests.support.running import Server, running, settings_for

RULES = 10  # scenarios of the file that need no model


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that may call agents of this machine."""
    settings = settings_for(mongod_url, model[1]).model_copy(update={"private_urls": True})
    async with running(settings) as (url, app):
        model[0].script(script())
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest.fixture
def env(server: Server) -> dict[str, str]:
    """Name the server and an author's token."""
    return {"GREENROOM_URL": server.url, "GREENROOM_TOKEN": server.token(new(), role="author")}


def words(agent: str, *more: str, file: Path = FILE) -> list[str]:
    return ["evaluate", "--agent", agent, "--scenarios", str(file), *more]


async def kept(env: Mapping[str, str], kind: str) -> int:
    """Return how many things of a kind the server keeps."""
    headers = {"Authorization": f"Bearer {env['GREENROOM_TOKEN']}"}
    async with (
        aiohttp.ClientSession(env["GREENROOM_URL"], headers=headers) as http,
        http.get(f"/test_framework/v1/{kind}/") as response,
    ):
        count: int = (await response.json())["count"]
        return count


def written(folder: Path, found: Any) -> Path:
    file = folder / "scenarios.json"
    file.write_bytes(orjson.dumps(found))
    return file


def waiting(folder: Path) -> Path:
    """Write a scenario whose caller waits for what the demo agent never says."""
    role = {"role": "x", "conditions": [{"id": 1, "condition": 'contains "never"', "action": "Oh."}]}
    acts = {"scenario_type": "conditional_actions", "conditional_actions": role}
    agent = {"agent_gives_first_message": True}
    return written(folder, {"agent": agent, "scenarios": [{"name": "waits", **acts}]})


async def test_runs_are_told_and_reported_and_nothing_but_the_result_stays(
    env: dict[str, str], tmp_path: Path
) -> None:
    files = [tmp_path / f"report{suffix}" for suffix in (".html", ".xml", ".json")]
    options = [word for file in files for word in ("--report", str(file))]
    async with trattoria() as agent:
        finished = await command(*words(agent, "--tag", "rules", "--freq", "2", *options), env=env)
    assert (finished.code, finished.err) == (0, "")
    assert f"the result is kept: GET {env['GREENROOM_URL']}/test_framework/v1/results/" in finished.out
    assert "judged in" not in finished.out
    assert finished.out.count("succeeded     ") >= 2 * RULES
    assert f"{2 * RULES}/{2 * RULES}  succeeded" in finished.out
    assert "All at once #2" in finished.out
    assert f"is completed: {2 * RULES} of {2 * RULES} runs succeeded (100 %)" in finished.out
    assert "pass^k: 1: 1.00, 2: 1.00" in finished.out
    html, xml, json = (file.read_bytes() for file in files)
    assert html.lower().startswith(b"<!doctype html>")
    assert len(list(ElementTree.fromstring(xml).iter("testcase"))) == 2 * RULES
    assert orjson.loads(json)["success_runs_count"] == 2 * RULES
    for kind in ("aiagents", "scenarios", "metrics", "personalities", "test-profiles"):
        assert await kept(env, kind) == 0
    assert await kept(env, "results") == 1


async def test_the_reasons_are_told_and_the_exit_code_says_whether_enough_succeeded(
    env: dict[str, str],
) -> None:
    async with trattoria("forgets-allergy") as agent:
        finished = await command(*words(agent, "--tag", "allergy", "--keep"), env=env)
        assert finished.code == 1
        assert "Notes the allergy is False" in finished.out
        assert "not met: What was expected – Nothing in the conversation shows it." in finished.out
        assert await kept(env, "scenarios") == 3
        tolerant = await command(*words(agent, "--fail-under", "70", "--json"), env=env)
    assert tolerant.code == 0, tolerant
    runs = [orjson.loads(line) for line in tolerant.out.splitlines()]
    assert len(runs) == 12
    assert sorted(run["scenario_name"] for run in runs if not run["success"]) == [
        MARY,
        "An allergy at the beginning",
        "An allergy in passing",
    ]
    assert "9 of 12 runs succeeded (75 %)" in tolerant.err


async def test_what_a_caller_did_wrong_does_not_count(server: Server, env: dict[str, str]) -> None:
    server.model.script(script(forgetful=True))
    async with trattoria() as agent:
        finished = await command(*words(agent, "--tag", "model"), env=env)
    assert finished.code == 0, finished
    assert "the caller: The caller did not speak of its allergy." in finished.out
    assert "our caller erred in 1 of them" in finished.out


async def test_what_could_not_be_judged_is_no_success_and_says_why(
    server: Server, env: dict[str, str]
) -> None:
    unjudged = {"match": {"schema": "OutcomesVerdict"}, "status": 400, "error": {"message": "no"}}
    server.model.script([unjudged, *script()])
    async with trattoria() as agent:
        finished = await command(*words(agent, "--tag", "model"), env=env)
    assert (finished.code, finished.err) == (1, "")
    assert "2/2  broken" in finished.out
    assert finished.out.count("The expected outcome could not be judged") == 2
    assert "0 of 2 runs succeeded" in finished.out


async def test_an_agent_that_is_not_there_is_told_so(env: dict[str, str]) -> None:
    finished = await command(*words("ws://127.0.0.1:1/", "--tag", "allergy"), env=env)
    assert finished.code == 1
    assert "broken" in finished.out
    assert finished.out.count("Main agent-call-not-connected") >= 3
    assert (finished.err, finished.out.count("is failed: 0 of 3 runs succeeded")) == ("", 1)


async def test_a_scenario_with_nothing_that_is_judged_is_named_before_and_after(
    env: dict[str, str], tmp_path: Path
) -> None:
    found = orjson.loads(waiting(tmp_path).read_bytes())
    found["metrics"] = [{"name": "turns", "type": "built_in"}]
    greets = {"id": 1, "condition": 'contains "help"', "action": "Bye. <endcall/>", "fixed_message": True}
    found["scenarios"][0]["conditional_actions"]["conditions"] = [greets]
    found["scenarios"][0]["metrics"] = ["turns"]
    async with trattoria() as agent:
        finished = await command(*words(agent, file=written(tmp_path, found)), env=env)
    assert finished.code == 0, finished
    assert finished.out.index("nothing is judged in “waits”: ") < finished.out.index("1/1  succeeded")
    assert finished.out.index("nothing was judged in “waits”: ") > finished.out.index("is completed")


async def test_ctrl_c_ends_the_calls_and_shows_what_there_is(env: dict[str, str], tmp_path: Path) -> None:
    async with (
        trattoria() as agent,
        terminal(*words(agent, file=waiting(tmp_path)), env=env) as screen,
    ):
        await screen.until("How can I help you?")
        screen.process.send_signal(signal.SIGINT)
        await screen.until("ending the calls")
        await screen.until("is cancelled: 0 of 1 runs succeeded")
        assert await screen.finish() == 130
    assert await kept(env, "aiagents") == 0


async def test_everything_that_the_server_has_against_a_file_is_told(
    env: dict[str, str], tmp_path: Path
) -> None:
    bad = {"name": "second", "type": "custom_code", "code": "data.("}
    wrong = {"metrics": [{"name": "first", "type": "guess"}, bad], "scenarios": [{"name": "x"}]}
    finished = await command(*words("ws://127.0.0.1:1/", file=written(tmp_path, wrong)), env=env)
    assert (finished.code, finished.out) == (2, "")
    assert "metrics[0] “first”: type: " in finished.err
    assert "metrics[1] “second”: code: " in finished.err
    assert await kept(env, "aiagents") == 0
    learner = {**env, "GREENROOM_TOKEN": "no token"}
    refused = await command(*words("ws://127.0.0.1:1/"), env=learner)
    assert (refused.code, refused.out) == (2, "")
    assert "refuses the token" in refused.err


async def test_without_a_server_one_is_started_and_the_demo_agent_is_a_program(
    mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> None:
    model[0].script(script())
    settings = settings_for(mongod_url, model[1])
    alone = {
        "PORT": str(free_port()),
        "MONGODB_URL": mongod_url,
        "GREENROOM_MONGODB_DATABASE": databases.keep(settings.mongodb_database),
        "OPENAI_BASE_URL": model[1],
        "OPENAI_API_KEY": "not-a-key",
    }
    desk = Program(
        ["content.evaluator.demo_agent", "--port", "0", "--bug", "wrong-date"],
        environment={"PATH": str(Path(sys.executable).parent)},
        log=tmp_path / "desk.log",
    )
    agent = await desk.start()
    try:
        finished = await command(*words(agent, "--data-dir", str(tmp_path / "data")), env=alone)
    finally:
        await desk.kill()
    assert "one is started for this evaluation" in finished.out
    assert (
        "start a server with the same data (python -m server serve), and GET /test_framework" in finished.out
    )
    assert (finished.code, finished.err) == (1, "")
    assert "4 of 12 runs succeeded (33.33 %)" in finished.out


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"scenarios": []}, "scenarios: List should have at least 1 item"),
        ({"scenarios": [{"name": "x"}], "agents": {}}, "agents: agents is no field; is agent meant?"),
        (
            {"scenarios": [{"name": "x"}], "agent": {"nickname": 1}},
            "agent.nickname: nickname is no field here",
        ),
        (
            {"scenarios": [{"name": "x"}], "metrics": [{"name": "m", "passes": {}}]},
            "metrics[0].passes: passes is no field; is pass meant?",
        ),
        (
            {"scenarios": [{"name": "x", "expected_outcome": "All is well."}]},
            "scenarios[0].expected_outcome: expected_outcome is no field; is expected_outcome_prompt meant?",
        ),
        (
            {"scenarios": [{"name": "x", "conditional_actions": {"conditions": [{"id": 1, "fixed": 1}]}}]},
            "scenarios[0].conditional_actions.conditions[0].fixed: fixed is no field here",
        ),
        ({"scenarios": [{"instructions": "x"}]}, "scenarios[0].name: Field required"),
        ({"scenarios": [{"name": "x"}, {"name": "x"}]}, "scenarios: “x” stands there 2 times"),
        ({"scenarios": [{"name": "x", "metrics": ["m"]}]}, "scenarios[0].metrics: metrics has no “m”"),
        (
            {"scenarios": [{"name": "x", "personality": "p"}]},
            "scenarios[0].personality: personalities has no “p”",
        ),
        ([], "this is a list"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_with_its_place(tmp_path: Path, found: Any, problem: str) -> None:
    with pytest.raises(Failure, match=r"scenarios\.json") as refused:
        read_evaluation(written(tmp_path, found), agent_url="ws://127.0.0.1:1/", tags=[])
    assert problem in str(refused.value)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    scenario = {"name": "x", "metrics": ["m", 7], "test_profile": "t"}
    with pytest.raises(Failure, match="has 2 problems") as refused:
        read_evaluation(written(tmp_path, {"scenarios": [scenario]}), agent_url="ws://a/", tags=[])
    assert str(refused.value).count("\n") == 2
    with pytest.raises(Failure, match="no scenario has the tag nobody or none"):
        read_evaluation(FILE, agent_url="ws://a/", tags=["nobody", "none"])
    with pytest.raises(Failure, match=r"the tag rule$"):
        read_evaluation(FILE, agent_url="ws://a/", tags=["rules", "rule"])


def test_reasons_leave_out_what_informs_and_repeat_nothing() -> None:
    informs = {"name": "polite", "passed": None, "value": None, "error": "No model.", "explanation": ""}
    untimed = {
        **informs,
        "name": "latency_p95",
        "passed": False,
        "error": None,
        "explanation": "Nothing said.",
    }
    run = {
        "status": "timeout",
        "evaluation": {"metrics": [informs, untimed]},
        "expected_outcome": None,
        "error_message": "The agent said nothing for 300 seconds.",
        "metadata": {"ended_reason": "Main agent-silence-timed-out"},
    }
    told = ["latency_p95 has no value: Nothing said.", "The agent said nothing for 300 seconds."]
    assert list(reasons_of(run)) == told
    cancelled: dict[str, Any] = {
        **run,
        "status": "cancelled",
        "error_message": None,
        "evaluation": {"metrics": []},
    }
    assert list(reasons_of(cancelled)) == ["Main agent-silence-timed-out"]


def test_the_scenarios_lie_where_the_documentation_says() -> None:
    assert FILE == ROOT / "content" / "evaluator" / "scenarios.yaml"
    assert len(read_evaluation(FILE, agent_url="ws://a/", tags=[]).scenarios) == 12
