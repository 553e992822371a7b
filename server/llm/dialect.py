"""What one model of an endpoint accepts, and what is learnt when it refuses."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from schemas.content import Tool
from server.llm.failures import Refused
from server.llm.providers import NOT_OF_REASONING, Provider, Structured, is_reasoning
from server.llm.structured import BOUNDS, Shape
from server.llm.tools import wire_tool, wire_turns
from server.llm.turns import ChatTurn, with_system

_log = structlog.get_logger(__name__)
_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "structured output", "guided", "grammar")
_REASONING_WORDS = ("reasoning", "thinking")
Reasoning = Literal["low", "medium", "high"]
# What endpoints say of a setting: names that are no words of English stand for themselves.
_SETTINGS = {
    name: re.compile(rf"""(^|['"`]){name}(['"`\s]|$)""" if name in ("n", "stop") else name)
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty", "n", "stop")
}
_MAX_REFUSED = 1_000  # values come from clients
_WEAKER: dict[Structured, Structured] = {"json_schema": "json_object", "json_object": "prompt"}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request before it is put into a model's dialect."""

    model: str
    turns: Sequence[ChatTurn]
    temperature: float | None = None
    max_tokens: int | None = None
    shape: Shape | None = None
    tools: Sequence[Tool] = ()
    reasoning: Reasoning | None = None
    stream: bool = False


class Dialect:
    """Builds request bodies for one model and remembers the parameters that it refused."""

    def __init__(self, provider: Provider, *, model: str = "") -> None:
        self.provider = provider
        self._structured: Structured = provider.structured
        self._without: set[str] = set() if provider.stream_options else {"stream_options"}
        self._refused: set[tuple[str, str]] = set()  # settings with the value: another one may be taken
        self._bounds = provider.bounds
        self._limit = "max_tokens"
        if is_reasoning(model):
            self._limit = "max_completion_tokens"
            self._without |= NOT_OF_REASONING
        self._short_ids = provider.short_ids

    def body(self, ask: Ask) -> dict[str, Any]:
        """Return the body of POST /chat/completions."""
        body: dict[str, Any] = {"model": ask.model, "messages": self._messages(ask.turns)}
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        if ask.max_tokens is not None:
            body["max_tokens"] = ask.max_tokens
        if ask.tools:
            body["tools"] = [wire_tool(tool) for tool in ask.tools]
        if ask.reasoning is not None:
            body["reasoning_effort"] = ask.reasoning
        if ask.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        if ask.shape is not None:
            body |= self._structured_part(ask.shape, ask.turns)
        return self.spoken(body)

    def spoken(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body without what the model refuses, and with its own name of the limit of tokens."""
        named = {self._limit if name == "max_tokens" else name: value for name, value in body.items()}
        return {name: value for name, value in named.items() if self._takes(name, value)}

    def learn(self, refused: Refused, body: dict[str, Any]) -> bool:
        """Learn from a refused body; True when the next one differs, so that asking again makes sense."""
        if refused.status not in (400, 422):
            return False
        said = refused.said
        if "stream_options" in body and "stream_options" in said:
            self._forgo("stream_options")
        elif "response_format" in body and any(word in said for word in _FORMAT_WORDS):
            self._weaken(body["response_format"]["type"], said)
        elif "max_tokens" in body and "max_completion_tokens" in said:
            self._limit = "max_completion_tokens"
        elif "reasoning_effort" in body and any(word in said for word in _REASONING_WORDS):
            self._forgo("reasoning_effort")
        elif not self._short_ids and "tool call id" in said:
            self._short_ids = True
        else:
            return self._learn_setting(said, body)
        return True

    def _learn_setting(self, said: str, body: dict[str, Any]) -> bool:
        for name, words in _SETTINGS.items():
            if name in body and words.search(said):
                if len(self._refused) >= _MAX_REFUSED:
                    self._refused.clear()
                self._refused.add((name, repr(body[name])))
                _log.warning("model refuses setting", setting=name)
                return True
        return False

    def _takes(self, name: str, value: object) -> bool:
        if name in self._without:
            return False
        return not self._refused or (name, repr(value)) not in self._refused

    def _structured_part(self, shape: Shape, turns: Sequence[ChatTurn]) -> dict[str, Any]:
        if self._structured == "json_schema":
            return {"response_format": shape.response_format(bounds=self._bounds)}
        told: dict[str, Any] = {"messages": self._messages(with_system(turns, shape.prompt()))}
        if self._structured == "json_object":
            told["response_format"] = {"type": "json_object"}
        return told

    def _messages(self, turns: Sequence[ChatTurn]) -> list[dict[str, Any]]:
        return wire_turns(turns, short_ids=self._short_ids)

    def _weaken(self, refused: Structured, said: str) -> None:
        if self._bounds and any(word.lower() in said for word in BOUNDS):
            self._bounds = False
            return
        # Another request may have learnt it while this one was on its way.
        if self._structured == refused:
            self._structured = _WEAKER[refused]
            _log.warning("model refuses response_format", refused=refused, instead=self._structured)

    def _forgo(self, name: str) -> None:
        self._without.add(name)
        _log.warning("model refuses parameter", parameter=name)
