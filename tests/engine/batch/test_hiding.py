"""Keys of a job that an endpoint repeats: nothing that is stored of the job holds them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from server.engine.batch.hiding import HIDDEN, Hiding
from server.engine.batch.sealing import Keys
from server.llm.scripted import ScriptedModel
from tests.engine.batch.evaluating import FUNCTION, Bench, bench, case, job

KEY = "sk-of/the-client-0123456789"
KEYS = Keys(openai_api_key=SecretStr(KEY), openplugin_api_key=SecretStr(f"{KEY}-longer"))
SIGNATURE: dict[str, Any] = {"type": "api_signature_selector", "expected_parameters": {"q": KEY}}


@pytest.fixture
async def parts(model: tuple[ScriptedModel, str], mongod_url: str) -> AsyncIterator[Bench]:
    """Put together what evaluates jobs."""
    async with bench(model, mongod_url) as made:
        yield made


async def test_an_answer_that_holds_keys_is_stored_without_them(parts: Bench) -> None:
    parts.model.script([{"reply": f"You sent Bearer {KEY}, and {KEY}-longer."}])
    result = await parts.evaluation(job(), KEYS).run(0)
    assert result.final_output == f"You sent Bearer {HIDDEN}, and {HIDDEN}."


async def test_parameters_and_what_was_called_hold_no_keys_either(parts: Bench) -> None:
    arguments: dict[str, Any] = {"q": KEY, "size": 5, KEY: [{"deep": f"<{KEY}>"}]}
    calls = [{"name": f"get_{KEY[3:5]}", "arguments": {}}, {"name": FUNCTION, "arguments": arguments}]
    parts.model.script([{"tool_calls": calls}])
    result = await parts.evaluation(job(test_cases=[case(**SIGNATURE)]), KEYS).run(0)
    hidden = {"q": HIDDEN, "size": 5, HIDDEN: [{"deep": f"<{HIDDEN}>"}]}
    assert result.plugin_parameters_mapped == hidden
    assert [call.parameters for call in result.detected] == [{}, hidden]
    assert (result.verdict, result.parameter_mapped_percentage) == ("Passed", 100)  # compared before
    assert KEY not in result.model_dump_json()


async def test_an_error_that_holds_keys_is_stored_without_them(parts: Bench) -> None:
    parts.model.script([{"status": 400, "error": {"message": f"the model {KEY} is unknown"}}])
    result = await parts.evaluation(job(), KEYS).run(0)
    assert result.error is not None
    assert KEY not in result.model_dump_json()


async def test_a_translation_that_holds_keys_is_kept_without_them(parts: Bench) -> None:
    parts.model.script([{"reply": f"Muéstrame 5 T shirts de Klarna {KEY}", "times": 1}, {"reply": "no"}])
    result = await parts.evaluation(job("Spanish"), KEYS).run(0)
    assert result.prompt == f"Muéstrame 5 T shirts de Klarna {HIDDEN}"
    assert KEY not in str(parts.asked())


def test_what_is_short_or_no_key_stays() -> None:
    short = Keys(openai_api_key=SecretStr("shirts"))
    assert Hiding(short).value({"q": ["shirts"], "n": None}) == {"q": ["shirts"], "n": None}
    assert Hiding(Keys()).text("•") == "•"
