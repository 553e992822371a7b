"""Langchain/zero-shot-react-description: the form, the loop, and what counts as a call."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from server.engine.batch.selectors import prompts
from server.engine.batch.selectors.react import Action, Finish
from server.engine.batch.selectors.selection import ApiCall
from server.engine.batch.selectors.zero_shot import read
from server.errors import Upstream
from server.llm.completions import Completions
from server.llm.scripted import ScriptedModel
from tests.engine.batch.selecting import KLARNA, ORDER, PROMPT, WEB, asked, outcome, selected

REACT = ("Langchain", "zero-shot-react-description")
URL = "https://www.klarna.com/us/v0/products"
ORDERS = "https://www.klarna.com/us/orders"
FINAL = "Thought: I know the answer\nFinal Answer: Done."


def step(tool: str, given: str) -> str:
    return f"Thought: hm\nAction: {tool}\nAction Input: {given}"


def script(scripted: ScriptedModel, replies: Sequence[str]) -> None:
    scripted.script([{"reply": reply, "times": 1} for reply in replies])


def observed(scripted: ScriptedModel) -> list[str]:
    """Return what the model was told after each of its steps."""
    return [messages[-1]["content"] for messages in asked(scripted)[1:]]


async def test_the_model_reads_requests_and_answers(
    scripted: ScriptedModel, completions: Completions
) -> None:
    steps = [step("Klarna Shopping", "T shirts"), step("requests_get", f"{URL}?q=T+shirt&size=5"), FINAL]
    script(scripted, steps)
    found = await selected(completions, REACT)
    told = asked(scripted)[0][0]["content"]
    assert all(
        list(seen.body) == ["model", "messages", "stop", "temperature", "n"] for seen in scripted.requests
    )
    assert all(seen.body["stop"] == ["\nObservation:"] for seen in scripted.requests)
    assert asked(scripted)[-1] == [
        {"role": "system", "content": told},
        {"role": "user", "content": f"Question: {PROMPT}"},
        {"role": "assistant", "content": steps[0]},
        {"role": "user", "content": f"Observation: {KLARNA.description}\n\n{KLARNA.document}"},
        {"role": "assistant", "content": steps[1]},
        {"role": "user", "content": f"Observation: {prompts.NOT_CALLED}"},
    ]
    assert "\nKlarna Shopping: Tells what the plugin Klarna Shopping can do" in told
    names = "Klarna Shopping, Web Search, requests_get, requests_post, requests_patch, requests_put, "
    assert f"Action: one of [{names}requests_delete]" in told
    assert KLARNA.document not in told
    assert outcome(found) == [
        ("Klarna Shopping", "get_products", f"{URL}?q=T+shirt&size=5", "get", {"q": "T shirt", "size": "5"})
    ]
    assert found.final_output is None


async def test_without_a_request_the_answer_is_the_outcome(
    scripted: ScriptedModel, completions: Completions
) -> None:
    script(scripted, [step("Web Search", ""), "Final Answer: one\nFinal Answer:  two "])
    found = await selected(completions, REACT)
    assert (found.final_output, list(found.detected)) == ("two", [])


async def test_an_unknown_tool_is_answered_by_an_observation(
    scripted: ScriptedModel, completions: Completions
) -> None:
    script(scripted, [step("google", "x"), step("None", ""), FINAL])
    await selected(completions, REACT)
    assert observed(scripted)[0].startswith(
        "Observation: There is no tool google; use one of Klarna Shopping, "
    )
    assert observed(scripted)[1].startswith("Observation: There is no tool None; ")


async def test_what_cannot_be_read_is_asked_again_once(
    scripted: ScriptedModel, completions: Completions
) -> None:
    script(scripted, ["Hm.", step("web_search", ""), "", "I give up."])
    found = await selected(completions, REACT)
    assert (found.final_output, list(found.detected)) == ("I give up.", [])
    first, second, third = observed(scripted)
    assert first == third == prompts.AGAIN_TEXT
    assert second.startswith("Observation: Searches the web.")
    assert asked(scripted)[3][-2] == {"role": "assistant", "content": "Thought:"}  # no message is empty


async def test_requests_before_unreadable_text_count(
    scripted: ScriptedModel, completions: Completions
) -> None:
    script(scripted, [step("requests_get", URL), "Hm.", "Hm."])
    found = await selected(completions, REACT)
    assert (found.final_output, len(found.detected)) == (None, 1)


async def test_there_are_at_most_15_steps(scripted: ScriptedModel, completions: Completions) -> None:
    scripted.script([{"reply": step("Klarna Shopping", "again")}])
    found = await selected(completions, REACT)
    assert len(scripted.requests) == 15
    assert (found.final_output, list(found.detected)) == (step("Klarna Shopping", "again"), [])


async def test_a_model_without_stop_sequences_does_not_observe_by_itself(
    scripted: ScriptedModel, completions: Completions
) -> None:
    dream = step("requests_get", URL) + "\nObservation: 5 shirts\nThought: done\nFinal Answer: 5 shirts"
    refusal = {"status": 400, "times": 1, "error": {"message": "Not supported.", "param": "stop"}}
    scripted.script([refusal, {"reply": dream, "times": 1}, {"reply": FINAL}])
    found = await selected(completions, REACT)
    assert [call.target for call in found.detected] == [URL]
    assert observed(scripted)[-1] == f"Observation: {prompts.NOT_CALLED}"
    assert "stop" not in scripted.requests[-1].body


@pytest.mark.parametrize(
    ("tool", "given", "call"),
    [
        ("requests_get", f'"{URL}?q=a&q=b"', ("get_products", f"{URL}?q=a&q=b", "get", {"q": ["a", "b"]})),
        ("`Requests_Get`", f"{URL}\nThat finds them.", ("get_products", URL, "get", {})),
        (
            "requests_get",
            f'{{"url": "{URL}", "params": {{"q": "a"}}}}',
            ("get_products", URL, "get", {"q": "a"}),
        ),
        (
            "requests_post",
            f'```json\n{{"url": "{ORDERS}/7", "data": {{"size": 5}}}}\n```',
            (ORDER.name, f"{ORDERS}/7", "post", {"id": "7", "size": 5}),
        ),
        (
            "requests_post",
            f'{{"url": "{ORDERS}/7", "data": "{{\\"size\\": 5}}"}}',
            (ORDER.name, f"{ORDERS}/7", "post", {"id": "7", "size": 5}),
        ),
        (
            "requests_put",
            f'{{"url": "{ORDERS}/7", "data": "x"}}',
            (ORDER.name, f"{ORDERS}/7", "put", {"id": "7", "body": "x"}),
        ),
        ("requests_delete", "/orders/7", (ORDER.name, "/orders/7", "delete", {"id": "7"})),
    ],
)
async def test_inputs_are_read_as_models_write_them(
    scripted: ScriptedModel, completions: Completions, tool: str, given: str, call: tuple[Any, ...]
) -> None:
    script(scripted, [step(tool, given), FINAL])
    assert outcome(await selected(completions, REACT)) == [("Klarna Shopping", *call)]


async def test_addresses_of_no_operation_are_calls_of_none(
    scripted: ScriptedModel, completions: Completions
) -> None:
    script(scripted, [step("requests_get", "https://evil.example/x?q=1"), FINAL])
    found = await selected(completions, REACT)
    assert outcome(found) == [(None, None, "https://evil.example/x?q=1", "get", {"q": "1"})]


@pytest.mark.parametrize("given", ["", "T shirts", '{"q": 1}', '{"url": 5}', "{broken", "[" * 5000])
async def test_an_input_without_a_url_is_no_call(
    scripted: ScriptedModel, completions: Completions, given: str
) -> None:
    script(scripted, [step("requests_get", given), FINAL])
    found = await selected(completions, REACT)
    assert (list(found.detected), observed(scripted)) == ([], [f"Observation: {prompts.NO_URL}"])


async def test_calls_are_made_where_they_are_allowed(
    scripted: ScriptedModel, completions: Completions
) -> None:
    made: list[ApiCall] = []

    async def request(call: ApiCall) -> str:
        made.append(call)
        if call.method == "post":
            raise Upstream("www.klarna.com did not answer.")
        return "shirt " * 10_000

    order = f'{{"url": "{ORDERS}/7", "data": {{"a": 1}}}}'
    steps = [step("requests_get", URL), step("requests_post", order)]
    elsewhere = [step("requests_get", "https://evil.example/"), step("requests_get", "/v0/products")]
    script(scripted, [*steps, *elsewhere, FINAL])
    found = await selected(completions, REACT, request=request)
    answer, failed, unknown, relative = observed(scripted)
    assert answer == f"Observation: {('shirt ' * 10_000)[:8000]}"
    assert failed == "Observation: The request failed: www.klarna.com did not answer."
    assert (unknown, relative) == (
        f"Observation: {prompts.NO_OPERATION}",
        f"Observation: {prompts.NOT_ABSOLUTE}",
    )
    assert made == [
        ApiCall(method="get", url=URL),
        ApiCall(method="post", url=f"{ORDERS}/7", body={"a": 1}),
    ]
    assert len(found.detected) == 4


async def test_plugins_of_one_name_are_tools_of_their_own(
    scripted: ScriptedModel, completions: Completions
) -> None:
    twin = type(WEB)(
        manifest_url="https://b.example",
        name=WEB.name,
        names=WEB.names,
        description="The other one.",
        operations=(),
        document="{}",
    )
    script(scripted, [step("Web Search 2", ""), step("Web Search", ""), FINAL])
    await selected(completions, REACT, plugins=[WEB, twin])
    assert [text.split("\n")[0] for text in observed(scripted)] == [
        "Observation: The other one.",
        "Observation: Searches the web.",
    ]


async def test_cancelling_closes_the_call_of_the_model(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"hang": True}])
    run = asyncio.ensure_future(selected(completions, REACT))
    await scripted.until("running")
    run.cancel()
    await scripted.until("closed_by_client")
    with pytest.raises(asyncio.CancelledError):
        await run


def test_steps_are_read() -> None:
    assert read("**Action:** a b\n**Action Input:** x\ny") == Action("a b", "x\ny")
    assert read("Action : a\n\nAction Input :x") == Action("a", "x")
    assert read("Action: a\nAction Input:") == Action("a", "")
    assert read("Action: a\nAction Input: b\nFinal Answer: c") == Finish("c")
    assert read("Action: a") is None
    assert read("Action Input: a\nAction: b") is None
    assert read("an Action: a\nAction Input: b") is None
