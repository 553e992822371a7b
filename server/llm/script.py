"""The rules of the scripted model, and requests as rules look at them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Endpoint = Literal["chat", "images", "embeddings", "rerank"]
State = Literal["running", "done", "closed_by_client"]


class Match(BaseModel):
    """When a rule applies; what is not given matches all. `schema` is the name of the response_format.

    A rule for another endpoint than chat must say so; the prompt, the texts, or the query are its messages.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    endpoint: Endpoint = "chat"
    last_role: str | None = None
    last_contains: str | None = None
    any_contains: str | None = None
    system_contains: str | None = None
    model: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")


class ScriptedCall(BaseModel):
    """A call of a tool; `arguments` is a value, or a text that is sent as it is."""

    model_config = ConfigDict(extra="forbid")

    name: str
    arguments: Any = {}


class Rule(BaseModel):
    """One scripted behaviour: what is answered, how fast, and what goes wrong; times in milliseconds.

    `error` with `status` is an HTTP error (`retry_after` in seconds); without it, an error object inside the
    stream. `break_after` cuts the connection after so many chunks; `hang` never ends the answer.
    `chunk_words` splits a reply, `chunks_count` times `chunk_text` is a long one, `batch` chunks are a write.
    `tool_calls` follow the text; without one there is none. For images `json` is the whole answer.
    `raw` is sent `raw_times` in the place of an answer, as broken endpoints do, with `status` and `headers`.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    match: Match = Match()
    times: int | None = Field(default=None, ge=1)
    reply: str | None = None
    chunks: list[str] | None = None
    json_value: Any = Field(default=None, alias="json")
    tool_calls: list[ScriptedCall] = []
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
    gzip: bool = False
    usage: dict[str, Any] | None = None
    finish_reason: str = "stop"
    raw: str | None = None
    raw_times: int = Field(default=1, ge=1)
    headers: dict[str, str] = {}


class Ask(BaseModel):
    """A request as far as rules look at it."""

    endpoint: Endpoint = "chat"
    model: str
    messages: list[dict[str, Any]]
    schema_name: str | None = None
    json_schema: dict[str, Any] | None = None
    tools: list[str] = []
    stream: bool = False
    include_usage: bool = False
    n: int = Field(default=1, ge=1, le=128)
    stop: list[str] = []

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
                "tools": [tool.get("function", {}).get("name") for tool in body.get("tools") or []],
                "stream": bool(body.get("stream")),
                "n": body.get("n") or 1,
                "stop": body.get("stop") or [],
                "include_usage": bool((body.get("stream_options") or {}).get("include_usage")),
            }
        )

    @classmethod
    def of_image(cls, body: dict[str, Any]) -> "Ask":
        """Read the body of a request for an image; raises pydantic's ValidationError when it is none."""
        said = [{"role": "user", "content": body.get("prompt")}]
        return cls.model_validate({"endpoint": "images", "model": body.get("model"), "messages": said})

    @classmethod
    def of_texts(cls, body: dict[str, Any]) -> "Ask":
        """Read the body of a request for embeddings; raises pydantic's ValidationError when it is none."""
        given = body.get("input")
        said = [
            {"role": "user", "content": text} for text in ([given] if isinstance(given, str) else given or [])
        ]
        return cls.model_validate({"endpoint": "embeddings", "model": body.get("model"), "messages": said})

    @classmethod
    def of_ranking(cls, body: dict[str, Any]) -> "Ask":
        """Read the body of a request to rerank; raises pydantic's ValidationError when it is none."""
        said = [{"role": "user", "content": body.get("query")}]
        model = body.get("model") or "rerank"
        return cls.model_validate({"endpoint": "rerank", "model": model, "messages": said})

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
            match.endpoint == self.endpoint
            and (match.last_role is None or match.last_role == self.messages[-1].get("role"))
            and (match.last_contains is None or match.last_contains in self.last())
            and (match.any_contains is None or match.any_contains in self.text())
            and (match.system_contains is None or match.system_contains in self.text("system"))
            and (match.model is None or match.model == self.model)
            and (match.schema_name is None or match.schema_name == self.schema_name)
        )


class Seen(BaseModel):
    """A request that the server was asked, and how far its answer is; `at` is in monotonic seconds."""

    id: int
    endpoint: Endpoint
    model: str
    messages: list[dict[str, Any]]
    tools: list[str]
    response_format: str | None
    stream: bool
    body: dict[str, Any]
    at: float
    state: State = "running"
    chunks: int = 0
    status: int = 200
    peer: int = 0
    key: str = ""


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content if isinstance(content, str) else ""
