"""Chat completions that are not streamed, many at a time: what batch jobs ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from pydantic import SecretStr

from schemas.content import ToolCall
from schemas.envelope import JsonObject
from server.errors import BadRequest, RateLimited, Upstream
from server.llm.completion_bodies import Answer, read, wanted
from server.llm.dialect import Dialect
from server.llm.failures import (
    NO_TOOLS,
    SMALL_NO_TOOLS,
    TOO_LONG,
    Refused,
    Throttled,
    context_exceeded,
    refusal,
    tools_refused,
)
from server.llm.model_table import known
from server.llm.posting import Poster, Reply
from server.llm.providers import OPENAI_URL, is_small, provider_of
from server.llm.stream import MAX_REASON, charged
from server.llm.tracing import asking, counted

_MAX_DIALECTS = 1_000  # names of models come from clients
_MAX_SAID = 10_000  # bytes of a refusal that is no JSON, to be searched
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a model samples; what is None is not sent. `best_of` is not part of chat completions."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    best_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionAsk:
    """One request: `provider` names an entry of the table of models, messages and tools are in wire form."""

    provider: str
    model: str
    messages: Sequence[JsonObject]
    tools: Sequence[JsonObject] = ()
    stop: tuple[str, ...] = ()
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """An answer, choice 0 of it; `cost` in USD is None for an unknown price.

    `model` is the one that was asked: the embedded model answers for every name. `ignored` names the settings
    that were asked for and not sent, because the model or the API has none.
    """

    model: str
    text: str | None
    calls: tuple[ToolCall, ...]
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    finish_reason: str
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom to ask: an endpoint, one of its models, and the key for it."""

    base_url: str
    model: str
    key: str | None


class Completions:
    """Asks the models of the server's endpoint, `base_url` or OpenAI's; `timeout` (s) bounds an answer.

    It speaks HTTP by itself: a call of the OpenAI SDK takes 1.7 ms of the processor, 0.9 ms without its
    types, and this 0.25 ms (20 at a time, five tools, a scripted endpoint), and a job makes thousands.
    How many calls are under way at once is for the caller to bound.
    """

    def __init__(
        self, *, base_url: str | None, api_key: SecretStr | None, model: str, timeout: float
    ) -> None:
        self._base_url = (base_url or OPENAI_URL).rstrip("/")
        self._key = api_key.get_secret_value() if api_key else None
        self._model = model
        self._poster = Poster(timeout=timeout)
        self._dialects: dict[tuple[str, str], Dialect] = {}

    async def complete(self, ask: CompletionAsk, *, api_key: str | None = None) -> Completion:
        """Ask once for an answer; `api_key` is used instead of the server's.

        Settings that the model refuses are left out, and it is asked again at once. Raises RateLimited,
        Upstream, which says whether to try again, and BadRequest for an unknown provider. Cancelling closes
        the connection.
        """
        if not known(ask.provider):
            raise BadRequest(f"llm.provider {ask.provider!r} is not in the table of models.")
        target = self._target(ask.model, api_key)
        dialect = self._dialect(target)
        if ask.tools and not dialect.provider.tools:
            raise Upstream(SMALL_NO_TOOLS, retryable=False)
        asked = wanted(ask) | {"model": target.model}
        with asking("chat", target.model) as span:
            try:
                answer, sent = await self._ask(target, dialect, asked)
            except Throttled as error:
                raise RateLimited(error.message, retry_after=error.retry_after) from None
            done = _completion(answer, model=target.model, ignored=_left_out(asked, sent))
            counted(span, prompt=done.prompt_tokens, completion=done.completion_tokens, cost=done.cost)
        return done

    def at_once(self, api_key: str | None = None) -> int | None:
        """Return how many calls are answered at once: one by the embedded model, None for no known limit."""
        return 1 if is_small(self._model) and not api_key else None

    async def aclose(self) -> None:
        """Close the connections; calls under way break off."""
        await self._poster.aclose()

    def _target(self, model: str, api_key: str | None) -> _Target:
        """Return whom to ask; the embedded model answers for every name, but not for who brings a key."""
        if not is_small(self._model):
            return _Target(self._base_url, model, api_key or self._key)
        return _Target(OPENAI_URL, model, api_key) if api_key else _Target(self._base_url, self._model, None)

    def _dialect(self, target: _Target) -> Dialect:
        about = (target.base_url, target.model)
        if about not in self._dialects:
            if len(self._dialects) >= _MAX_DIALECTS:
                del self._dialects[next(iter(self._dialects))]
            self._dialects[about] = Dialect(provider_of(*about), model=target.model)
        return self._dialects[about]

    async def _ask(
        self, target: _Target, dialect: Dialect, asked: dict[str, Any]
    ) -> tuple[Answer, dict[str, Any]]:
        """Return the answer, and the body that the endpoint took."""
        while True:
            body = dialect.spoken(asked)
            body.pop("best_of", None)  # chat completions have none
            url = f"{target.base_url}/chat/completions"
            reply = await self._poster.post(url, orjson.dumps(body), key=target.key)
            if 200 <= reply.status < 300:
                return read(reply.body), body
            refused = _refused(reply)
            if context_exceeded(refused) or not dialect.learn(refused, body):
                error = _error(refused, tools="tools" in body)
                if not isinstance(
                    error, Throttled
                ):  # of these there may be hundreds; the caller's pace says it
                    _log.info("model endpoint refused", status=refused.status, code=refused.code)
                raise error


def _refused(reply: Reply) -> Refused:
    try:
        body = orjson.loads(reply.body)
    except ValueError:
        body = reply.body[:_MAX_SAID].decode(errors="replace")
    return Refused.read(reply.status, body=body, headers=reply.headers)


def _error(refused: Refused, *, tools: bool) -> Upstream:
    if context_exceeded(refused):
        return Upstream(TOO_LONG, retryable=False)
    if tools and tools_refused(refused):
        return Upstream(NO_TOOLS, retryable=False)
    return refusal(refused)


def _left_out(asked: dict[str, Any], sent: dict[str, Any]) -> tuple[str, ...]:
    """Return the settings that were asked for and not sent; the limit of tokens has two names."""
    named = {"max_tokens"} if "max_completion_tokens" in sent else set()
    return tuple(name for name in asked if name not in sent and name not in named)


def _completion(answer: Answer, *, model: str, ignored: tuple[str, ...]) -> Completion:
    prompt, completion, cost = charged(answer.tokens, model=model)
    return Completion(
        model=model,
        text=answer.text or None,
        calls=answer.calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost=cost,
        finish_reason=answer.finish_reason[:MAX_REASON],
        ignored=ignored,
    )
