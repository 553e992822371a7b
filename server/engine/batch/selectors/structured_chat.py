"""Langchain/structured-chat-zero-shot-react-description: thoughts, and actions as JSON."""

import re
from collections.abc import Iterator

import orjson

from server.engine.batch.selectors import prompts
from server.engine.batch.selectors.react import FINAL, Action, Finish, Form, Tools, react
from server.engine.batch.selectors.reading import json_at
from server.engine.batch.selectors.selection import Complete, Selected, Selection

_MAX_TRIES = 20  # places where JSON may begin
_FENCE = re.compile(r"```[a-z]*\s*(?=[{\[])", re.I)
_BRACE = re.compile(r"(?=\{)")


async def select(selection: Selection, complete: Complete) -> Selected:
    """Return the requests that the model makes before its final answer."""
    return await react(selection, complete, form=Form(told=_told, read=read, again=prompts.AGAIN_JSON))


def read(text: str) -> Action | Finish | None:
    """Return the step that a model has written: the first action, in a fence before one without."""
    for value in _values(text):
        whole = value[0] if isinstance(value, list) and value else value
        if isinstance(whole, dict) and isinstance(whole.get("action"), str):
            return _step(whole["action"], whole.get("action_input", ""))
    _before, final, answer = text.rpartition(FINAL)
    return Finish(answer.strip()) if final else None


def _step(action: str, given: object) -> Action | Finish:
    if action.strip().casefold().replace("_", " ") != "final answer":
        return Action(action, given)
    return Finish(given if isinstance(given, str) else orjson.dumps(given).decode())


def _values(text: str) -> Iterator[object]:
    for places in (_FENCE, _BRACE):
        for number, place in enumerate(places.finditer(text)):
            if number == _MAX_TRIES:
                break
            try:
                yield json_at(text, place.end())
            except ValueError:
                continue


def _told(tools: Tools) -> str:
    listed = ((name, description, orjson.dumps(args).decode()) for name, description, args in tools.described)
    return prompts.structured(list(listed))
