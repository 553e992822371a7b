"""`import-runs`, as a process."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schemas.content import Agent, Benchmark
from server.engine.ids import derive, new
from server.engine.packs import content_id
from server.store import connect
from tests.cli.programs import ROOT, Finished, command

CONTENT = ROOT / "content" / "support-desk-benchmark.yaml"
AGENT = content_id("support-desk-benchmark", "agent", "few-words")
FIND = {"name": "find", "description": "Finds.", "parameters": {"type": "object", "properties": {}}}


def talk(text: str, *, tool: str = "find", tools: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    return {
        "messages": [
            {"role": "user", "content": text},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
            {"role": "assistant", "content": "Here."},
        ],
        "tools": [{"type": "function", "function": tool} for tool in tools or []],
    }


class Desk:
    """Runs commands against a database of its own, and looks into it."""

    def __init__(self, url: str, path: Path) -> None:
        self.env = {"MONGODB_URL": url, "GREENROOM_MONGODB_DATABASE": f"import-{uuid4().hex[:12]}"}
        self.path = path

    def write(self, *records: object, name: str = "talks.jsonl") -> str:
        file = self.path / name
        file.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
        return str(file)

    async def run(self, *words: str) -> Finished:
        return await command(*words, "--data-dir", str(self.path), env=self.env)

    async def stored(self, key: str) -> Benchmark | None:
        store = connect(self.env["MONGODB_URL"], self.env["GREENROOM_MONGODB_DATABASE"])
        try:
            found = await store.content.body("benchmark", key, org="default")
            assert found is None or isinstance(found, Benchmark)
            return found
        finally:
            store.close()

    async def agent(self, key: str) -> Agent:
        store = connect(self.env["MONGODB_URL"], self.env["GREENROOM_MONGODB_DATABASE"])
        try:
            found = await store.content.body("agent", key, org="default")
            assert isinstance(found, Agent)
            return found
        finally:
            store.close()


@pytest.fixture
def desk(mongod_url: str, tmp_path: Path) -> Desk:
    return Desk(mongod_url, tmp_path)


async def test_a_file_becomes_a_benchmark_once(desk: Desk) -> None:
    file = desk.write(talk("Where is A?", tools=[FIND]), talk("Where is B?", tool="look"))
    first = await desk.run("import-runs", file)
    assert (first.code, first.err) == (0, "")
    key = derive("benchmark", "default", "talks")
    assert first.out.splitlines() == [
        f"talks: 2 runs added, 0 known already, 2 in all; benchmark {key}",
        "made the agent “talks: configured model” for the configured model, because none was named",
        "added to its agents: 2 tools (find, look)",
        "called but not defined in the file: look; their arguments are free",
    ]
    benchmark = await desk.stored(key)
    assert benchmark is not None
    assert [run.name for run in benchmark.runs] == ["Where is A?", "Where is B?"]
    (agent_id,) = benchmark.agent_ids
    agent = await desk.agent(agent_id)
    assert (agent.model, [tool.name for tool in agent.tools]) == (None, ["find", "look"])
    assert agent.tools[0].model_dump() == FIND
    again = await desk.run("import-runs", file)
    assert again.out.splitlines() == [f"talks: 0 runs added, 2 known already, 2 in all; benchmark {key}"]
    assert await desk.stored(key) == benchmark


async def test_bad_records_are_told_and_keep_the_good_ones_out(desk: Desk) -> None:
    file = desk.write(talk("Where is A?"), "{broken", {"messages": "x"})
    refused = await desk.run("import-runs", file, "--name", "Desk")
    assert (refused.code, refused.out) == (1, "")
    assert f"{file}:2: this is not valid JSON" in refused.err
    assert f"{file}:3: messages: a list is needed" in refused.err
    assert "nothing was imported; --skip-bad imports the other 1" in refused.err
    key = derive("benchmark", "default", "Desk")
    assert await desk.stored(key) is None
    skipped = await desk.run("import-runs", file, "--name", "Desk", "--skip-bad")
    assert skipped.code == 0
    assert f"skipped {file}:2: " in skipped.err
    assert "Desk: 1 run added" in skipped.out


async def test_a_benchmark_is_extended_by_its_name(desk: Desk) -> None:
    assert (await desk.run("load", str(CONTENT))).code == 0
    key = content_id("support-desk-benchmark", "benchmark", "desk")
    before = await desk.stored(key)
    assert before is not None
    file = desk.write(talk("Where is A?", tools=[FIND]))
    words = ("import-runs", file, "--benchmark", "Fernline's desk", "--agent", AGENT, "--rubric")
    done = await desk.run(*words, "Careful with somebody's account")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("Fernline's desk: 1 run added, 0 known already, 24 in all")
    assert "added to its agents: 1 tool (find)" in done.out
    after = await desk.stored(key)
    assert after is not None
    assert after.agent_ids == before.agent_ids
    assert after.runs[:-1] == before.runs
    assert after.rubric_id == content_id("support-desk-benchmark", "rubric", "guarded")
    assert "find" in {tool.name for tool in (await desk.agent(AGENT)).tools}


async def test_agents_without_the_tools_are_left_alone_and_told(desk: Desk) -> None:
    assert (await desk.run("load", str(CONTENT))).code == 0
    file = desk.write(talk("Where is A?", tools=[FIND]))
    done = await desk.run("import-runs", file, "--benchmark", "Fernline's desk")
    assert "called in the runs, but no agent has it: find" in done.out
    assert "find" not in {tool.name for tool in (await desk.agent(AGENT)).tools}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--benchmark", "Nothing"], "there is no benchmark with the id or name “Nothing”"),
        (["--benchmark", new()], "there is no benchmark with the id or name"),
        (["--rubric", "Nothing"], "there is no rubric with the id or name “Nothing”"),
        (["--agent", "Nobody"], "there is no agent with the id or name “Nobody”"),
        (["--benchmark", "a", "--name", "b"], "give one of them"),
    ],
)
async def test_what_is_named_and_not_there_is_told(desk: Desk, words: list[str], message: str) -> None:
    finished = await desk.run("import-runs", desk.write(talk("Where?")), *words)
    assert finished.code in (1, 2)
    assert message in finished.err
    assert "Traceback" not in finished.err
    assert finished.out == ""


async def test_a_file_that_is_empty_or_not_there_is_told(desk: Desk) -> None:
    empty = await desk.run("import-runs", desk.write("", name="empty.jsonl"))
    assert (empty.code, empty.out) == (1, "")
    assert "there are no records in this file" in empty.err
    missing = await desk.run("import-runs", str(desk.path / "none.jsonl"))
    assert f"cannot read {desk.path / 'none.jsonl'}" in missing.err
