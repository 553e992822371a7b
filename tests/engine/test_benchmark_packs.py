"""The recorded benchmarks that we ship: enough runs, all different, with calls that an agent could make."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.content import Agent, Benchmark, RecordedRun, Rubric, Tool
from server.engine.packs import Pack, read_pack

ROOT = Path(__file__).parents[2]
NAMES = ("office-hours-benchmark", "support-desk-benchmark")
SHARED_WORDS = 10
TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "number": (int, float), "integer": int}


def load(name: str) -> Pack:
    return read_pack((ROOT / "content" / f"{name}.yaml").read_bytes(), file=f"{name}.yaml")


def only_benchmark(pack: Pack) -> Benchmark:
    (found,) = [content for _, content in pack.contents if isinstance(content, Benchmark)]
    return found


def runs() -> Iterator[RecordedRun]:
    for name in NAMES:
        yield from only_benchmark(load(name)).runs


def test_there_are_enough_runs() -> None:
    found = list(runs())
    with_tools = [run for run in found if any(m.tool_calls for m in run.messages)]
    assert len(found) >= 40
    assert len(with_tools) >= 15
    assert len({run.id for run in found}) == len({run.name for run in found}) == len(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_has_agents_to_compare_and_rubrics_to_judge_by(name: str) -> None:
    pack = load(name)
    benchmark = only_benchmark(pack)
    agents = [content for _, content in pack.contents if isinstance(content, Agent)]
    rubrics = {content.id for _, content in pack.contents if isinstance(content, Rubric)}
    assert len(benchmark.runs) >= 20
    assert len(benchmark.agent_ids) == len(agents) >= 2
    assert len({agent.instructions for agent in agents}) == len(agents)
    assert all(agent.model is None and agent.tools == agents[0].tools for agent in agents)
    assert {run.rubric_id for run in benchmark.runs if run.rubric_id} | {benchmark.rubric_id} == rubrics


@pytest.mark.parametrize("name", NAMES)
def test_every_call_fits_the_schema_of_its_tool_and_every_tool_is_called(name: str) -> None:
    pack = load(name)
    (agent, *_) = [content for _, content in pack.contents if isinstance(content, Agent)]
    tools = {tool.name: tool for tool in agent.tools}
    called = set()
    for run in only_benchmark(pack).runs:
        answered = [m.tool_call_id for m in run.messages if m.role == "tool"]
        calls = [call for m in run.messages for call in m.tool_calls]
        assert answered == [call.id for call in calls], run.name
        for call in calls:
            check_arguments(tools[call.name], json.loads(call.arguments))
            called.add(call.name)
    assert called == set(tools)


def check_arguments(tool: Tool, arguments: dict[str, Any]) -> None:
    """Check arguments against the part of JSON schema that our tools use."""
    schema = tool.parameters
    assert schema["additionalProperties"] is False, tool.name
    properties = schema["properties"]
    assert set(schema["required"]) <= set(arguments) <= set(properties), (tool.name, arguments)
    for name, value in arguments.items():
        wanted = properties[name]
        assert isinstance(value, TYPES[wanted["type"]]), (tool.name, name, value)
        assert value in wanted.get("enum", [value]), (tool.name, name, value)
        assert not isinstance(value, int | float) or 0 < value <= wanted.get("maximum", value)


def test_every_conversation_is_whole() -> None:
    for run in runs():
        said = [m for m in run.messages if m.role != "tool"]
        assert said[0].role == "user", run.name
        assert sum(m.role == "user" for m in said) >= 2, run.name
        assert all(m.content for m in said if not m.tool_calls), run.name
        assert all(m.content for m in run.messages if m.role == "tool"), run.name
        assert not any(re.search(r"\bat: \d", m.content) for m in run.messages), run.name  # a lost field
        assert all(len(m.content.split()) <= 90 for m in said), run.name


def test_no_two_runs_share_a_long_piece_of_text() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for run in runs():
        for message in run.messages:
            words = re.findall(r"\w+", message.content.lower())
            for start in range(len(words) - SHARED_WORDS + 1):
                piece = tuple(words[start : start + SHARED_WORDS])
                assert seen.setdefault(piece, run.id) == run.id, (run.name, " ".join(piece))
