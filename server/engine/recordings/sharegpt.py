"""Records of the ShareGPT format: `{"conversations": [{"from", "value"}], "system"?, "tools"?}`."""

import json

from server.engine.recordings.calls import Turns, tools_of
from server.engine.recordings.record import Malformed, Record, Recording, checked

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
}
_RESULTS = ("observation", "tool", "function_response")


def read_sharegpt(record: Record, line: int) -> Recording:
    """Return a record's conversation; raises Malformed."""
    given = record["conversations"]
    if not isinstance(given, list):
        raise Malformed("conversations: a list is needed")
    turns = Turns()
    if isinstance(record.get("system"), str) and record["system"]:
        turns.say("system", record["system"])
    for index, message in enumerate(given):
        _read(message, turns, where=f"message {index + 1}")
    name = record.get("name") or record.get("title") or record.get("id")
    return checked(line, name, messages=turns.messages, tools=tools_of(record.get("tools")))


def _read(message: object, turns: Turns, *, where: str) -> None:
    if not isinstance(message, dict):
        raise Malformed(f"{where}: an object with from and value is needed")
    who = message.get("from", message.get("role"))
    text = message.get("value", message.get("content"))
    if not isinstance(text, str):
        raise Malformed(f"{where}: the value is no text")
    if who == "function_call":
        _call(text, turns, where=where)
    elif who in _RESULTS:
        turns.answer(text)
    elif isinstance(who, str) and who in _ROLES:
        turns.say(_ROLES[who], text)
    else:
        raise Malformed(f"{where}: from {str(who)[:40]!r} is not known here")


def _call(text: str, turns: Turns, *, where: str) -> None:
    """Read a call, or a list of calls, written as JSON: {"name": …, "arguments": {…}}."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{where}: a function_call is JSON with name and arguments") from error
    turns.say("assistant", "")
    turns.call(found if isinstance(found, list) else [found])
