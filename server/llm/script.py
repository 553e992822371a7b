"""Rules of the scripted model, and the answers that it gives without one."""

import hashlib
import math
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_DIMENSIONS = 64
_WORDS = re.compile(r"\S+\s*")


class Match(BaseModel):
    """When a rule applies; what is not given matches everything. `schema` is the name of the response_format."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    last_contains: str | None = None
    any_contains: str | None = None
    system_contains: str | None = None
    model: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")


class Rule(BaseModel):
    """One scripted behaviour: what is answered, how fast, and what goes wrong; times in milliseconds.

    `error` with `status` is an HTTP error (`retry_after` in seconds); without it, an error object inside the
    stream. `break_after` cuts the connection after so many chunks; `hang` never ends the answer.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    match: Match = Match()
    times: int | None = Field(default=None, ge=1)
    reply: str | None = None
    chunks: list[str] | None = None
    json_value: Any = Field(default=None, alias="json")
    chunk_words: int = Field(default=1, ge=1)
    chunks_count: int | None = Field(default=None, ge=1)
    chunk_text: str = "word "
    delay_ms: float = Field(default=0, ge=0)
    first_delay_ms: float = Field(default=0, ge=0)
    batch: int = Field(default=1, ge=1)
    status: int | None = Field(default=None, ge=400, le=599)
    error: dict[str, Any] | None = None
    retry_after: float | None = None
    break_after: int | None = Field(default=None, ge=0)
    hang: bool = False
    usage: dict[str, int] | None = None
    finish_reason: str = "stop"


class Ask(BaseModel):
    """A chat request as far as rules look at it."""

    model: str
    messages: list[dict[str, Any]]
    schema_name: str | None = None
    json_schema: dict[str, Any] | None = None
    stream: bool = False
    include_usage: bool = False

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Ask":
        """Read a request body; raises pydantic's ValidationError when it is not a chat request."""
        wanted = body.get("response_format") or {}
        described = wanted.get("json_schema") or {}
        return cls.model_validate(
            {
                "model": body.get("model"),
                "messages": body.get("messages"),
                "schema_name": described.get("name") or wanted.get("type"),
                "json_schema": described.get("schema"),
                "stream": bool(body.get("stream")),
                "include_usage": bool((body.get("stream_options") or {}).get("include_usage")),
            }
        )

    def text(self, role: str | None = None) -> str:
        """Return the text of all messages, or of those of one role."""
        return "\n".join(_content(m) for m in self.messages if role in (None, m.get("role")))

    def last(self, role: str | None = None) -> str:
        """Return the text of the last message, or of the last one of a role."""
        texts = [_content(m) for m in self.messages if role in (None, m.get("role"))]
        return texts[-1] if texts else ""

    def meets(self, match: Match) -> bool:
        """Tell whether a rule with this condition applies."""
        return (
            (match.last_contains is None or match.last_contains in self.last())
            and (match.any_contains is None or match.any_contains in self.text())
            and (match.system_contains is None or match.system_contains in self.text("system"))
            and (match.model is None or match.model == self.model)
            and (match.schema_name is None or match.schema_name == self.schema_name)
        )


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content if isinstance(content, str) else ""


def split_words(text: str, count: int = 1) -> list[str]:
    """Split a text into chunks of so many words; joined they are the text."""
    lead = text[: len(text) - len(text.lstrip())]
    words = _WORDS.findall(text)
    chunks = ["".join(words[i : i + count]) for i in range(0, len(words), count)]
    return [lead + chunks[0], *chunks[1:]] if chunks else []


def default_reply(ask: Ask) -> str:
    """Return a deterministic answer to the last thing the user said."""
    said = " ".join(ask.last("user").split()[:4]).strip("?!.,") or "nothing yet"
    return f'You said "{said}". Tell me more about it, step by step.'


def instance(schema: dict[str, Any], root: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """Return a minimal value that is valid for a JSON schema: first choices, one element per array."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        return instance(target, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            options = [o for o in schema[choice] if o.get("type") != "null"]
            return instance(options[0], root, depth + 1) if options and depth < 20 else None
    return _typed(schema, root, depth)


def _typed(schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        needed = schema.get("properties", {})
        return {name: instance(part, root, depth + 1) for name, part in needed.items()}
    if kind == "array":
        least = schema.get("minItems", 0)
        count = least if depth > 12 else max(1, least)
        return [instance(schema.get("items", {}), root, depth + 1) for _ in range(count)]
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0))
    if kind == "boolean":
        return False
    return None if kind == "null" else _string(schema)


def _string(schema: dict[str, Any]) -> str:
    known = {"uuid": "00000000-0000-4000-8000-000000000000", "date-time": "2026-01-01T00:00:00Z"}
    text = known.get(schema.get("format", ""), "scripted")
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def embed(text: str, dimensions: int = DEFAULT_DIMENSIONS) -> list[float]:
    """Return a unit vector made of the hashes of the words: texts that share words are near each other."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        vector[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]
