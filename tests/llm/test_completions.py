"""Completions for batch jobs: one call over HTTP, what it sends, what it reads, and how it fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from server.errors import BadRequest, GreenroomError, RateLimited, Upstream
from server.llm.completions import Completion, CompletionAsk, Completions, Sampling
from server.llm.scripted import ScriptedModel

MB = 1024 * 1024
MESSAGES = [{"role": "user", "content": "Show me 5 T shirts"}]
TOOL = {"type": "function", "function": {"name": "get_products", "parameters": {"type": "object"}}}
ALL = Sampling(
    temperature=0.0,
    max_tokens=9,
    top_p=1.0,
    frequency_penalty=0.0,
    presence_penalty=0.0,
    n=1,
    best_of=1,
)
Connect = Callable[..., Completions]


@pytest.fixture
async def connect(scripted: ScriptedModel) -> AsyncIterator[Connect]:
    """Return a maker of clients of the scripted model; they are closed after the test."""
    url = await scripted.start()
    made: list[Completions] = []

    def make(*, base_url: str = url, model: str = "gpt-4o", timeout: float = 10) -> Completions:
        key = SecretStr("server-key")
        made.append(Completions(base_url=base_url, api_key=key, model=model, timeout=timeout))
        return made[-1]

    yield make
    for completions in made:
        await completions.aclose()


@pytest.fixture
def completions(connect: Connect) -> Completions:
    return connect()


def ask(**given: Any) -> CompletionAsk:
    return CompletionAsk(**{"provider": "OpenAI", "model": "gpt-4o", "messages": MESSAGES} | given)


async def failure(completions: Completions, **given: Any) -> GreenroomError:
    with pytest.raises(GreenroomError) as caught:
        await completions.complete(ask(**given))
    return caught.value


async def test_everything_asked_for_is_sent_in_one_order(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"tool_calls": [{"name": "get_products", "arguments": {"q": "T shirt", "size": 5}}]}])
    found = await completions.complete(ask(tools=[TOOL], stop=("\nObservation:",), sampling=ALL))
    assert list(scripted.requests[0].body.items()) == [
        ("model", "gpt-4o"),
        ("messages", MESSAGES),
        ("tools", [TOOL]),
        ("tool_choice", "auto"),
        ("stop", ["\nObservation:"]),
        ("temperature", 0.0),
        ("max_tokens", 9),
        ("top_p", 1.0),
        ("frequency_penalty", 0.0),
        ("presence_penalty", 0.0),
        ("n", 1),
    ]
    assert found.text is None
    assert found.finish_reason == "tool_calls"
    assert found.ignored == ("best_of",)
    assert [(call.name, call.arguments) for call in found.calls] == [
        ("get_products", '{"q": "T shirt", "size": 5}')
    ]


async def test_an_answer_has_its_text_tokens_and_price(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"reply": "Hi there", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1}}])
    found = await completions.complete(ask())
    assert found == Completion(
        model="gpt-4o",
        text="Hi there",
        calls=(),
        prompt_tokens=1_000_000,
        completion_tokens=1,
        cost=2.50001,
        finish_reason="stop",
    )
    assert list(scripted.requests[0].body) == ["model", "messages"]


async def test_only_the_first_of_n_choices_is_read(scripted: ScriptedModel, completions: Completions) -> None:
    scripted.script([{"reply": "the first"}])
    assert (await completions.complete(ask(sampling=Sampling(n=3)))).text == "the first"
    assert scripted.requests[0].body["n"] == 3


async def test_without_usage_nothing_is_counted(scripted: ScriptedModel, completions: Completions) -> None:
    scripted.script([{"raw": '{"choices":[{"message":{"content":"Hi"}}]}'}])
    found = await completions.complete(ask())
    assert (found.text, found.prompt_tokens, found.completion_tokens, found.cost) == ("Hi", 0, 0, None)


async def test_calls_that_share_an_id_or_have_none_are_calls_of_their_own(
    scripted: ScriptedModel, completions: Completions
) -> None:
    call = '{"id":"same","function":{"name":"f","arguments":{"q":1}}}'
    calls = f'[{call},{call},{{"function":{{"name":"g"}}}}]'
    scripted.script([{"raw": f'{{"choices":[{{"message":{{"content":null,"tool_calls":{calls}}}}}]}}'}])
    found = await completions.complete(ask(tools=[TOOL]))
    assert [(call.name, call.arguments) for call in found.calls] == [
        ("f", '{"q":1}'),
        ("f", '{"q":1}'),
        ("g", "{}"),
    ]


async def test_a_key_of_the_caller_goes_before_the_servers(
    scripted: ScriptedModel, completions: Completions
) -> None:
    await completions.complete(ask())
    await completions.complete(ask(), api_key="own-key")
    await completions.complete(ask(), api_key="")
    assert [seen.key for seen in scripted.requests] == ["server-key", "own-key", "server-key"]


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "schlüssel", "a\x00b"])
async def test_a_key_that_no_header_carries_is_refused(
    scripted: ScriptedModel, completions: Completions, key: str
) -> None:
    with pytest.raises(Upstream, match="refused the key") as caught:
        await completions.complete(ask(), api_key=key)
    assert not caught.value.may_retry
    assert not scripted.requests


async def test_the_providers_of_the_table_are_known_by_many_names(
    scripted: ScriptedModel, completions: Completions
) -> None:
    for provider in ("OpenAI", "openaichat", "OpenAI-Chat", "ChatOpenAI", "gpt"):
        await completions.complete(ask(provider=provider))
    assert len(scripted.requests) == 5
    with pytest.raises(BadRequest, match="'Acme' is not in the table"):
        await completions.complete(ask(provider="Acme"))


# --- settings that a model does not take ---------------------------------------------------------------


async def test_reasoning_models_are_not_told_how_to_sample(
    scripted: ScriptedModel, completions: Completions
) -> None:
    found = await completions.complete(ask(model="o3-mini-2025-01-31", sampling=ALL))
    assert list(scripted.requests[0].body) == ["model", "messages", "max_completion_tokens", "n"]
    assert found.ignored == ("temperature", "top_p", "frequency_penalty", "presence_penalty", "best_of")


@pytest.mark.parametrize(
    ("message", "param", "gone"),
    [
        (
            "Unsupported value: 'temperature' does not support 0.0 with this model.",
            "temperature",
            "temperature",
        ),
        ("Field 'n': Value must be between 1 <= value <= 1, but got 2", None, "n"),
        ("Not supported with this model.", "stop", "stop"),
        ("presence_penalty is not implemented", None, "presence_penalty"),
    ],
)
async def test_what_an_endpoint_refuses_is_learnt_and_listed(
    scripted: ScriptedModel, completions: Completions, message: str, param: str | None, gone: str
) -> None:
    scripted.script(
        [{"status": 400, "times": 1, "error": {"message": message, "param": param}}, {"reply": "Hi"}]
    )
    given = ask(stop=("x",), sampling=Sampling(temperature=0.0, presence_penalty=1.0, n=2))
    for _ in range(2):
        assert (await completions.complete(given)).ignored == (gone,)
    bodies = [seen.body for seen in scripted.requests]
    assert [gone in body for body in bodies] == [True, False, False]
    other = Sampling(temperature=0.5, presence_penalty=0.5, n=1)
    assert (await completions.complete(ask(sampling=other))).ignored == ()  # another value may be taken


async def test_the_newer_name_of_the_limit_is_learnt_and_is_not_ignored(
    scripted: ScriptedModel, completions: Completions
) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    scripted.script([{"status": 400, "times": 1, "error": {"message": message}}, {"reply": "Hi"}])
    assert (await completions.complete(ask(sampling=Sampling(max_tokens=7)))).ignored == ()
    assert scripted.requests[1].body["max_completion_tokens"] == 7


# --- the embedded model --------------------------------------------------------------------------------


async def test_the_embedded_model_answers_for_every_name(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([{"raw": '{"choices":[{"message":{"content":"Hi"}}]}'}])
    found = await connect(model="smollm2-135m").complete(ask(model="gpt-3.5-turbo-0613"))
    assert found.model == "smollm2-135m"
    assert (scripted.requests[0].model, scripted.requests[0].key) == ("smollm2-135m", "")
    assert (found.text, found.cost) == ("Hi", 0.0)


async def test_the_embedded_model_has_no_tools(scripted: ScriptedModel, connect: Connect) -> None:
    error = await failure(connect(model="smollm2-135m"), tools=[TOOL])
    assert "embedded model cannot call tools" in error.message
    assert not error.may_retry
    assert not scripted.requests


async def test_who_brings_a_key_asks_openai_instead_of_the_embedded_model(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that the environment's proxy is used: here it hears who was to be reached."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1") as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(Upstream):
            await connect(model="smollm2-135m").complete(ask(), api_key="own-key")
    assert heard == [b"CONNECT api.openai.com:443 HTTP/1.1\r\n"]


# --- failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "kind", "says", "retryable", "retry_after"),
    [
        ({"status": 429, "retry_after": 0.25}, RateLimited, "rate limited", True, 0.25),
        ({"status": 429}, RateLimited, "rate limited", True, None),
        ({"status": 429, "error": {"code": "insufficient_quota"}}, Upstream, "quota", False, None),
        ({"raw": '{"error":{"code":429}}'}, RateLimited, "rate limited", True, None),
        ({"raw": "busy", "status": 429, "headers": {"Retry-After": "7"}}, RateLimited, "rate", True, 7.0),
        ({"status": 401}, Upstream, "refused the key", False, None),
        ({"status": 402}, Upstream, "quota", False, None),
        ({"status": 403}, Upstream, "refused the key", False, None),
        ({"status": 404}, Upstream, "does not know this model", False, None),
        ({"status": 400}, Upstream, "refused the request", False, None),
        ({"status": 400, "error": {"code": "context_length_exceeded"}}, Upstream, "context", False, None),
        ({"status": 400, "error": {"message": "tools are not supported"}}, Upstream, "tools", False, None),
        ({"status": 503, "retry_after": 2}, Upstream, "HTTP 503", True, 2.0),
        ({"raw": "<html>", "status": 502}, Upstream, "HTTP 502", True, None),
        ({"raw": '{"choices":[]}'}, Upstream, "cannot be read", True, None),
        ({"raw": '{"choices":[{"message":{"content":"Hi'}, Upstream, "cannot be read", True, None),
        ({"raw": "[" * 100_000}, Upstream, "cannot be read", True, None),
        ({"raw": "\xff\xfe"}, Upstream, "cannot be read", True, None),
        ({"break_after": 0}, Upstream, "broke off", True, None),
        ({"raw": "x", "headers": {"Content-Encoding": "br"}}, Upstream, "broke off", True, None),
        ({"raw": "not packed", "headers": {"Content-Encoding": "gzip"}}, Upstream, "broke off", True, None),
        ({"raw": "x" * MB, "raw_times": 18}, Upstream, "far more", True, None),
        ({"raw": "x" * MB, "raw_times": 18, "gzip": True}, Upstream, "far more", True, None),
        ({"raw": "x" * MB, "raw_times": 18, "status": 400}, Upstream, "far more", True, None),
        ({"raw": "", "headers": {"X-Long": "a" * MB}}, Upstream, "cannot be read", True, None),
    ],
)
async def test_failures_say_what_was_wrong_and_whether_to_try_again(
    scripted: ScriptedModel,
    completions: Completions,
    rule: dict[str, Any],
    kind: type[GreenroomError],
    says: str,
    retryable: bool,
    retry_after: float | None,
) -> None:
    scripted.script([rule])
    error = await failure(completions, tools=[TOOL])
    assert (type(error), error.may_retry, error.retry_after) == (kind, retryable, retry_after)
    assert says in error.message
    assert len(scripted.requests) == 1


async def test_a_date_says_when_to_ask_again(scripted: ScriptedModel, completions: Completions) -> None:
    past, nonsense = "Wed, 21 Oct 2015 07:28:00 GMT", "soon"
    for said, seconds in ((past, 0.0), (nonsense, None), ("90000", None)):
        scripted.script([{"raw": "", "status": 429, "headers": {"Retry-After": said}}])
        assert (await failure(completions)).retry_after == seconds


async def test_a_packed_answer_is_read(scripted: ScriptedModel, completions: Completions) -> None:
    scripted.script([{"raw": '{"choices":[{"message":{"content":"Hi"}}]}', "gzip": True}])
    assert (await completions.complete(ask())).text == "Hi"


async def test_an_endpoint_that_is_away_can_be_tried_again(scripted: ScriptedModel, connect: Connect) -> None:
    completions = connect()
    await scripted.stop()
    error = await failure(completions)
    assert "cannot be reached" in error.message
    assert error.may_retry
    error = await failure(connect(base_url="http://user:word@127.0.0.1:1"))
    assert "cannot be reached" in error.message


async def test_a_call_is_bounded_and_then_closed(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([{"hang": True}])
    error = await failure(connect(timeout=0.2))
    assert "did not answer within 0.2 s" in error.message
    assert error.may_retry
    await scripted.until("closed_by_client")


async def test_a_cancelled_call_closes_its_connection(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"hang": True}])
    call = asyncio.ensure_future(completions.complete(ask()))
    await scripted.until("running")
    call.cancel()
    await scripted.until("closed_by_client")
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_256_calls_run_at_once_and_connections_are_used_again(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([{"first_delay_ms": 100, "reply": "Hi"}])
    started = time.monotonic()
    await asyncio.gather(*(completions.complete(ask()) for _ in range(256)))
    await asyncio.gather(*(completions.complete(ask()) for _ in range(256)))
    assert time.monotonic() - started < 25  # one after the other they take twice that
    assert len({seen.peer for seen in scripted.requests}) <= 256
