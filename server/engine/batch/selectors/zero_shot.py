"""Langchain/zero-shot-react-description: thoughts and actions as lines of text."""

import re

from server.engine.batch.selectors import prompts
from server.engine.batch.selectors.react import FINAL, Action, Finish, Form, Tools, react
from server.engine.batch.selectors.selection import Complete, Selected, Selection

_ACTION = re.compile(r"^[ \t*]*Action[ \t*]*:[ \t*]*(.*)$", re.M)
_INPUT = re.compile(r"^[ \t*]*Action[ \t]+Input[ \t*]*:[ \t*]*", re.M)


async def select(selection: Selection, complete: Complete) -> Selected:
    """Return the requests that the model makes before its final answer."""
    return await react(selection, complete, form=Form(told=_told, read=read, again=prompts.AGAIN_TEXT))


def read(text: str) -> Action | Finish | None:
    """Return the step that a model has written: the last final answer goes before any action."""
    _before, final, answer = text.rpartition(FINAL)
    if final:
        return Finish(answer.strip())
    action = _ACTION.search(text)
    given = _INPUT.search(text, action.end()) if action else None
    if action is None or given is None:
        return None
    return Action(action[1].strip(), text[given.end() :].strip())


def _told(tools: Tools) -> str:
    return prompts.react([(name, description) for name, description, _args in tools.described])
