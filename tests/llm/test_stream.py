"""Streaming replies from a scripted model over HTTP."""

import asyncio
from collections.abc import Callable

import pytest

from server.errors import Upstream
from server.llm import ChatTurn, Models
from server.llm.scripted import ScriptedModel
from tests.support.passing import passes

Connect = Callable[..., Models]
TURNS: list[ChatTurn] = [
    {"role": "system", "content": "You are a confused student."},
    {"role": "user", "content": "What do you know about recursion?"},
]


async def say(models: Models, turns: list[ChatTurn] = TURNS, **options: float) -> str:
    async with models.stream(turns, max_tokens=int(options["max_tokens"]) if options else None) as stream:
        return "".join([text async for text in stream])


async def failure(models: Models) -> Upstream:
    with pytest.raises(Upstream) as caught:
        await say(models)
    return caught.value


async def test_a_reply_arrives_in_parts(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"chunks": ["Grüße", " from ", "😀"], "delay_ms": 5}])
    async with models.stream(TURNS) as stream:
        parts = [text async for text in stream]
    assert parts == ["Grüße", " from ", "😀"]


async def test_without_a_rule_the_reply_is_about_what_was_said(models: Models) -> None:
    assert await say(models) == 'You said "What do you know". Tell me more about it, step by step.'


async def test_usage_counts_tokens_time_and_cost(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script(
        [{"reply": "one two", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}}]
    )
    async with connect(model="gpt-4o-mini").stream(TURNS) as stream:
        assert [text async for text in stream]
    usage = stream.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (1_000_000, 1_000_000)
    assert usage.cost_usd == pytest.approx(0.75)
    assert usage.first_token_ms is not None
    assert 0 < usage.first_token_ms <= usage.duration_ms
    assert (usage.finish_reason, usage.truncated) == ("stop", None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [(2**64 - 1, 2**53), (2**63, 2**53), (-5, 0), (True, 0), ("7", 0), (1.5, 0), (None, 0), ([1], 0), (7, 7)],
)
async def test_counts_that_no_database_takes_are_not_believed(
    scripted: ScriptedModel, models: Models, said: object, kept: int
) -> None:
    scripted.script([{"reply": "hi", "usage": {"prompt_tokens": said, "completion_tokens": said}}])
    async with models.stream(TURNS) as stream:
        assert [text async for text in stream]
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (kept, kept)


async def test_a_long_finish_reason_is_cut(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "hi", "finish_reason": "x" * 1_000_000}])
    async with models.stream(TURNS) as stream:
        assert [text async for text in stream]
    assert stream.usage.finish_reason == "x" * 100


async def test_leaving_early_closes_the_upstream(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"chunks": ["first "], "hang": True}])
    async with models.stream(TURNS) as stream:
        assert await anext(aiter(stream)) == "first "
    (seen,) = await scripted.until("closed_by_client")
    assert seen.chunks == 1
    assert stream.usage.cost_usd is None
    assert stream.usage.first_token_ms is not None


@pytest.mark.parametrize("said", [["first "], None])
async def test_cancelling_closes_the_upstream(
    scripted: ScriptedModel, models: Models, said: list[str] | None
) -> None:
    scripted.script([{"chunks": said, "hang": True}])
    task = asyncio.create_task(say(models))
    await scripted.until("running")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await scripted.until("closed_by_client")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failure_is_tried_again(scripted: ScriptedModel, connect: Connect, status: int) -> None:
    scripted.script([{"status": status, "retry_after": 0.01, "times": 2}, {"reply": "at last"}])
    assert await say(connect(retries=2)) == "at last"
    assert [seen.status for seen in scripted.requests] == [status, status, 200]


@pytest.mark.parametrize(
    ("rule", "words", "retryable"),
    [
        ({"status": 401}, "refused the key", False),
        ({"status": 404}, "does not know", False),
        ({"status": 429, "retry_after": 7}, "rate limited", True),
        ({"status": 429, "error": {"code": "insufficient_quota", "message": "x"}}, "quota", False),
        ({"status": 400}, "refused the request", False),
        ({"status": 400, "error": {"code": "content_filter", "message": "x"}}, "content filter", False),
        ({"status": 503}, "failed (HTTP 503)", True),
        ({"chunks": ["a"], "break_after": 1}, "broke off", True),
        ({"break_after": 0}, "broke off", True),
        ({"chunks": ["a"], "error": {"message": "secret-key"}}, "reported a failure", True),
    ],
)
async def test_failures_are_said_in_safe_words(
    scripted: ScriptedModel, models: Models, rule: dict[str, object], words: str, retryable: bool
) -> None:
    scripted.script([rule])
    error = await failure(models)
    assert words in error.message
    assert "scripted" not in error.message
    assert "secret" not in error.message
    assert error.may_retry is retryable
    assert error.retry_after == rule.get("retry_after")


