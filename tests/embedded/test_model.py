"""The real small model over HTTP, as the model layer uses it."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel
from yarl import URL

from server.embedded import EmbeddedError
from server.embedded.model import CONTEXT, MODEL, embedded_model, find_weights
from tests.embedded.owners import closed, owner


@pytest.fixture
async def model() -> AsyncIterator[aiohttp.ClientSession]:
    async with embedded_model() as url, aiohttp.ClientSession(f"{url}/") as session:
        yield session


def request(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "temperature": 0, "messages": [{"role": "user", "content": text}], **more}


async def test_it_streams_with_usage(model: aiohttp.ClientSession) -> None:
    body = request("Say hello.", max_tokens=4, stream=True, stream_options={"include_usage": True})
    async with model.post("chat/completions", json=body) as answer:
        assert answer.status == 200
        lines = [line.decode().strip() async for line in answer.content if line.strip()]
    assert lines.pop() == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert chunks[-1]["usage"]["completion_tokens"] == 4
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    texts = [c["choices"][0]["delta"].get("content") for c in chunks if c["choices"]]
    assert len([t for t in texts if t]) >= 2


class Verdict(BaseModel):
    level: int
    reason: str


async def test_it_follows_a_schema(model: aiohttp.ClientSession) -> None:
    schema = {
        "type": "object",
        "properties": {
            "level": {"type": "integer", "enum": [1, 2, 3]},
            "reason": {"type": "string", "maxLength": 40},
        },
        "required": ["level", "reason"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}
    body = request("Rate 'Hello' from 1 to 3.", max_tokens=100, response_format=form)
    async with model.post("chat/completions", json=body) as answer:
        content = (await answer.json())["choices"][0]["message"]["content"]
    assert Verdict.model_validate_json(content).level in {1, 2, 3}


async def test_a_prompt_above_its_context_is_refused(model: aiohttp.ClientSession) -> None:
    async with model.post("chat/completions", json=request("hello " * (CONTEXT + 1), stream=True)) as answer:
        error = (await answer.json())["error"]
        assert answer.status == 400
    assert (error["type"], error["n_ctx"]) == ("exceed_context_size_error", CONTEXT)
    assert error["n_prompt_tokens"] > CONTEXT


async def test_it_names_itself_and_no_web_page_may_call_it(model: aiohttp.ClientSession) -> None:
    async with model.get("models", headers={"Origin": "http://example.org"}) as answer:
        assert [m["id"] for m in (await answer.json())["data"]] == [MODEL]
        assert answer.headers.get("Access-Control-Allow-Origin", "") == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_it_dies_with_its_owner() -> None:
    async with owner("model") as (process, url):
        port = URL(url).port
        assert port is not None
        await closed(port, process)


def test_no_weights_name_what_replaces_it() -> None:
    with pytest.raises(EmbeddedError, match=r"OPENAI_API_KEY.*OPENAI_BASE_URL"):
        find_weights(package="no_such_package")
