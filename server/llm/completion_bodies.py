"""Bodies of chat completions that are not streamed: what is asked, and what an answer says."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from schemas.content import ToolCall
from server.errors import Upstream
from server.llm.failures import UNREADABLE, reported
from server.llm.sse import text_of
from server.llm.tools import CallParts

if TYPE_CHECKING:
    from server.llm.completions import CompletionAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Choice 0 of an answer; `tokens` are the endpoint's counts, None where it gives none."""

    text: str
    calls: tuple[ToolCall, ...]
    finish_reason: str
    tokens: dict[str, Any] | None


def read(body: bytes) -> Answer:
    """Read an answer; raises Upstream for what is none, and for an error in its place."""
    try:
        whole = orjson.loads(body)
        if whole.get("error"):
            raise reported(whole["error"])
        choice, usage = whole["choices"][0], whole.get("usage")
        message = choice["message"]
        parts = CallParts()
        parts.add_whole(message.get("tool_calls") or [])
        return Answer(
            text=text_of(message.get("content")) or text_of(message.get("refusal")),
            calls=tuple(parts.whole()),
            finish_reason=str(choice.get("finish_reason") or ""),
            tokens=usage if isinstance(usage, dict) else None,
        )
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise Upstream(UNREADABLE) from None


def wanted(ask: "CompletionAsk") -> dict[str, Any]:
    """Return all that is asked for, before it is put into the dialect of a model; the order never changes."""
    body: dict[str, Any] = {"model": ask.model, "messages": list(ask.messages)}
    if ask.tools:
        body |= {"tools": list(ask.tools), "tool_choice": "auto"}
    if ask.stop:
        body["stop"] = list(ask.stop)
    settings = ((name, getattr(ask.sampling, name)) for name in ask.sampling.__slots__)
    return body | {name: value for name, value in settings if value is not None}
