"""One streamed reply of a model."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import httpx2
from openai import AsyncAPIResponse

from schemas.content import ToolCall
from schemas.envelope import Usage
from server.errors import Upstream
from server.llm.bodies import READ_ERRORS
from server.llm.failures import BROKE_OFF, late
from server.llm.prices import cost
from server.llm.providers import is_small
from server.llm.sse import ReplyParser

MAX_TOKENS = 2**53  # what JSON carries exactly; sums of many still fit into 64 bits
MAX_REASON = 100  # characters of a finish_reason
_DRAIN = 0.2  # seconds for an endpoint to end the body after [DONE], so that the connection is used again


class ModelStream:
    """The text of a reply as it arrives: one item per network read, never empty.

    `usage` is complete when the iteration has ended, and holds what is known before; `tool_calls` are the
    calls of tools, empty before the end. Raises Upstream.
    Cancelling is safe: the endpoint's stream is closed at once. One task may iterate.
    """

    def __init__(
        self, response: AsyncAPIResponse[Any], *, model: str, started: float, limit: float, truncated: bool
    ) -> None:
        self.tool_calls: list[ToolCall] = []
        self._response = response
        self._reads = _reads(response.http_response)
        self._parser = ReplyParser()
        self._model = model
        self._truncated = truncated
        self._limit = limit
        self._started = started
        self._first: float | None = None
        self._ended: float | None = None
        # One timer for the reply: asyncio.timeout around each read would cost as much as parsing it.
        left = limit - (time.perf_counter() - started)
        self._timer = asyncio.get_running_loop().call_later(left, self._expire)
        self._late = False
        self._reader: asyncio.Task[Any] | None = None

    @property
    def usage(self) -> Usage:
        """Return what the reply used so far."""
        now = self._ended or time.perf_counter()
        reason = self._parser.finish_reason
        first = None if self._first is None else (self._first - self._started) * 1000
        return measured(
            self._parser.tokens,
            model=self._model,
            duration_ms=(now - self._started) * 1000,
            first_token_ms=first,
            # Some endpoints end a reply that calls tools as if it were a text.
            finish_reason="tool_calls" if self.tool_calls and reason == "stop" else reason,
            truncated=self._truncated,
        )

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        parser = self._parser
        while not parser.done:
            if parser.error is not None:
                await self.aclose()
                raise parser.error
            data = await self._read()
            text = parser.feed(data) if data else parser.end()
            if text:
                if self._first is None:
                    self._first = time.perf_counter()
                return text
            if self._first is None and parser.calls:
                self._first = time.perf_counter()
        await self._finish()
        self.tool_calls = parser.calls.whole()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the endpoint's stream; safe to call twice, and when cancelled."""
        self._ended = self._ended or time.perf_counter()
        self._timer.cancel()
        if isinstance(self._reads, AsyncGenerator):
            await self._reads.aclose()
        await self._response.close()

    def _expire(self) -> None:
        self._late = True
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self) -> bytes:
        """Return the next bytes, b"" at the end; only while it waits may the timer cancel its task."""
        task = asyncio.current_task()
        cancels = task.cancelling() if task else 0
        self._reader = task
        try:
            if not self._late:
                return await anext(self._reads, b"")
            failure = self._too_late()
        except asyncio.CancelledError:
            if not self._late or (task and task.uncancel() > cancels):
                raise
            failure = self._too_late()
        except READ_ERRORS:
            failure = Upstream(BROKE_OFF)
        finally:
            self._reader = None
        if self._parser.finish_reason:
            return b""  # the text is whole; only the usage is missing
        await self.aclose()
        raise failure

    def _too_late(self) -> Upstream:
        return late(self._limit, begun=self._first is not None)

    async def _finish(self) -> None:
        if self._ended is None:
            self._ended = time.perf_counter()
            with suppress(TimeoutError, *READ_ERRORS):
                async with asyncio.timeout(_DRAIN):
                    while await anext(self._reads, b""):
                        pass
            await self.aclose()


def _reads(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Iterate over what the network brings, unpacked already; two layers of httpx2 are not needed."""
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        return response.aiter_bytes()
    return aiter(response.stream)


def measured(
    tokens: dict[str, Any] | None,
    *,
    model: str,
    duration_ms: float,
    finish_reason: str,
    truncated: bool,
    first_token_ms: float | None = None,
) -> Usage:
    """Return the usage of a reply; without the endpoint's count, its cost is unknown."""
    prompt, completion, cost_usd = charged(tokens, model=model)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_usd=cost_usd,
        first_token_ms=None if first_token_ms is None else round(first_token_ms, 3),
        duration_ms=round(duration_ms, 3),
        finish_reason=finish_reason[:MAX_REASON],
        truncated=truncated or None,
    )


def charged(tokens: dict[str, Any] | None, *, model: str) -> tuple[int, int, float | None]:
    """Return the tokens of prompt and completion, and their cost: unknown without the endpoint's count."""
    prompt, completion = _count(tokens, "prompt_tokens"), _count(tokens, "completion_tokens")
    if tokens is None and not is_small(model):
        return prompt, completion, None
    return prompt, completion, cost(model, prompt_tokens=prompt, completion_tokens=completion)


def _count(tokens: dict[str, Any] | None, name: str) -> int:
    """Return a count of tokens that can be stored, whatever the endpoint says."""
    value = (tokens or {}).get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), MAX_TOKENS)
