"""What events of a realtime endpoint hold, whatever they hold."""

import orjson

from schemas.envelope import JsonObject, Usage

HINTS_TOOL: JsonObject = {
    "type": "function",
    "name": "show_hints",
    "description": "Show the learner up to three short hints on what to say next.",
    "parameters": {
        "type": "object",
        "properties": {"hints": {"type": "array", "items": {"type": "string"}}},
        "required": ["hints"],
    },
}


def text_of(event: JsonObject, name: str) -> str:
    """Return a field that is text, else nothing."""
    value = event.get(name)
    return value if isinstance(value, str) else ""


def number_of(event: JsonObject, name: str) -> int:
    """Return a field that is a whole number, else 0."""
    value = event.get(name)
    return value if isinstance(value, int) else 0


def hints_of(event: JsonObject) -> list[JsonObject] | None:
    """Return the hints of a call of show_hints, None for what is none."""
    if text_of(event, "name") not in ("show_hints", ""):
        return None
    try:
        given = orjson.loads(text_of(event, "arguments"))
    except orjson.JSONDecodeError:
        return None
    hints = given.get("hints") if isinstance(given, dict) else None
    if not isinstance(hints, list):
        return None
    found = [hint[:500] for hint in hints if isinstance(hint, str) and hint.strip()]
    return [{"hint": hint, "idx": idx} for idx, hint in enumerate(found[:3])]


def usage_of(told: object) -> Usage | None:
    """Return the tokens that a response has used, None when it does not say."""
    if not isinstance(told, dict):
        return None
    prompt, completion = told.get("input_tokens"), told.get("output_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)
