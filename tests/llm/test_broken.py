"""Endpoints that are broken, or hostile: what they send is bounded, and never more than a failed reply."""

import tracemalloc
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from server.errors import Upstream
from server.llm import ChatTurn, Models
from server.llm.scripted import ScriptedModel

Connect = Callable[..., Models]
TURNS: list[ChatTurn] = [{"role": "user", "content": "Hello"}]
MB = 1024 * 1024
BOMB = {"raw": "data: " + "x" * 60_000 + "\n", "raw_times": 1000}
LARGE = {"raw": "x" * MB, "raw_times": 18}


class Verdict(BaseModel):
    good: bool


async def heard(models: Models) -> str:
    async with models.stream(TURNS) as stream:
        return "".join([text async for text in stream])


async def failure(models: Models) -> str:
    with pytest.raises(Upstream) as caught:
        await heard(models)
    return caught.value.message


@pytest.mark.parametrize("gzip", [False, True])
async def test_an_event_without_end_takes_no_memory(
    scripted: ScriptedModel, models: Models, gzip: bool
) -> None:
    scripted.script([BOMB | {"gzip": gzip}])
    tracemalloc.start()
    try:
        assert "cannot be read" in await failure(models)
        assert tracemalloc.get_traced_memory()[1] < 14 * MB
    finally:
        tracemalloc.stop()


async def test_a_packed_reply_must_not_grow_for_ever(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"raw": ": nothing\n\n" * 50_000, "raw_times": 200, "gzip": True}])
    assert "far more than a reply" in await failure(models)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip"])
async def test_what_cannot_be_unpacked_is_a_failure(
    scripted: ScriptedModel, models: Models, encoding: str
) -> None:
    scripted.script([{"raw": "no such thing", "headers": {"Content-Encoding": encoding}}])
    assert "broke off" in await failure(models)


async def test_a_packed_refusal_is_read(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"raw": '{"error":{"code":"content_filter"}}', "status": 400, "gzip": True}])
    assert "content filter" in await failure(models)


@pytest.mark.parametrize("gzip", [False, True])
async def test_a_structured_answer_is_bounded(scripted: ScriptedModel, models: Models, gzip: bool) -> None:
    scripted.script([LARGE | {"gzip": gzip}])
    with pytest.raises(Upstream, match=r"far more|broke off"):
        await models.parse(Verdict, TURNS)


@pytest.mark.parametrize(
    "rule", [{"headers": {"X-Long": "a" * MB}}, {"raw": "x" * MB, "raw_times": 18, "status": 400}]
)
async def test_an_answer_that_no_client_reads_is_a_failure(
    scripted: ScriptedModel, connect: Connect, rule: dict[str, object]
) -> None:
    odd = {"raw": "", **rule}
    scripted.script([odd, odd | {"match": {"endpoint": "images"}}])
    models = connect(image_model="painter")
    assert "cannot be read" in await failure(models)
    with pytest.raises(Upstream, match="cannot be read"):
        await models.parse(Verdict, TURNS)
    with pytest.raises(Upstream, match="cannot be read"):
        await models.image("a red kite")
