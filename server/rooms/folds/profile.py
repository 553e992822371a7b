"""What the entries of a profile's or guest's own room add up to."""

from server.rooms.folds.fold import Data, Fold, State

MAX_ATTEMPTS = 50


def _profile_initial() -> State:
    return {"attempts": {}}


def _profile_step(state: State, name: str, data: Data) -> None:
    attempt_id = data.get("attempt_id")
    if attempt_id is None:
        return
    attempts = state["attempts"]
    attempt = attempts.setdefault(attempt_id, {"attempt_id": attempt_id, "chat_ids": [], "ended": False})
    if name == "attempt_started":
        attempt["chat_entry_id"] = data["chat_entry_id"]
    elif name == "attempt_chat_started":
        attempt["chat_ids"].append(data["chat_id"])
    elif name == "attempt_ended":
        attempt["ended"] = True
    while len(attempts) > MAX_ATTEMPTS:
        del attempts[next(iter(attempts))]


def _profile_render(state: State) -> State:
    return {"attempts": list(state["attempts"].values())}


PROFILE = Fold(_profile_initial, _profile_step, _profile_render)
