"""What the scripted model answers: by its rules, or by itself, and how that is encoded."""

import array
import base64
import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from server.llm.script import Ask, Rule

DEFAULT_DIMENSIONS = 256
_ID = "chatcmpl-scripted"
_FRAGMENT = 8  # characters of arguments in a chunk
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
_WORDS = re.compile(r"\S+\s*")


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
        return schema.get(
            "minimum", schema.get("exclusiveMinimum", 0) + (1 if "exclusiveMinimum" in schema else 0)
        )
    if kind == "boolean":
        return False
    return None if kind == "null" else _string(schema)


def _string(schema: dict[str, Any]) -> str:
    known = {"uuid": "00000000-0000-4000-8000-000000000000", "date-time": "2026-01-01T00:00:00Z"}
    text = known.get(schema.get("format", ""), "scripted text")
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def embed(text: str, dimensions: int = DEFAULT_DIMENSIONS) -> list[float]:
    """Return a unit vector made of the hashes of the words: texts that share words are near each other."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        vector[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]


def packed(vector: list[float]) -> str:
    """Return a vector as base64 of 32-bit floats."""
    return base64.b64encode(array.array("f", vector).tobytes()).decode()


def embeddings_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request for embeddings, as base64 when that is asked for."""
    given = body["input"]
    texts = [given] if isinstance(given, str) else given
    vectors = [embed(text, body.get("dimensions") or DEFAULT_DIMENSIONS) for text in texts]
    form: list[Any] = [packed(v) for v in vectors] if body.get("encoding_format") == "base64" else vectors
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(form)]
    used = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {"object": "list", "data": data, "model": body.get("model"), "usage": usage}


def ranking_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request to rerank: the share of the query's words that a document has."""
    query = set(body["query"].lower().split())
    shares = [len(query & set(text.lower().split())) / max(1, len(query)) for text in body["documents"]]
    order = sorted(range(len(shares)), key=lambda at: (-shares[at], at))[: body.get("top_n")]
    return {"results": [{"index": at, "relevance_score": shares[at]} for at in order]}


def says(rule: Rule) -> bool:
    """Tell whether a rule has a text of its own."""
    return rule.reply is not None or rule.chunks is not None or rule.chunks_count is not None


def chunks_of(rule: Rule, ask: Ask) -> Sequence[str]:
    """Return the text to answer with, chunk by chunk."""
    if rule.chunks is not None:
        return rule.chunks
    if rule.chunks_count is not None:
        return [rule.chunk_text] * rule.chunks_count
    if rule.json_value is not None:
        return split_words(json.dumps(rule.json_value), rule.chunk_words)
    if rule.reply is not None:
        return split_words(rule.reply, rule.chunk_words)
    if rule.tool_calls:
        return []
    if ask.json_schema is not None:
        return split_words(json.dumps(instance(ask.json_schema)), rule.chunk_words)
    if ask.schema_name == "json_object":
        return ["{}"]
    return split_words(default_reply(ask), rule.chunk_words)


def envelope(ask: Ask, kind: str) -> dict[str, Any]:
    """Return what every answer and chunk has in common."""
    return {"id": _ID, "object": kind, "created": 1_767_225_600, "model": ask.model}


def frame(value: dict[str, Any]) -> bytes:
    """Encode one server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def frames_of(ask: Ask, chunks: Sequence[str]) -> list[bytes]:
    """Encode the chunks; what is the same in all of them is encoded once."""
    mark = "\x00"
    choice = {"index": 0, "delta": {"content": mark}, "logprobs": None, "finish_reason": None}
    whole = frame(envelope(ask, "chat.completion.chunk") | {"choices": [choice]})
    before, after = whole.split(orjson.dumps(mark))
    return [before + orjson.dumps(text) + after for text in chunks]


def tool_calls_of(rule: Rule, request: int) -> list[dict[str, Any]]:
    """Return a rule's calls of tools as a message carries them; ids are those of the request and the call."""
    return [
        {
            "id": f"call_{request}_{i}",
            "type": "function",
            "function": {"name": call.name, "arguments": _written(call.arguments)},
        }
        for i, call in enumerate(rule.tool_calls)
    ]


