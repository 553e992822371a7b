"""Runs what the README and docs/evaluators.md show of evaluators, as it stands there."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from schemas.evaluator import RESOURCES, ConditionalActions
from server.cli.evaluate_file import read_evaluation
from server.engine.evaluator.callers import actions
from server.engine.evaluator.judging import built_in
from server.engine.evaluator.resource_checks import read_resource
from server.engine.ids import new
from server.transports import keys
from tests.cli.programs import environment
from tests.docs.readme import blocks, section
from tests.docs.test_rehearsal import shell
from tests.imports import ROOT
from tests.support.databases import databases
from tests.support.process import free_port
from tests.support.running import Server

PAGE = (ROOT / "docs" / "evaluators.md").read_text()
PORT = "8765"


def shown(language: str) -> list[str]:
    """Return the blocks of code of the page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_shows_the_readmes_command() -> None:
    assert blocks("Evaluators", "sh")[0] == shown("sh")[0]


async def test_the_first_evaluation_runs_as_it_is_written(mongod_url: str, tmp_path: Path) -> None:
    (tmp_path / "content").symlink_to(ROOT / "content")
    changes = {
        "MONGODB_URL": mongod_url,
        "GREENROOM_MONGODB_DATABASE": databases.keep(databases.name(mongod_url)),
        "GREENROOM_DATA_DIR": str(tmp_path / "data"),
        "PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }
    source = blocks("Evaluators", "sh")[0].replace(PORT, str(free_port()))
    code, output = await shell(
        source.replace(".venv/bin/python", sys.executable), cwd=tmp_path, env=environment(changes)
    )
    assert code == 0, output
    assert "4 of 10 runs succeeded" in output
    assert "Six of ten runs fail" in section("Evaluators")
    assert "Books what it confirms" in (tmp_path / "desk.html").read_text()


async def test_the_least_agent_answers_what_is_started_by_curl(server: Server) -> None:
    (source,) = shown("py")
    port = str(free_port())
    async with AsyncExitStack() as stack:
        agent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-c", source.replace(PORT, port)), stdout=PIPE, stderr=STDOUT
        )
        stack.callback(lambda: agent.kill() if agent.returncode is None else None)
        assert agent.stdout is not None
        assert port.encode() in await agent.stdout.readline()
        key = await server.app[keys.ACCESS].create_key(role="author", profile_id=new(), org="default")
        source = re.sub(r"^export .*\n", "", shown("sh")[1], flags=re.MULTILINE).replace(PORT, port)
        env = {**os.environ, "GREENROOM_URL": server.url, "KEY": key}
        code, output = await shell(source, cwd=ROOT, env=env)
        assert code == 0, output
        assert '"run_as_text":true' in output.replace(" ", "")
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"X-VOCERA-API-KEY": key}))
        async with http.get(f"{server.url}/test_framework/v1/results/1/") as response:
            result = await response.json()
        assert result["total_runs_count"] == 3
        async with http.post(f"{server.url}/test_framework/v1/results/1/end_calls/") as response:
            assert response.status == 200
        agent.kill()
        await agent.wait()


def test_the_file_and_the_rules_of_the_page_are_right(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(shown("yaml")[0])
    found = read_evaluation(file, agent_url="ws://127.0.0.1:1", tags=[])
    for part in (found.agent, *found.named):
        read_resource(part.kind, part.body)
    assert [part.body["metrics"] for part in found.scenarios] == [["Tells the price"]]
    (rules,) = shown("json")
    acts = ConditionalActions.model_validate_json(rules)
    assert actions.problems(acts, as_text=True) == []


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_field_of_a_resource_is_named(kind: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind}/`")]
    fields = RESOURCES[kind].model_fields.items()  # type: ignore[index]
    assert [name for name, field in fields if f"`{field.alias or name}`" not in row] == []


def test_every_built_in_metric_is_named() -> None:
    assert [name for name in built_in.NAMES if f"`{name}`" not in PAGE] == []
