"""The models of one OpenAI-compatible endpoint: streamed replies and structured answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import openai
import structlog
from openai import AsyncAPIResponse, AsyncOpenAI, DefaultAioHttpClient
from pydantic import BaseModel, ValidationError

from schemas.content import Tool
from schemas.envelope import Usage
from server.errors import Unavailable, Upstream
from server.llm.bodies import ENCODINGS, FAILURES, bound, whole
from server.llm.completion_bodies import read
from server.llm.dialect import Ask, Dialect, Reasoning
from server.llm.failures import (
    NO_TOOLS,
    SMALL_NO_TOOLS,
    TOO_LONG,
    UNREACHABLE,
    Refused,
    ToolsRefused,
    context_exceeded,
    late,
    refusal,
    tools_refused,
    unusable,
    upstream,
)
from server.llm.images import Image, Images
from server.llm.providers import OPENAI_URL, provider_of
from server.llm.stream import ModelStream, measured
from server.llm.structured import Shape, bare, problems
from server.llm.tracing import asking, used
from server.llm.turns import ChatTurn, drop_oldest

T = TypeVar("T", bound=BaseModel)
CHECK_TIMEOUT = 10.0
CONNECT_TIMEOUT = 10.0
_NO_KEY = "none"  # the SDK wants one, endpoints of one's own do not
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """A structured answer; `reliable` is False when the model is no judge, `repairs` counts further tries."""

    value: T
    usage: Usage
    model: str
    reliable: bool
    repairs: int


@dataclass(frozen=True)
class _Sent:
    """A request that the endpoint took, and whether turns had to go for it."""

    response: AsyncAPIResponse[Any]
    truncated: bool


class Models:
    """Chat models behind one endpoint; without `base_url` OpenAI's. `timeout` (s) bounds a whole reply.

    Every method raises Upstream with a message that is safe for clients, and may be cancelled: the endpoint
    sees the disconnect at once.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str | None,
        model: str,
        judge_model: str | None = None,
        image_model: str | None = None,
        timeout: float = 120,
        retries: int = 2,
    ) -> None:
        self._base_url = base_url or OPENAI_URL
        self._name = model
        self._judge_name = judge_model or model
        self._timeout = timeout
        self._dialects: dict[str, Dialect] = {}
        self._client = AsyncOpenAI(
            base_url=self._base_url,
            api_key=api_key or _NO_KEY,
            max_retries=retries,
            # Only connecting has its own limit; a reply is bounded as a whole.
            timeout=openai.Timeout(None, connect=min(CONNECT_TIMEOUT, timeout)),
            # Half the CPU per read of the default transport (bench/llm_chunk.py).
            http_client=DefaultAioHttpClient(
                headers={"Accept-Encoding": ENCODINGS}, event_hooks={"response": [bound]}
            ),
        )
        self._images = Images(self._client, image_model)

    @property
    def name(self) -> str:
        """Name the model that chats."""
        return self._name

    @property
    def judge_name(self) -> str:
        """Name the model that judges."""
        return self._judge_name

    @asynccontextmanager
    async def stream(
        self,
        turns: Sequence[ChatTurn],
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        tools: Sequence[Tool] = (),
        reasoning: Reasoning | None = None,
    ) -> AsyncIterator[ModelStream]:
        """Ask for a reply; leaving the context closes the endpoint's stream. Raises Upstream.

        `reasoning` is left out for a model that refuses it; one that refuses `tools` is ToolsRefused.
        """
        started = time.perf_counter()
        if tools and not self._dialect(model or self._name).provider.tools:
            raise ToolsRefused(SMALL_NO_TOOLS)
        ask = Ask(
            model=model or self._name,
            turns=turns,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            reasoning=reasoning,
            stream=True,
        )
        async with AsyncExitStack() as stack:
            span = stack.enter_context(asking("chat", ask.model))
            async with self._limited():
                sent = await self._send(stack, ask)
            stream = ModelStream(
                sent.response,
                model=ask.model,
                started=started,
                limit=self._timeout,
                truncated=sent.truncated,
            )
            stack.callback(lambda: used(span, stream.usage))
            stack.push_async_callback(stream.aclose)
            yield stream

    async def parse(
        self,
        schema: type[T],
        turns: Sequence[ChatTurn],
        *,
        model: str | None = None,
        temperature: float = 0.0,
        repairs: int = 2,
        max_tokens: int | None = None,
    ) -> Parsed[T]:
        """Ask for a value of a pydantic model, showing the model its mistakes at most `repairs` times."""
        name = model or self._name
        ask = Ask(
            model=name, turns=turns, temperature=temperature, max_tokens=max_tokens, shape=Shape.of(schema)
        )
        usage: Usage | None = None
        for repair in range(repairs + 1):
            answer, used = await self._answer(ask)
            usage = used if usage is None else summed(usage, used)
            try:
                value = schema.model_validate_json(bare(answer))
            except ValidationError as error:
                ask = replace(ask, turns=[*turns, *_correction(answer, error)])
                continue
            reliable = self._dialect(name).provider.reliable_judge
            return Parsed(value=value, usage=usage, model=name, reliable=reliable, repairs=repair)
        _log.warning("model answers not valid", model=name, schema=schema.__name__, repairs=repairs)
        raise unusable(schema.__name__)

    async def image(self, prompt: str, *, size: str | None = None) -> Image:
        """Ask for an image, `size` such as 1024x1024.

        Raises Unavailable, not to be tried again, when no image model is set, and Upstream.
        """
        with asking("generate_content", "image"):
            async with self._limited():
                return await self._images.make(prompt, size=size)

    async def check(self) -> None:
        """Ask the endpoint for its models; raises Unavailable when it is away, Upstream when it refuses."""
        seconds = min(CHECK_TIMEOUT, self._timeout)
        try:
            async with asyncio.timeout(seconds):
                await self._client.with_options(max_retries=0).models.with_raw_response.list()
        except TimeoutError:
            raise Unavailable(f"The model endpoint did not answer within {seconds:g} s.") from None
        except openai.APIConnectionError:
            raise Unavailable(UNREACHABLE) from None
        except FAILURES as error:
            raise upstream(error) from None

    async def aclose(self) -> None:
        """Close the connections; running replies break off."""
        await self._client.close()

    def _dialect(self, model: str) -> Dialect:
        if model not in self._dialects:
            self._dialects[model] = Dialect(provider_of(self._base_url, model), model=model)
        return self._dialects[model]

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError:
            raise late(self._timeout) from None

    async def _send(self, stack: AsyncExitStack, ask: Ask) -> _Sent:
        """Send a request until the endpoint takes it: in its dialect, with as many turns as fit."""
        dialect, truncated = self._dialect(ask.model), False
        while True:
            body = dialect.body(ask)
            try:
                # Past the SDK's parameters: it walks through each of them by its types, 0.2 ms a message.
                request = self._client.chat.completions.with_streaming_response.create(
                    model=ask.model, messages=(), extra_body=body
                )
                return _Sent(await stack.enter_async_context(request), truncated)
            except openai.APIStatusError as error:
                refused = Refused.of(error)
                if context_exceeded(refused):
                    ask, truncated = _shorter(ask), True
                elif not dialect.learn(refused, body):
                    _log.warning("model endpoint refused", status=refused.status, code=refused.code)
                    if ask.tools and tools_refused(refused):
                        raise ToolsRefused(NO_TOOLS) from None
                    raise refusal(refused) from None
            except FAILURES as error:
                _log.warning("model endpoint failed", kind=type(error).__name__)
                raise upstream(error) from None

    async def _answer(self, ask: Ask) -> tuple[str, Usage]:
        started = time.perf_counter()
        with asking("chat", ask.model) as span:
            async with self._limited(), AsyncExitStack() as stack:
                sent = await self._send(stack, ask)
                body = await whole(sent.response)
            answer = read(body)
            usage = measured(
                answer.tokens,
                model=ask.model,
                duration_ms=(time.perf_counter() - started) * 1000,
                finish_reason=answer.finish_reason,
                truncated=sent.truncated,
            )
            used(span, usage)
        return answer.text, usage


def _shorter(ask: Ask) -> Ask:
    turns = drop_oldest(ask.turns)
    if turns is None:
        raise Upstream(TOO_LONG, retryable=False)
    _log.info("conversation cut to fit the context", model=ask.model, turns=len(turns))
    return replace(ask, turns=turns)


def _correction(answer: str, error: ValidationError) -> list[ChatTurn]:
    wrong = f"That answer is not valid:\n{problems(error)}\nAnswer again with the corrected JSON object only."
    return [ChatTurn(role="assistant", content=answer), ChatTurn(role="user", content=wrong)]


def summed(one: Usage, two: Usage) -> Usage:
    """Return what two answers used together; the cost is unknown when that of one is."""
    costs = (one.cost_usd, two.cost_usd)
    return Usage(
        prompt_tokens=one.prompt_tokens + two.prompt_tokens,
        completion_tokens=one.completion_tokens + two.completion_tokens,
        cost_usd=None if None in costs else sum(c for c in costs if c is not None),
        duration_ms=one.duration_ms + two.duration_ms,
        finish_reason=two.finish_reason,
        truncated=one.truncated or two.truncated,
    )
