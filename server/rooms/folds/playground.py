"""What the entries of a playground session's room add up to: settings, what was said, what is being said."""

from collections.abc import Callable

import orjson

from server.rooms.folds.fold import MAX_BYTES, Data, Fold, State

MAX_MESSAGES = 200
KEPT = 2 * MAX_MESSAGES  # in the fold, so that those that are shown are there


def _initial() -> State:
    return {
        "llm_params": None,
        "retrieval_params": None,
        "messages": [],
        "more": False,
        "running": None,
        "forgotten": False,
    }


def _updated(state: State, data: Data) -> None:
    for name in ("llm_params", "retrieval_params"):
        if name in data:
            state[name] = data[name]
    if "chat_messages" in data:
        state["messages"] = data["chat_messages"]
        state["more"] = bool(data.get("more"))


def _user_complete(state: State, data: Data) -> None:
    _add(state, {"id": data["message_id"], "role": "user", "content": data["content"], "state": "complete"})
    state["running"] = {"message_id": data["assistant_message_id"], "parts": []}


def _sources(state: State, data: Data) -> None:
    if (running := _running(state, data)) is not None:
        running.update({name: data[name] for name in ("sources", "mode", "rerank")})


def _progress(state: State, data: Data) -> None:
    if (running := _running(state, data)) is not None:
        running["parts"].append(data["content"])


def _complete(state: State, data: Data) -> None:
    running = _running(state, data) or {}
    message = {"id": data["message_id"], "role": "assistant", "content": data["content"]}
    message["state"] = data.get("state", "complete")
    message |= {name: data[name] for name in ("usage", "reasoning") if name in data}
    if "sources" in running:
        message["sources"] = running["sources"]
    state["running"] = None
    _add(state, message)


def _error(state: State, data: Data) -> None:
    if _running(state, data) is not None:
        state["running"] = None


def _forgotten(state: State, data: Data) -> None:
    state.update(_initial(), forgotten=True)


_STEPS: dict[str, Callable[[State, Data], None]] = {
    "playground_updated": _updated,
    "playground_user_complete": _user_complete,
    "playground_sources": _sources,
    "playground_progress": _progress,
    "playground_complete": _complete,
    "playground_error": _error,
    "playground_forgotten": _forgotten,
}
PLAYGROUND_EVENTS = frozenset(_STEPS)


def _step(state: State, name: str, data: Data) -> None:
    if not state["forgotten"] and (step := _STEPS.get(name)) is not None:
        step(state, data)


def _running(state: State, data: Data) -> State | None:
    running: State | None = state["running"]
    return running if running and running["message_id"] == data.get("message_id") else None


def _add(state: State, message: State) -> None:
    state["messages"].append(message)
    if len(state["messages"]) > KEPT:
        del state["messages"][:-KEPT]
        state["more"] = True


def _render(state: State) -> State:
    messages: list[State] = []
    left = MAX_BYTES
    for message in reversed(state["messages"][-MAX_MESSAGES:]):
        left -= len(orjson.dumps(message))
        if left < 0 and messages:
            break
        messages.append(message)
    shown: State = {name: state[name] for name in ("llm_params", "retrieval_params", "forgotten")}
    shown["messages"] = messages[::-1]
    if state["more"] or len(messages) < len(state["messages"]):
        shown["more"] = True
    if (running := state["running"]) is not None:
        told = {name: value for name, value in running.items() if name != "parts"}
        shown["running"] = {**told, "text": "".join(running["parts"])}
    return shown


PLAYGROUND = Fold(_initial, _step, _render)
