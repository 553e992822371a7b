"""Records of OpenAI's chat format: `{"messages": [{"role", "content", "tool_calls"?}], "tools"?}`."""

from server.engine.recordings.calls import Turns, tools_of
from server.engine.recordings.record import Malformed, Record, Recording, checked

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


def read_chat(record: Record, line: int) -> Recording:
    """Return a record's conversation; raises Malformed."""
    given = record["messages"]
    if not isinstance(given, list):
        raise Malformed("messages: a list is needed")
    turns = Turns()
    for index, message in enumerate(given):
        if not isinstance(message, dict):
            raise Malformed(f"message {index + 1}: an object with role and content is needed")
        _read(message, turns, where=f"message {index + 1}")
    tools = tools_of(record.get("tools", record.get("functions")))
    name = record.get("name") or record.get("title") or record.get("id")
    return checked(line, name, messages=turns.messages, tools=tools)


def _read(message: Record, turns: Turns, *, where: str) -> None:
    role = message.get("role")
    text = text_of(message.get("content"), where=where)
    if role in ("tool", "function"):
        turns.answer(text, call=message.get("tool_call_id"))
        return
    if not isinstance(role, str) or role not in _ROLES:
        raise Malformed(f"{where}: the role {str(role)[:40]!r} is not known here")
    if not text and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    turns.say(_ROLES[role], text)
    calls = message.get("tool_calls") or ([message["function_call"]] if message.get("function_call") else [])
    if calls and role != "assistant":
        raise Malformed(f"{where}: only the assistant calls tools")
    if not isinstance(calls, list):
        raise Malformed(f"{where}: tool_calls: a list is needed")
    turns.call(calls)


def text_of(content: object, *, where: str) -> str:
    """Return a content, a text or a list of parts, as text; raises Malformed for what is no text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Malformed(f"{where}: the content is neither text nor a list of parts")
    return "".join(_part(part, where) for part in content)


def _part(part: object, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    field = _TEXTS.get(kind) if isinstance(kind, str) else None
    text = part.get(field) if isinstance(part, dict) and field else None
    if not isinstance(text, str):
        raise Malformed(f"{where}: a part of type {str(kind)[:40]!r} is no text and cannot be kept")
    return text