async def test_text_before_a_break_is_given(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"chunks": ["half ", "a reply"], "break_after": 2, "delay_ms": 5}])
    got: list[str] = []

    async def collect() -> None:
        async with models.stream(TURNS) as stream:
            async for text in stream:
                got.append(text)

    with pytest.raises(Upstream, match="broke off"):
        await collect()
    assert "".join(got) == "half a reply"


@pytest.mark.parametrize(
    ("said", "words"), [(None, "did not answer within 0.2 s"), (["a"], "did not finish")]
)
async def test_a_reply_has_a_time_limit(
    scripted: ScriptedModel, connect: Connect, said: list[str] | None, words: str
) -> None:
    scripted.script([{"chunks": said, "hang": True}])
    error = await failure(connect(timeout=0.2, retries=2))
    assert words in error.message
    assert error.may_retry
    await scripted.until("closed_by_client")
    assert len(scripted.requests) == 1


async def test_the_time_limit_never_interrupts_the_reader(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([{"chunks": ["a"], "hang": True}])
    async with connect(timeout=0.2).stream(TURNS) as stream:
        assert await anext(aiter(stream)) == "a"
        await passes(0.3, because="the reader is busy past the limit, and is to be left alone")
        with pytest.raises(Upstream, match="did not finish"):
            await anext(aiter(stream))


async def test_a_compressed_stream_is_read(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "squeezed but whole", "gzip": True}])
    assert await say(models) == "squeezed but whole"


async def test_an_endpoint_that_is_away_is_named(scripted: ScriptedModel, models: Models) -> None:
    await scripted.stop()
    assert "cannot be reached" in (await failure(models)).message


async def test_stream_options_are_left_out_once_refused(scripted: ScriptedModel, models: Models) -> None:
    error = {"message": "Unrecognized request argument supplied: stream_options", "param": None}
    scripted.script([{"status": 400, "error": error, "times": 1}])
    await say(models)
    await say(models)
    assert ["stream_options" in seen.body for seen in scripted.requests] == [True, False, False]


async def test_the_name_of_the_token_limit_is_learnt(scripted: ScriptedModel, models: Models) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    scripted.script([{"status": 400, "error": {"message": message, "param": "max_tokens"}, "times": 1}])
    await say(models, max_tokens=5)
    assert [seen.body.get("max_completion_tokens") for seen in scripted.requests] == [None, 5]


@pytest.mark.parametrize(
    "error",
    [
        {"code": 400, "type": "exceed_context_size_error", "message": "the request exceeds the context"},
        {"code": "context_length_exceeded", "message": "too long"},
        {"message": "This model's maximum context length is 4096 tokens."},
    ],
)
async def test_old_turns_go_when_the_context_is_full(
    scripted: ScriptedModel, models: Models, error: dict[str, object]
) -> None:
    scripted.script([{"status": 400, "error": error, "times": 2}])
    said: list[ChatTurn] = [TURNS[0]]
    for i in range(5):
        said += [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i}"}]
    said.append({"role": "user", "content": "last"})
    async with models.stream(said) as stream:
        assert [text async for text in stream]
    assert stream.usage.truncated is True
    kept = [[m["content"] for m in seen.messages[1:]] for seen in scripted.requests]
    assert kept[1] == ["q3", "a3", "q4", "a4", "last"]
    assert kept[2] == ["q4", "a4", "last"]
    assert all(seen.messages[0] == TURNS[0] for seen in scripted.requests)


async def test_one_turn_that_is_too_long_is_refused(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"status": 400, "error": {"code": "context_length_exceeded", "message": "x"}}])
    error = await failure(models)
    assert "does not fit" in error.message
    assert not error.may_retry


async def test_connections_are_used_again(scripted: ScriptedModel, models: Models) -> None:
    for _ in range(3):
        await say(models)
    assert len({seen.peer for seen in scripted.requests}) == 1


async def test_check_says_what_is_wrong(scripted: ScriptedModel, models: Models) -> None:
    await models.check()
    await scripted.stop()
    with pytest.raises(Exception, match="cannot be reached") as caught:
        await models.check()
    assert getattr(caught.value, "code", None) == "unavailable"
