"""OpenAI/default: what is asked, and what the calls of the answer come to."""

import pytest

from server.engine.batch.selectors.openai_default import MAX_DESCRIPTION
from server.errors import RateLimited, Upstream
from server.llm.completions import Completions
from server.llm.scripted import ScriptedModel
from tests.engine.batch.selecting import KLARNA, PROMPT, SCHEMA, WEB, asked, outcome, selected

DEFAULT = ("OpenAI", "default")
USER = {"role": "user", "content": PROMPT}


async def test_the_operations_are_offered_as_tools(scripted: ScriptedModel, completions: Completions) -> None:
    scripted.script([{"reply": "I do not know."}])
    await selected(completions, DEFAULT)
    body = scripted.requests[0].body
    assert list(body) == ["model", "messages", "tools", "tool_choice", "temperature", "n"]
    assert (body["model"], body["tool_choice"], body["temperature"], body["n"]) == ("gpt-4o", "auto", 0, 1)
    assert [tool["function"] for tool in body["tools"]] == [
        {
            "name": "get_products",
            "description": "Klarna Shopping: Find products Prices included",
            "parameters": SCHEMA,
        },
        {
            "name": "post_orders_id",
            "description": "Klarna Shopping: Order",
            "parameters": {"type": "object", "properties": {}},
        },
        {
            "name": "get_products_2",
            "description": "Web Search: Searches the web.",
            "parameters": {"type": "object", "properties": {}},
        },
    ]


async def test_plugin_cases_show_examples_and_signature_cases_helpers(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"reply": "Hm"}])
    await selected(completions, DEFAULT)
    await selected(completions, DEFAULT, case_type="api_signature_selector")
    await selected(completions, DEFAULT, plugins=[WEB])
    first, second, third = asked(scripted)
    assert first[0]["content"].splitlines()[1:] == [
        "",
        "get_products:",
        "- Show me T shirts",
        "- What do sneakers cost?",
    ]
    assert second[0]["content"].splitlines()[1:] == [
        "",
        "get_products:",
        "- q: what is wanted, in singular",
        "- size: how many",
    ]
    assert [first[0]["role"], first[1:], second[1:], third] == ["system", [USER], [USER], [USER]]


async def test_all_calls_are_taken_and_there_is_no_second_turn(
    scripted: ScriptedModel, completions: Completions
) -> None:
    calls = [
        {"name": "get_products", "arguments": {"q": "T shirt", "size": 5}},
        {"name": "get_products_2", "arguments": {}},
        {"name": "buy_it_all", "arguments": {"now": True}},
    ]
    scripted.script([{"reply": "Let me see.", "tool_calls": calls}])
    found = await selected(completions, DEFAULT)
    assert outcome(found) == [
        ("Klarna Shopping", "get_products", "get_products", "get", {"q": "T shirt", "size": 5}),
        ("Web Search", "get_products", "get_products_2", "get", {}),
        (None, None, "buy_it_all", None, {"now": True}),
    ]
    assert found.final_output is None
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "no JSON",
        "[1]",
        '"text"',
        "[" * 9000,
        '{"a":' * 50 + "1" + "}" * 50,
        '{"n":1e99}',
        '{"a\\u0000":1}',
    ],
)
async def test_arguments_that_are_no_object_to_be_kept_are_none(
    scripted: ScriptedModel, completions: Completions, arguments: str
) -> None:
    scripted.script([{"tool_calls": [{"name": "get_products", "arguments": arguments}]}])
    found = await selected(completions, DEFAULT)
    assert outcome(found) == [("Klarna Shopping", "get_products", "get_products", "get", {})]


async def test_without_a_call_the_text_is_the_outcome(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"reply": "I do not know.", "times": 1}, {"reply": ""}])
    found = await selected(completions, DEFAULT)
    assert (found.final_output, list(found.detected)) == ("I do not know.", [])
    assert (await selected(completions, DEFAULT)).final_output == ""


async def test_without_an_operation_nothing_is_asked(
    scripted: ScriptedModel, completions: Completions
) -> None:
    bare = type(KLARNA)(
        manifest_url="https://x.example", name="Bare", names=(), description="", operations=(), document=""
    )
    found = await selected(completions, DEFAULT, plugins=[bare])
    assert (found.final_output, list(found.detected)) == ("No functions found", [])
    assert not scripted.requests


async def test_long_descriptions_are_cut(scripted: ScriptedModel, completions: Completions) -> None:
    wordy = type(WEB)(
        manifest_url=WEB.manifest_url,
        name=WEB.name,
        names=(),
        description="x" * 5000,
        operations=WEB.operations,
        document="",
    )
    await selected(completions, DEFAULT, plugins=[wordy])
    assert len(scripted.requests[0].body["tools"][0]["function"]["description"]) == MAX_DESCRIPTION


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (500, Upstream), (401, Upstream)])
async def test_a_failure_is_not_tried_again_here(
    scripted: ScriptedModel, completions: Completions, status: int, kind: type[Exception]
) -> None:
    scripted.script([{"status": status}])
    with pytest.raises(kind):
        await selected(completions, DEFAULT)
    assert len(scripted.requests) == 1
