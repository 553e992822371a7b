"""Structured answers: the schema as endpoints want it, and the value in what models write."""

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

_KEPT = ("type", "enum", "const", "description", "$ref")
BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "pattern",
    "minLength",
    "maxLength",  # without it a small model fills a text until its tokens are gone
)
_TOLD = (*BOUNDS, "format")
_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
MAX_PROBLEMS = 12


class _NotStrictError(ValueError):
    """The schema says something that strict mode cannot express, such as an object with free keys."""


@dataclass(frozen=True)
class Shape:
    """The form of a structured answer."""

    name: str
    schema: dict[str, Any]

    @classmethod
    def of(cls, model: type[BaseModel]) -> "Shape":
        """Return the shape of a pydantic model."""
        return cls(re.sub(r"[^a-zA-Z0-9_-]", "_", model.__name__)[:64], model.model_json_schema())

    def response_format(self, *, bounds: bool) -> dict[str, Any]:
        """Return a response_format of type json_schema; strict unless the schema has free keys."""
        try:
            described = {"name": self.name, "strict": True, "schema": strict(self.schema, bounds=bounds)}
        except _NotStrictError:
            described = {"name": self.name, "strict": False, "schema": self.schema}
        return {"type": "json_schema", "json_schema": described}

    def prompt(self) -> str:
        """Return what a model is told that cannot be bound to a schema."""
        schema = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
        return (
            f"Answer only with one JSON object, without any other text, that fits this JSON schema:\n{schema}"
        )


def strict(schema: dict[str, Any], *, bounds: bool) -> dict[str, Any]:
    """Rewrite a JSON schema for strict mode: closed objects, everything required, known keywords only.

    Limits that may not stand there are told in the description instead; the answer is validated anyway.
    """
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # strict mode allows nothing beside it
    kept = {key: schema[key] for key in (*_KEPT, *(BOUNDS if bounds else ())) if key in schema}
    told = [f"{key} {schema[key]}" for key in _TOLD if key in schema and key not in kept]
    if told:
        kept["description"] = f"{schema.get('description', '')} ({', '.join(told)})".strip()
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            kept["anyOf"] = [strict(option, bounds=bounds) for option in schema[choice]]
    if "items" in schema:
        kept["items"] = strict(schema["items"], bounds=bounds)
    if schema.get("type") == "object":
        kept |= _closed(schema, bounds=bounds)
    if "prefixItems" in schema or not {"type", "anyOf", "enum", "const"} & kept.keys():
        raise _NotStrictError
    if "$defs" in schema:
        kept["$defs"] = {name: strict(part, bounds=bounds) for name, part in schema["$defs"].items()}
    return kept


def _closed(schema: dict[str, Any], *, bounds: bool) -> dict[str, Any]:
    if schema.get("additionalProperties") or "properties" not in schema:
        raise _NotStrictError
    parts = {name: strict(part, bounds=bounds) for name, part in schema["properties"].items()}
    return {"properties": parts, "required": list(parts), "additionalProperties": False}


def bare(text: str) -> str:
    """Return the JSON in an answer, without thoughts, fences or words around it."""
    text = _THOUGHT.sub("", text).strip()
    if fenced := _FENCE.search(text):
        text = fenced.group(1).strip()
    if text[:1] not in ("{", "["):
        first, last = text.find("{"), text.rfind("}")
        text = text[first : last + 1] if 0 <= first < last else text
    return text


def problems(error: ValidationError) -> str:
    """Describe to a model what is wrong with its answer, one problem a line."""
    lines = [
        f"- {'.'.join(str(part) for part in item['loc']) or 'answer'}: {item['msg']}"
        for item in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
    ]
    return "\n".join(lines)