def call_frames(ask: Ask, calls: Sequence[dict[str, Any]]) -> list[bytes]:
    """Encode calls of tools as endpoints stream them: each begins with its name, then fragments follow."""
    deltas: list[dict[str, Any]] = []
    for i, call in enumerate(calls):
        name, written = call["function"]["name"], call["function"]["arguments"]
        deltas.append({**call, "index": i, "function": {"name": name, "arguments": ""}})
        for start in range(0, len(written), _FRAGMENT):
            deltas.append({"index": i, "function": {"arguments": written[start : start + _FRAGMENT]}})
    base = envelope(ask, "chat.completion.chunk")
    choices = ({"index": 0, "delta": {"tool_calls": [delta]}, "finish_reason": None} for delta in deltas)
    return [frame(base | {"choices": [choice]}) for choice in choices]


def finish_of(rule: Rule) -> str:
    """Return how a reply ends."""
    return "tool_calls" if rule.tool_calls and rule.finish_reason == "stop" else rule.finish_reason


def whole_of(rule: Rule, ask: Ask, chunks: Sequence[str], *, request: int) -> dict[str, Any]:
    """Return an answer that is not streamed, cut before a stop sequence; further choices name themselves."""
    text = "".join(chunks)
    for stop in ask.stop:
        text = text.split(stop, 1)[0]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if rule.tool_calls:
        message["tool_calls"] = tool_calls_of(rule, request)
    choices = [{"index": 0, "message": message, "finish_reason": finish_of(rule)}]
    for i in range(1, ask.n):
        other = {"role": "assistant", "content": f"choice {i}"}
        choices.append({"index": i, "message": other, "finish_reason": "stop"})
    return envelope(ask, "chat.completion") | {"choices": choices, "usage": usage_of(rule, ask, chunks)}


def images_of(rule: Rule) -> Any:
    """Return the answer to a request for an image: the rule's, or a grey point."""
    given = {"b64_json": base64.b64encode(PNG).decode(), "revised_prompt": None}
    return rule.json_value or {"created": 1_767_225_600, "data": [given]}


def _written(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def ending(ask: Ask, rule: Rule, chunks: Sequence[str]) -> bytes:
    """Encode what follows the last chunk: the finish, the usage when it was asked for, and [DONE]."""
    base = envelope(ask, "chat.completion.chunk")
    choice = {"index": 0, "delta": {}, "finish_reason": finish_of(rule)}
    last = frame(base | {"choices": [choice]})
    if ask.include_usage:
        last += frame(base | {"choices": [], "usage": usage_of(rule, ask, chunks)})
    return last + b"data: [DONE]\n\n"


def usage_of(rule: Rule, ask: Ask, chunks: Sequence[str]) -> dict[str, Any]:
    """Count words as prompt tokens and chunks as completion tokens, unless the rule says otherwise."""
    usage = {"prompt_tokens": len(ask.text().split()), "completion_tokens": len(chunks)} | (rule.usage or {})
    counts = [usage["prompt_tokens"], usage["completion_tokens"]]
    # What a rule says may be no number at all, or one that JSON of 64 bits cannot add up.
    total = sum(counts) if all(isinstance(n, int) and n < 2**62 for n in counts) else None
    return {"total_tokens": total} | usage


async def send_raw(request: web.Request, rule: Rule) -> web.StreamResponse:
    """Send what a rule has instead of an answer."""
    headers = {"Content-Type": "text/event-stream"} | rule.headers
    response = web.StreamResponse(status=rule.status or 200, headers=headers)
    if rule.gzip:
        response.enable_compression(web.ContentCoding.gzip)
    await response.prepare(request)
    part = (rule.raw or "").encode()
    for _ in range(rule.raw_times):
        await response.write(part)
    await response.write_eof()
    return response
