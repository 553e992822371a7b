"""The scripted model as others use it: over HTTP, with OpenAI's own client."""

import subprocess
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionUserMessageParam

from server.llm.scripted import ScriptedModel


@pytest.fixture
async def base_url(scripted: ScriptedModel) -> str:
    return await scripted.start()


@pytest.fixture
async def http(base_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url.removesuffix("v1")) as session:
        yield session


async def test_it_is_scripted_and_read_over_http(http: aiohttp.ClientSession) -> None:
    rules = [{"match": {"last_contains": "hi", "model": "m"}, "reply": "once", "times": 1}]
    assert (await http.put("/script", json=rules)).status == 204
    ask = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    answers = []
    for _ in range(2):
        async with http.post("/v1/chat/completions", json=ask) as response:
            answers.append((await response.json())["choices"][0]["message"]["content"])
    assert answers[0] == "once"
    assert answers[1].startswith('You said "hi"')
    async with http.get("/requests", params={"state": "done", "count": "2"}) as response:
        assert [(r["model"], r["state"], r["messages"]) for r in await response.json()] == [
            ("m", "done", ask["messages"])
        ] * 2
    await http.delete("/requests")
    async with http.get("/requests") as response:
        assert await response.json() == []


@pytest.mark.parametrize("rules", [[{"replly": "x"}], {"reply": "x"}, "x"])
async def test_what_is_no_script_is_refused(http: aiohttp.ClientSession, rules: object) -> None:
    async with http.put("/script", json=rules) as response:
        assert response.status == 400
        assert "not a list of rules" in await response.text()


async def test_openais_own_client_understands_it(scripted: ScriptedModel, base_url: str) -> None:
    scripted.script([{"chunks_count": 100, "chunk_text": "ab ", "batch": 10}])
    async with AsyncOpenAI(base_url=base_url, api_key="x") as client:
        assert [m.id async for m in client.models.list()] == [
            "scripted",
            "scripted-judge",
            "scripted-embedding",
        ]
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(texts) == "ab " * 100


async def test_openais_own_client_understands_tools_and_images(
    scripted: ScriptedModel, base_url: str
) -> None:
    scripted.script([{"tool_calls": [{"name": "look", "arguments": {"at": "the moon"}}]}])
    said: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "x"}]
    async with AsyncOpenAI(base_url=base_url, api_key="x") as client:
        whole = await client.chat.completions.create(model="m", messages=said)
        stream = await client.chat.completions.create(model="m", messages=said, stream=True)
        deltas = [chunk.choices[0].delta async for chunk in stream]
        image = await client.images.generate(model="m", prompt="x")
    (call,) = whole.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (whole.choices[0].finish_reason, call.function.name) == ("tool_calls", "look")
    parts = [part.function.arguments or "" for d in deltas for part in d.tool_calls or [] if part.function]
    assert "".join(parts) == call.function.arguments == '{"at": "the moon"}'
    assert image.data
    assert image.data[0].b64_json


async def test_texts_that_share_words_are_near(base_url: str) -> None:
    async with AsyncOpenAI(base_url=base_url, api_key="x") as client:
        texts = ["late homework policy", "the homework policy", "a blue whale"]
        answer = await client.embeddings.create(model="m", input=texts)
    one, near, far = (item.embedding for item in answer.data)

    def dot(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert dot(one, one) == pytest.approx(1)
    assert dot(one, near) > 0.4 > dot(one, far)


async def test_it_runs_from_the_command_line() -> None:
    command = [sys.executable, "-m", "server.llm.scripted", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        async with aiohttp.ClientSession() as session, session.get(f"{base_url}/models") as response:
            assert response.status == 200
        process.terminate()
