"""Agents and benchmarks in packs: how conversations are written, and what is wrong with them."""

from pathlib import Path

import orjson
import pytest

from schemas.content import Agent, Benchmark, RecordedMessage
from server.engine.packs import PackError, content_id, read_pack

ROOT = Path(__file__).parents[2]
AGENTS = """\
pack: {id: desk, name: Desk}
agents:
  careful:
    name: Careful
    tools: &tools
      find:
        description: Find an order.
        parameters: {type: object, properties: {order: {type: string}}, required: [order]}
      cancel: {}
  brief: {name: Brief, tools: *tools}
benchmarks:
  main:
    name: Main
    agents: [careful, brief]
    runs:
"""
RUN = "      one:\n        messages:\n"


def benchmark(runs: str) -> Benchmark:
    (*_, (_, content)) = read_pack(AGENTS + runs, file="p.yaml").contents
    assert isinstance(content, Benchmark)
    return content


def messages(*lines: str) -> list[RecordedMessage]:
    return benchmark(RUN + "".join(f"          {line}\n" for line in lines)).runs[0].messages


def problems(*lines: str) -> list[tuple[int, str, str]]:
    """Return line (of the messages), last part of the path and text of each problem of a run's messages."""
    with pytest.raises(PackError) as caught:
        messages(*lines)
    above = (AGENTS + RUN).count("\n")
    return [(p.line - above, p.path.rpartition("messages.")[2], p.message) for p in caught.value.problems]


def test_an_agent_has_tools_under_their_names() -> None:
    contents = read_pack(AGENTS + RUN + "          - user: Hi\n", file="p.yaml").contents
    agents = [content for _, content in contents if isinstance(content, Agent)]
    assert [tool.name for tool in agents[0].tools] == ["find", "cancel"]
    assert agents[0].tools == agents[1].tools
    assert agents[0].tools[0].parameters["required"] == ["order"]
    assert [agent.id for agent in agents] == [content_id("desk", "agent", k) for k in ("careful", "brief")]


def test_calls_belong_to_the_text_above_and_results_to_the_calls() -> None:
    found = messages(
        "- system: Be kind.",
        "- {user: Where is it?, at: 1}",
        "- assistant: I look.",
        "- call: {name: find, arguments: {order: A-17, deep: [1, {é: null}]}}",
        "- call: {name: cancel}",
        "- result: {state: lost, since: 2026-05-01}",
        "- result: cancelled",
        "- {assistant: It is lost., at: 12.5}",
        "- call: {name: find, arguments: {order: B}}",
        "- result: []",
    )
    assert [m.role for m in found] == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]
    assert [m.at_ms for m in found] == [None, 1000, None, None, None, 12_500, None]
    assert [(c.id, c.name) for c in found[2].tool_calls] == [("call_1", "find"), ("call_2", "cancel")]
    assert orjson.loads(found[2].tool_calls[0].arguments) == {"order": "A-17", "deep": [1, {"é": None}]}
    assert [(m.tool_call_id, m.content) for m in found if m.role == "tool"] == [
        ("call_1", '{"state": "lost", "since": "2026-05-01"}'),
        ("call_2", "cancelled"),
        ("call_3", "[]"),
    ]


def test_calls_without_a_text_are_a_turn_of_their_own_after_results() -> None:
    found = messages(
        "- user: Where?",
        "- call: [{name: find, arguments: {order: A}}, {name: find, arguments: {order: B}}]",
        "- result: gone",
        "- result: here",
        "- call: {name: cancel}",
        "- result: done",
    )
    assert [(m.role, len(m.tool_calls)) for m in found] == [
        ("user", 0),
        ("assistant", 2),
        ("tool", 0),
        ("tool", 0),
        ("assistant", 1),
        ("tool", 0),
    ]


def test_the_long_form_means_the_same() -> None:
    long = messages(
        "- {role: user, content: Where?}",
        "- {role: assistant, content: Hm., tool_calls: [{id: x, name: find, arguments: '{\"order\": 1}'}, "
        "{id: y, type: function, function: {name: cancel, arguments: '{}'}}]}",
        "- {role: tool, tool_call_id: y, content: second}",
        "- {role: tool, tool_call_id: x, content: first, at_ms: 7}",
        "- {role: assistant, tool_calls: [{id: z, name: cancel}]}",
        "- {role: tool, content: third}",
    )
    assert [c.id for m in long for c in m.tool_calls] == ["x", "y", "z"]
    assert [(m.tool_call_id, m.content) for m in long if m.role == "tool"] == [
        ("y", "second"),
        ("x", "first"),
        ("z", "third"),
    ]
    assert long[0] == messages("- user: Where?")[0]


