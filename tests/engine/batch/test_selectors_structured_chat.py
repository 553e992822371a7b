"""Langchain/structured-chat-zero-shot-react-description: the same loop with JSON actions."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from server.engine.batch.selectors import known, prompts, selector
from server.engine.batch.selectors.react import Action, Finish
from server.engine.batch.selectors.structured_chat import read
from server.llm.completions import Completions
from server.llm.scripted import ScriptedModel
from tests.engine.batch.selecting import KLARNA, ORDER, PROMPT, asked, outcome, selected

STRUCTURED = ("Langchain", "structured-chat-zero-shot-react-description")
ORDERS = "https://www.klarna.com/us/orders"


def step(action: str, given: object) -> str:
    block = orjson.dumps({"action": action, "action_input": given}).decode()
    return f"Thought: hm\n```json\n{block}\n```"


def script(scripted: ScriptedModel, replies: Sequence[str]) -> None:
    scripted.script([{"reply": reply, "times": 1} for reply in replies])


async def test_the_model_acts_in_json(scripted: ScriptedModel, completions: Completions) -> None:
    steps = [
        step("Klarna Shopping", {}),
        step("requests_post", {"url": f"{ORDERS}/7", "data": {"size": 5}}),
        step("google", "x"),
        step("Final Answer", "Done."),
    ]
    script(scripted, steps)
    found = await selected(completions, STRUCTURED)
    messages = asked(scripted)[-1]
    told = messages[0]["content"]
    assert scripted.requests[0].body["stop"] == ["\nObservation:"]
    assert [message["content"] for message in messages[1:6]] == [
        f"Question: {PROMPT}",
        steps[0],
        f"Observation: {KLARNA.description}\n\n{KLARNA.document}",
        steps[1],
        f"Observation: {prompts.NOT_CALLED}",
    ]
    assert messages[7]["content"].startswith("Observation: There is no tool google; ")
    assert 'args: {"url":"string","data":"object"}\n' in told
    assert '"requests_delete", "Final Answer"]' in told
    assert "{{" not in told
    assert outcome(found) == [("Klarna Shopping", ORDER.name, f"{ORDERS}/7", "post", {"id": "7", "size": 5})]
    assert found.final_output is None


async def test_without_an_action_it_is_asked_again_once(
    scripted: ScriptedModel, completions: Completions
) -> None:
    script(scripted, ["Hm.", "Still nothing."])
    found = await selected(completions, STRUCTURED)
    assert (found.final_output, list(found.detected)) == ("Still nothing.", [])
    assert asked(scripted)[1][-1]["content"] == prompts.AGAIN_JSON


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"action": "a", "action_input": "b"}', Action("a", "b")),
        ('I will {use} it: {"action": "a", "action_input": {"url": "u"}} now', Action("a", {"url": "u"})),
        ('```\n{"action": "a"}\n```', Action("a", "")),
        ('```JSON\n[{"action": "a", "action_input": 1}, {"action": "b"}]\n```', Action("a", 1)),
        ('{"note": 1}\n```json\n{"action": "a"}\n```', Action("a", "")),
        ('```json\n{"action": "a", "action_input": "two\nlines"}', Action("a", "two\nlines")),
        ('```json\n{"action": "final_answer", "action_input": "Done"}\n```', Finish("Done")),
        ('{"action": "Final Answer", "action_input": {"a": [1]}}', Finish('{"a":[1]}')),
        ("Final Answer: one\nFinal Answer: two", Finish("two")),
        ('{"action": 5}', None),
        ('{"action": "a",}', None),
        ("```json\n```", None),
        ("{" * 10_000, None),
        ('{"a":' * 6_000, None),
        ("", None),
    ],
)
def test_steps_are_read(text: str, found: Any) -> None:
    assert read(text) == found


def test_the_selectors_are_known_by_provider_and_pipeline() -> None:
    assert known(*STRUCTURED)
    assert not known("Langchain", "default")
    with pytest.raises(KeyError):
        selector("OpenAI", "zero-shot-react-description")
