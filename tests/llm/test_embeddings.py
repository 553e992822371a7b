"""Vectors of texts: those of the package, and those of an endpoint with whatever goes wrong there."""

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from server.errors import Upstream
from server.llm.embeddings import AT_ONCE, OFFLINE_NAME, EndpointEmbedder, OfflineEmbedder, make_embedder
from server.llm.scripted import ScriptedModel
from server.settings import Settings

Embed = Callable[..., EndpointEmbedder]


@pytest.fixture
async def endpoint(scripted: ScriptedModel) -> AsyncIterator[Embed]:
    """Return a maker of embedders of the scripted model; they are closed after the test."""
    base_url = await scripted.start()
    made: list[EndpointEmbedder] = []

    def make(*, timeout: float = 10, retries: int = 0) -> EndpointEmbedder:
        made.append(
            EndpointEmbedder(
                base_url=base_url, api_key="secret-key", model="vectors", timeout=timeout, retries=retries
            )
        )
        return made[-1]

    yield make
    for embedder in made:
        await embedder.aclose()


async def test_offline_texts_of_like_meaning_are_near_each_other() -> None:
    embedder = OfflineEmbedder()
    rows = await embedder.embed(["a dog barks", "the hound was barking", "interest rates of a loan", ""])
    assert rows.dtype == np.float32
    assert rows.shape == (4, 256)
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], atol=1e-6)
    near = rows @ rows.T
    assert near[0, 1] > 0.5 > near[0, 2]
    assert not rows[3].any()
    assert np.array_equal(await embedder.embed_query("a dog barks"), rows[0])
    assert (await embedder.embed([])).shape == (0, 256)


async def test_offline_vectors_do_not_depend_on_their_neighbours() -> None:
    embedder = OfflineEmbedder()
    texts = [f"line {n} " + "word " * n for n in range(70)]
    together = await embedder.embed(texts)
    alone = [await embedder.embed_query(text) for text in texts[::23]]
    assert np.array_equal(together[::23], np.stack(alone))


async def test_an_endpoint_is_asked_in_lots_and_answers_in_order(
    scripted: ScriptedModel, endpoint: Embed
) -> None:
    texts = [f"word{n}" for n in range(AT_ONCE + 3)]
    rows = await endpoint().embed([*texts[:5], " ", *texts[5:]])
    assert np.allclose(np.linalg.norm(np.delete(rows, 5, axis=0), axis=1), 1, atol=1e-6)
    assert not rows[5].any()
    assert [len(seen.body["input"]) for seen in scripted.requests] == [AT_ONCE, 3]
    assert {seen.key for seen in scripted.requests} == {"secret-key"}
    assert np.array_equal(rows[0], await endpoint().embed_query("word0"))


async def test_texts_without_a_word_need_no_request(scripted: ScriptedModel, endpoint: Embed) -> None:
    assert (await endpoint().embed(["", "\n"])).shape[0] == 2
    assert scripted.requests == []


async def test_an_endpoint_that_refuses_base64_is_asked_for_numbers(
    scripted: ScriptedModel, endpoint: Embed
) -> None:
    refusal = {"message": "encoding_format base64 is not supported"}
    scripted.script([{"match": {"endpoint": "embeddings"}, "times": 1, "status": 400, "error": refusal}])
    embedder = endpoint()
    assert (await embedder.embed(["one"])).any()
    assert (await embedder.embed(["two"])).any()
    forms = [seen.body["encoding_format"] for seen in scripted.requests]
    assert forms == ["base64", "float", "float"]


async def test_a_passing_failure_is_tried_again(scripted: ScriptedModel, endpoint: Embed) -> None:
    scripted.script([{"match": {"endpoint": "embeddings"}, "times": 1, "status": 503, "retry_after": 0.01}])
    assert (await endpoint(retries=1).embed(["one"])).any()


@pytest.mark.parametrize(
    ("status", "again"), [(401, False), (404, False), (400, False), (429, True), (500, True)]
)
async def test_failures_say_whether_to_try_again(
    scripted: ScriptedModel, endpoint: Embed, status: int, again: bool
) -> None:
    scripted.script([{"match": {"endpoint": "embeddings"}, "status": status}])
    with pytest.raises(Upstream) as caught:
        await endpoint().embed(["one"])
    assert caught.value.may_retry is again
    assert "secret-key" not in caught.value.message


@pytest.mark.parametrize(
    "raw",
    [
        "no json",
        "{}",
        '{"data": []}',
        '{"data": [{"index": 0, "embedding": []}]}',
        '{"data": [{"index": 1, "embedding": [1.0]}]}',
        '{"data": [{"index": 0, "embedding": [1.0, "x"]}]}',
        '{"data": [{"index": 0, "embedding": "%%%"}]}',
        '{"data": [{"index": 0, "embedding": "AADAfw=="}]}',  # not a number
        '{"data": [{"index": 0, "embedding": [1e400]}]}',
        '{"error": {"message": "out of order"}}',
        "[]",
    ],
)
async def test_an_answer_that_is_no_vector_is_a_failure(
    scripted: ScriptedModel, endpoint: Embed, raw: str
) -> None:
    headers = {"Content-Type": "application/json"}
    scripted.script([{"match": {"endpoint": "embeddings"}, "raw": raw, "headers": headers}])
    with pytest.raises(Upstream):
        await endpoint().embed(["one"])


async def test_an_endpoint_that_does_not_answer_is_given_up(scripted: ScriptedModel, endpoint: Embed) -> None:
    scripted.script([{"match": {"endpoint": "embeddings"}, "hang": True}])
    with pytest.raises(Upstream, match="did not answer"):
        await endpoint(timeout=0.2).embed(["one"])
    await scripted.until("closed_by_client")


async def test_cancelling_ends_the_request(scripted: ScriptedModel, endpoint: Embed) -> None:
    scripted.script([{"match": {"endpoint": "embeddings"}, "hang": True}])
    asked = asyncio.create_task(endpoint().embed(["one"]))
    await scripted.until("running")
    asked.cancel()
    await scripted.until("closed_by_client")
    assert isinstance((await asyncio.gather(asked, return_exceptions=True))[0], asyncio.CancelledError)


async def test_the_setting_says_who_embeds() -> None:
    offline = make_embedder(Settings(openai_base_url="http://127.0.0.1:9/v1"))
    assert (offline.name, offline.offline) == (OFFLINE_NAME, True)
    online = make_embedder(Settings(openai_base_url="http://127.0.0.1:9/v1", embedding_model="vectors"))
    assert (online.name, online.offline) == ("vectors", False)
    await online.aclose()