def test_a_run_is_known_by_its_key_and_named_by_it() -> None:
    runs = "      lost: {messages: [{user: Hi}]}\n      found: {name: Found!, messages: [{user: Hi}]}\n"
    found = benchmark(runs).runs
    assert [run.name for run in found] == ["lost", "Found!"]
    again = benchmark(runs.replace("{user: Hi}", "{user: Hello}").replace("Found!", "Found?")).runs
    assert [run.id for run in again] == [run.id for run in found]
    assert len({run.id for run in found}) == 2


def test_runs_of_one_name_need_keys() -> None:
    twice = "      - {name: a, messages: [{user: x}]}\n      - {name: a, messages: [{user: y}]}\n"
    with pytest.raises(
        PackError, match=r"p.yaml:17: benchmarks.main.runs.1: another one above has this name"
    ):
        benchmark(twice)
    assert (
        len(
            benchmark(
                twice.replace("- {name: a, messages: [{user: y", "- {key: b, name: a, messages: [{user: y")
            ).runs
        )
        == 2
    )


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("- user: 42", "1.user", "this should be a text: put 42 into quotes"),
        ("- user:", "1.user", "this should be a text"),
        ("- plain", "1", "a message is a mapping with one of system"),
        ("- {user: a, assistant: b}", "1", "call, result; write each as an item of its own"),
        ("- custumer: a", "1.custumer", "call, result; did you mean `user`?"),
        ("- xyz: a", "1.xyz", "a message is one of system, user, assistant, call, result, not `xyz`"),
        ("- result: x", "1.result", "no call above waits for this result"),
        ("- call: find", "1.call", "a call is written {name: lookup_order, arguments: {order: A-17}}"),
        ("- call: {name: cancel}", "1.call", "this call has no result: write it as `- result: {…}`"),
        ("- {role: bot, content: a}", "1.role", "this should be system, user, assistant or tool"),
        ("- {role: tool, tool_call_id: zz}", "1.tool_call_id", "with the id `zz` waits for this result"),
        (
            "- {role: user, content: a, toolcalls: []}",
            "1.toolcalls",
            "no field `toolcalls`; did you mean `tool_calls`?",
        ),
        ("- {role: user, content: a, tool_calls: [{}]}", "1.tool_calls", "only the assistant calls tools"),
        ("- {user: a, at: -1}", "1.at", "this should be a number of seconds after the beginning"),
        ("- {user: a, at: 2}", "1.at", "this is earlier than the message above"),
    ],
)
def test_a_mistake_in_a_message_is_told_with_its_line(line: str, place: str, message: str) -> None:
    ((found_line, found_place, found),) = problems("- {user: Hi, at: 3}", line)
    assert (found_line, found_place) == (2, place)
    assert message in found


@pytest.mark.parametrize(
    ("call", "place", "message"),
    [
        ("{name: fnd}", "name", "no agent of this benchmark has a tool `fnd`; did you mean `find`?"),
        ("{name: find, arguments: [a]}", "arguments", "arguments are a mapping, such as {order: A-17}"),
        ("{name: find, arguments: '[1]'}", "arguments", "arguments are a mapping, such as {order: A-17}"),
        ("{name: find, arguments: {n: 1e999}}", "arguments", "a number in here is too large"),
        (
            "{name: find, arguments: {order: A, late and lost}}",
            "arguments.late and lost",
            "inside {} a comma",
        ),
        ("{name: find, with: {}}", "with", "there is no field `with`; a call has id, name, arguments"),
    ],
)
def test_a_mistake_in_a_call_is_told_with_its_line(call: str, place: str, message: str) -> None:
    ((line, found_place, found),) = problems("- user: Hi", f"- call: {call}", "- result: x")
    assert (line, found_place) == (2, f"1.call.{place}")
    assert message in found


def test_ids_of_calls_differ() -> None:
    again = problems("- user: Hi", "- call: [{name: find, id: a}, {name: cancel, id: a}]", "- result: x")
    assert again == [(2, "1.call.1.id", "the id `a` is taken by a call above")]


def test_an_agent_that_is_missing_or_foreign_leaves_the_tools_open() -> None:
    run = RUN + "          - user: Hi\n          - call: {name: anything}\n          - result: x\n"
    source = AGENTS.replace("[careful, brief]", "[careful, other/agent]") + run
    with pytest.raises(PackError) as caught:
        read_pack(source, file="p.yaml")
    assert [p.path for p in caught.value.problems] == ["benchmarks.main.agents.1"]
    assert len(read_pack(source, file="p.yaml", known=lambda kind, key: True).contents) == 3


def test_a_run_without_a_user_or_messages_is_refused() -> None:
    with pytest.raises(PackError) as caught:
        benchmark("      a: {messages: [{assistant: Hm}]}\n      b: {messages: hello}\n      c: {}\n")
    assert [(p.path.rpartition("runs.")[2], p.message) for p in caught.value.problems] == [
        ("a", "no message is the user's, so there is nothing to replay"),
        ("b.messages", "this should be a list of messages, such as `- user: Where is my parcel?`"),
        ("c.messages", "this is missing"),
    ]
