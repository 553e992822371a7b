"""Prompts are translated once per language, by one model, checked, and kept for all processes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.batch import BatchRequest
from server.engine.batch.calls import Calls, Spent
from server.engine.batch.hiding import Hiding
from server.engine.batch.sealing import Keys
from server.engine.batch.translating import Translator
from server.errors import Unavailable, Upstream
from server.llm.scripted import ScriptedModel
from tests.engine.batch.evaluating import Bench, bench, job, permutation

PROMPT = "Show me 5 T shirts from https://klarna.com"
SPANISH = "Muéstrame 5 camisetas de https://klarna.com"


@pytest.fixture
async def parts(model: tuple[ScriptedModel, str], mongod_url: str) -> AsyncIterator[Bench]:
    """Put together what translates."""
    async with bench(model, mongod_url) as made:
        yield made


def translator(parts: Bench, request: BatchRequest | None = None, **options: Any) -> Translator:
    calls = Calls(parts.completions, **{"concurrency": 8, "backoff": 0.01} | options)
    return Translator(
        request or job(),
        job_id=parts.job_id,
        calls=calls,
        translations=parts.store.jobs,
        hiding=Hiding(Keys()),
    )


async def translate(made: Translator, text: str = PROMPT, language: str = "Spanish") -> tuple[str, int]:
    spent = Spent()
    return await made.translate(text, language=language, spent=spent), spent.tokens


async def test_a_prompt_is_translated_once_per_language(parts: Bench) -> None:
    french = {"match": {"system_contains": "French"}, "reply": "Montre 5 https://klarna.com"}
    parts.model.script([french, {"reply": SPANISH}])
    made = translator(parts)
    both = [translate(made, language=language) for language in ["Spanish", "French"] * 5]
    found = await asyncio.gather(*both)
    assert {text for text, _ in found[::2]} == {SPANISH}
    assert {text for text, _ in found[1::2]} == {"Montre 5 https://klarna.com"}
    assert len(parts.model.requests) == 2
    assert sum(tokens > 0 for _, tokens in found) == 2


async def test_the_model_of_the_first_permutation_translates_at_temperature_0(parts: Bench) -> None:
    parts.model.script([{"reply": SPANISH}])
    llm: dict[str, Any] = {"model_name": "gpt-4.1", "temperature": 1.5, "max_tokens": 7, "n": 3}
    request = job(
        permutations=[permutation(**llm), permutation("two")], config={"source_language": "Klingon"}
    )
    await translate(translator(parts, request))
    body = parts.model.requests[0].body
    assert {name for name in body if name != "messages"} == {"model", "temperature", "max_tokens"}
    assert (body["model"], body["temperature"]) == ("gpt-4.1", 0)
    system, user = body["messages"]
    assert "from Klingon into Spanish" in system["content"]
    assert user == {"role": "user", "content": PROMPT}


@pytest.mark.parametrize(
    ("name", "words", "limit"),
    [("gpt-4.1", 1, 4 * len(f"{PROMPT} ") + 100), ("gpt-4.1", 50, None), ("o3-mini", 1, None)],
)
async def test_a_translation_is_limited_where_the_model_takes_a_limit(
    parts: Bench, name: str, words: int, limit: int | None
) -> None:
    parts.model.script([{"reply": f"{SPANISH} " * words}])
    request = job(permutations=[permutation(model_name=name)])
    await translate(translator(parts, request), text=f"{PROMPT} " * words)
    assert parts.model.requests[0].body.get("max_tokens") == limit


@pytest.mark.parametrize("language", ["English", "english", " ENGLISH "])
async def test_the_source_language_needs_no_call(parts: Bench, language: str) -> None:
    assert await translate(translator(parts), language=language) == (PROMPT, 0)
    assert parts.model.requests == []


async def test_what_is_missing_is_asked_for_once_more(parts: Bench) -> None:
    parts.model.script([{"reply": "Muéstrame camisetas", "times": 1}, {"reply": f"  {SPANISH}\n"}])
    text, tokens = await translate(translator(parts))
    assert text == SPANISH
    first, second = parts.asked()
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": "Muéstrame camisetas"}
    assert "lacks https://klarna.com, 5." in second[-1]["content"]
    assert tokens > 0


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ({"reply": "Muéstrame camisetas"}, "lacks https://klarna.com, 5"),
        ({"reply": " "}, "is empty"),
        ({"reply": SPANISH * 50}, "far longer"),
        ({"reply": SPANISH, "finish_reason": "length"}, "broke off"),
    ],
)
async def test_a_model_that_cannot_translate_is_an_error(
    parts: Bench, answer: dict[str, Any], wrong: str
) -> None:
    parts.model.script([answer])
    made = translator(parts)
    with pytest.raises(Upstream, match=wrong) as raised:
        await translate(made)
    assert not raised.value.may_retry
    assert len(parts.model.requests) == 2
    parts.model.script([{"reply": "never asked for: the answers are at hand"}])
    with pytest.raises(Upstream):
        assert await translate(made)
    assert len(parts.model.requests) == 2


async def test_what_cannot_be_translated_is_asked_once_without_a_cache_too(parts: Bench) -> None:
    parts.model.script([{"reply": "Muéstrame camisetas"}])
    made = translator(parts, cache=False)
    for _ in range(6):
        with pytest.raises(Upstream, match="lacks"):
            await translate(made)
    assert len(parts.model.requests) == 2


async def test_another_process_finds_the_translation(parts: Bench) -> None:
    parts.model.script([{"reply": SPANISH, "times": 1}, {"reply": "5 https://klarna.com"}])
    assert (await translate(translator(parts)))[0] == SPANISH
    assert await translate(translator(parts)) == (SPANISH, 0)
    assert len(parts.model.requests) == 1


async def test_the_translation_that_was_first_is_in_force(parts: Bench) -> None:
    parts.model.script([{"reply": "Una 5 https://klarna.com", "times": 1}, {"reply": SPANISH}])
    found = await asyncio.gather(*[translate(translator(parts)) for _ in range(4)])
    assert len({text for text, _ in found}) == 1
    assert await translate(translator(parts)) == (found[0][0], 0)


async def test_another_translates_when_the_first_is_cancelled(parts: Bench) -> None:
    parts.model.script([{"hang": True, "times": 1}, {"reply": SPANISH}])
    made = translator(parts)
    first = asyncio.create_task(translate(made))
    await parts.model.until("running")
    second = asyncio.create_task(translate(made))
    await asyncio.sleep(0)
    first.cancel()
    text, tokens = await second
    assert text == SPANISH
    assert tokens > 0


async def test_jobs_do_not_share_translations(parts: Bench) -> None:
    parts.model.script([{"reply": SPANISH}])
    await translate(translator(parts))
    await parts.store.jobs.save_translation(parts.job_id, "k", "text")
    assert await parts.store.jobs.translation("another", "k") is None


async def test_a_database_that_is_away_is_no_fault_of_the_run(parts: Bench) -> None:
    parts.store.close()
    with pytest.raises(Unavailable):
        await translate(translator(parts))
    assert parts.model.requests == []
