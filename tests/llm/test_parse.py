"""Structured answers: schemas, fallbacks, repairs."""

from collections.abc import Callable
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from server.errors import Upstream
from server.llm import ChatTurn, Models
from server.llm.scripted import ScriptedModel
from server.llm.structured import Shape, bare

Connect = Callable[..., Models]
TURNS: list[ChatTurn] = [{"role": "system", "content": "Judge."}, {"role": "user", "content": "Hello"}]


class Part(BaseModel):
    quote: str = Field(default="", max_length=20, description="Word for word.")
    level: int = Field(ge=1, le=5)


class Verdict(BaseModel):
    kind: Literal["good", "bad"]
    parts: Annotated[list[Part], Field(min_length=1)]
    note: str | None = None


GOOD = {"kind": "bad", "parts": [{"quote": "x", "level": 2}], "note": None}


async def test_a_value_of_the_schema_is_returned(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([{"match": {"schema": "Verdict"}, "json": GOOD}])
    parsed = await connect(model="gpt-4o").parse(Verdict, TURNS)
    assert parsed.value == Verdict.model_validate(GOOD)
    assert (parsed.model, parsed.reliable, parsed.repairs) == ("gpt-4o", True, 0)
    assert parsed.usage.completion_tokens > 0
    assert parsed.usage.cost_usd is not None
    assert scripted.requests[0].body["temperature"] == 0.0


@pytest.mark.parametrize(("said", "kept"), [(2**64 - 1, 2**53), (-5, 0), (True, 0), ("7", 0)])
async def test_counts_that_no_database_takes_are_not_believed(
    scripted: ScriptedModel, models: Models, said: object, kept: int
) -> None:
    usage = {"prompt_tokens": said, "completion_tokens": said}
    scripted.script([{"reply": "no JSON", "times": 1, "usage": usage}, {"json": GOOD, "usage": usage}])
    parsed = await models.parse(Verdict, TURNS)
    assert parsed.usage.prompt_tokens == parsed.usage.completion_tokens == 2 * kept


async def test_without_a_rule_a_valid_instance_is_given(models: Models) -> None:
    parsed = await models.parse(Verdict, TURNS)
    assert parsed.value.kind == "good"
    assert parsed.value.parts[0].quote == "scripted text"


async def test_the_embedded_model_is_no_judge(connect: Connect) -> None:
    parsed = await connect(model="SmolLM2-135M").parse(Verdict, TURNS)
    assert not parsed.reliable
    assert parsed.usage.cost_usd == 0.0


async def test_a_wrong_answer_is_shown_and_repaired(scripted: ScriptedModel, models: Models) -> None:
    wrong = {"kind": "fine", "parts": []}
    scripted.script([{"reply": "no JSON", "times": 1}, {"json": wrong, "times": 1}, {"json": GOOD}])
    parsed = await models.parse(Verdict, TURNS)
    assert parsed.repairs == 2
    one, two, three = scripted.requests
    assert [m["content"] for m in two.messages[2:3]] == ["no JSON"]
    assert "- kind: Input should be 'good' or 'bad'" in three.messages[-1]["content"]
    assert "- parts: " in three.messages[-1]["content"]
    assert len(three.messages) == len(two.messages) == len(one.messages) + 2
    assert parsed.usage.completion_tokens > len(str(GOOD).split())


async def test_repairs_end(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "never"}])
    with pytest.raises(Upstream, match="did not return valid Verdict"):
        await models.parse(Verdict, TURNS, repairs=1)
    assert len(scripted.requests) == 2


async def test_weaker_formats_are_used_once_refused(scripted: ScriptedModel, models: Models) -> None:
    def refusal(kind: str) -> dict[str, object]:
        return {"status": 400, "times": 1, "error": {"message": f"response_format {kind} is not supported"}}

    scripted.script([refusal("json_schema"), refusal("json_object"), {"reply": f"```json\n{_json()}\n```"}])
    assert (await models.parse(Verdict, TURNS)).value.kind == "bad"
    await models.parse(Verdict, TURNS)
    formats = [(seen.body.get("response_format") or {}).get("type") for seen in scripted.requests]
    assert formats == ["json_schema", "json_object", None, None]
    assert [len(seen.messages) for seen in scripted.requests] == [2, 2, 2, 2]
    assert scripted.requests[0].messages[0]["content"] == "Judge."
    assert '"properties"' in scripted.requests[1].messages[0]["content"]
    assert '"properties"' in scripted.requests[3].messages[0]["content"]


async def test_limits_in_the_schema_are_told_once_refused(scripted: ScriptedModel, models: Models) -> None:
    error = {"message": "Invalid schema for response_format 'Verdict': 'minimum' is not permitted."}
    scripted.script([{"status": 400, "times": 1, "error": error}, {"json": GOOD}])
    await models.parse(Verdict, TURNS)
    one, two = (seen.body["response_format"]["json_schema"]["schema"] for seen in scripted.requests)
    assert "minimum" in one["$defs"]["Part"]["properties"]["level"]
    assert "minimum" not in two["$defs"]["Part"]["properties"]["level"]


async def test_a_broken_or_odd_answer_is_an_error(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"break_after": 0}])
    with pytest.raises(Upstream):
        await models.parse(Verdict, TURNS)


async def test_a_slow_answer_is_given_up(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([{"hang": True}])
    with pytest.raises(Upstream, match=r"did not answer within 0\.2 s"):
        await connect(timeout=0.2).parse(Verdict, TURNS)
    await scripted.until("closed_by_client")


def test_schemas_are_strict() -> None:
    described = Shape.of(Verdict).response_format(bounds=False)["json_schema"]
    part = described["schema"]["$defs"]["Part"]
    assert described["name"] == "Verdict"
    assert described["strict"] is True
    assert part["required"] == ["quote", "level"]
    assert part["additionalProperties"] is False
    assert part["properties"]["quote"] == {"type": "string", "description": "Word for word. (maxLength 20)"}
    assert part["properties"]["level"] == {"type": "integer", "description": "(minimum 1, maximum 5)"}
    assert described["schema"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}


def test_bounds_stay_where_they_are_known() -> None:
    described = Shape.of(Verdict).response_format(bounds=True)["json_schema"]
    assert described["schema"]["$defs"]["Part"]["properties"]["quote"]["maxLength"] == 20
    assert described["schema"]["$defs"]["Part"]["properties"]["level"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
    }


def test_free_keys_are_not_strict() -> None:
    class Free(BaseModel):
        scores: dict[str, float]

    described = Shape.of(Free).response_format(bounds=True)["json_schema"]
    assert described["strict"] is False
    assert described["schema"] == Free.model_json_schema()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Sure!\n```\n{"a": 1}\n```\nBye',
        '<think>{"b"}</think> Here: {"a": 1}.',
    ],
)
def test_json_is_found_in_what_models_write(text: str) -> None:
    assert bare(text) == '{"a": 1}'


def _json() -> str:
    return Verdict.model_validate(GOOD).model_dump_json()
