"""What the entries of a chat's room add up to."""

from collections.abc import Callable

import orjson

from server.rooms.folds.fold import MAX_BYTES, Data, Fold, State

MAX_MESSAGES = 200
MAX_GRADES = 10


def _chat_initial() -> State:
    return {
        "messages": [],
        "typing": None,
        "running": None,
        "voice": None,
        "hints": [],
        "responses": {},
        "grades": {},
        "ended": False,
    }


def _user_start(state: State, data: Data) -> None:
    state["typing"] = {"id": data["message_id"], "parent_message_id": data.get("parent_message_id")}
    if "item_id" in data:  # it is spoken
        state["typing"]["item_id"] = data["item_id"]


def _user_delta(state: State, data: Data) -> None:
    """Keep what has been understood so far; nothing at all says that it was no speech."""
    typing = state["typing"]
    if typing and typing.get("item_id") == data["item_id"]:
        state["typing"] = {**typing, "transcript": data["transcript"]} if data["transcript"] else None


def _audio_ready(state: State, data: Data) -> None:
    if data["success"]:
        state["voice"] = data.get("session_id")


def _audio_ended(state: State, data: Data) -> None:
    state["voice"] = None
    if state["typing"] and "item_id" in state["typing"]:
        state["typing"] = None


def _user_complete(state: State, data: Data) -> None:
    typing = state["typing"] or {}
    told = typing if typing.get("id") == data["message_id"] and "item_id" not in typing else data
    parent = told.get("parent_message_id")
    state["typing"] = None
    message = {
        "id": data["message_id"],
        "role": "user",
        "content": data["content"],
        "parent_message_id": parent,
        "created_at": data["created_at"],
        "state": "complete",
    }
    if "audio" in data:
        message["audio"] = data["audio"]
    state["messages"].append(message)


def _assistant_start(state: State, data: Data) -> None:
    state["running"] = {
        "message_id": data["message_id"],
        "parent_message_id": data.get("parent_message_id"),
        "created_at": data["created_at"],
        "parts": [],
    }


def _progress(state: State, data: Data) -> None:
    running = state["running"]
    if running and running["message_id"] == data.get("message_id") and data["content_type"] == "delta":
        running["parts"].append(data["content"])


def _sources(state: State, data: Data) -> None:
    running = state["running"]
    if running and running["message_id"] == data["message_id"]:
        running["sources"] = data["sources"]


def _assistant_complete(state: State, data: Data) -> None:
    running = state["running"] or {}
    state["running"] = None
    message = {
        "id": data["message_id"],
        "role": "assistant",
        "content": data.get("content", ""),
        "parent_message_id": running.get("parent_message_id"),
        "created_at": running.get("created_at"),
        "state": data.get("state", "complete"),
    }
    if "usage" in data:
        message["usage"] = data["usage"]
    if "sources" in running:
        message["sources"] = running["sources"]
    if "audio" in data:
        message["audio"] = data["audio"]
    state["messages"].append(message)


def _error(state: State, data: Data) -> None:
    running = state["running"]
    if running and data.get("message_id") == running["message_id"]:
        state["running"] = None
    if data.get("type") == "grade" and data.get("grade_id"):
        state["grades"].setdefault(data["grade_id"], _grade(data["grade_id"]))["state"] = "failed"


def _hints(state: State, data: Data) -> None:
    state["hints"] = data["hints"]


def _response(state: State, data: Data) -> None:
    if data["success"]:
        state["responses"][data["question_id"]] = {
            "id": data["response_id"],
            "option_ids": data.get("option_ids", []),
            "is_correct": data["is_correct"],
        }


def _grade(grade_id: str) -> State:
    return {
        "grade_id": grade_id,
        "state": "running",
        "groups": [],
        "strengths": [],
        "improvements": [],
        "analyses": [],
    }


def _grading(state: State, data: Data) -> None:
    entry = data["entry"]
    if entry["type"] == "start":  # also when another process begins it anew
        state["grades"][data["grade_id"]] = _grade(data["grade_id"])
    else:
        grade = state["grades"].setdefault(data["grade_id"], _grade(data["grade_id"]))
        grade["groups"].append(
            {k: v for k, v in entry.items() if k not in ("type", "completed_count", "total_count")}
        )


def _content(state: State, data: Data) -> None:
    grade = state["grades"].setdefault(data["grade_id"], _grade(data["grade_id"]))
    grade.setdefault(data["resource_type"], []).append(data["entry"])


def _graded(state: State, data: Data) -> None:
    if data.get("grade_id"):
        grade = state["grades"].setdefault(data["grade_id"], _grade(data["grade_id"]))
        grade.update({k: data[k] for k in ("score", "total_points", "percentage", "passed") if k in data})
        grade["state"] = "done"


def _chat_ended(state: State, data: Data) -> None:
    state["ended"] = True


_CHAT_STEPS: dict[str, Callable[[State, Data], None]] = {
    "attempt_user_start": _user_start,
    "attempt_user_delta": _user_delta,
    "attempt_user_complete": _user_complete,
    "attempt_audio_ready": _audio_ready,
    "attempt_audio_ended": _audio_ended,
    "attempt_assistant_start": _assistant_start,
    "attempt_sources": _sources,
    "attempt_progress": _progress,
    "attempt_assistant_complete": _assistant_complete,
    "attempt_error": _error,
    "attempt_hint_progress": _hints,
    "attempt_response_result": _response,
    "attempt_grading_progress": _grading,
    "attempt_content_progress": _content,
    "attempt_graded": _graded,
    "attempt_chat_ended": _chat_ended,
}
CHAT_EVENTS = frozenset(_CHAT_STEPS)


def _chat_step(state: State, name: str, data: Data) -> None:
    if (step := _CHAT_STEPS.get(name)) is not None:
        step(state, data)


def _chat_render(state: State) -> State:
    running = state["running"]
    shown = {
        "messages": _siblings(state["messages"])[-MAX_MESSAGES:],
        "hints": state["hints"],
        "responses": state["responses"],
        "grades": list(state["grades"].values())[-MAX_GRADES:],
        "ended": state["ended"],
    }
    if len(state["messages"]) > MAX_MESSAGES or len(state["grades"]) > MAX_GRADES:
        shown["more"] = True
    if state["typing"]:
        shown["typing"] = state["typing"]
    if state.get("voice"):  # a fold that was stored by an older version has none
        shown["voice"] = state["voice"]
    if running:
        shown["running"] = {
            **{name: value for name, value in running.items() if name != "parts"},
            "text": "".join(running["parts"]),
        }
    size = 0
    for index in range(len(shown["messages"]) - 1, -1, -1):
        size += len(orjson.dumps(shown["messages"][index]))
        if size > MAX_BYTES and index < len(shown["messages"]) - 1:
            shown["messages"] = shown["messages"][index + 1 :]
            shown["more"] = True
            break
    return shown


def _siblings(messages: list[State]) -> list[State]:
    families: dict[str | None, list[State]] = {}
    for message in messages:
        families.setdefault(message["parent_message_id"], []).append(message)
    for siblings in families.values():
        for index, message in enumerate(siblings):
            message["sibling_index"] = index
            message["sibling_count"] = len(siblings)
    return messages


CHAT = Fold(_chat_initial, _chat_step, _chat_render)
