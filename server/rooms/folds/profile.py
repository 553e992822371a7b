"""What the entries of a profile's or guest's own room add up to."""

from server.rooms.folds.fold import Data, Fold, State

MAX_ATTEMPTS = 50
MAX_GENERATIONS = 20


def _profile_initial() -> State:
    return {"attempts": {}}


def _profile_step(state: State, name: str, data: Data) -> None:
    if name.startswith("generation_"):
        _generation(state.setdefault("generations", {}), name, data)  # older checkpoints have none
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


def _generation(generations: State, name: str, data: Data) -> None:
    run_id = data.get("run_id")
    if run_id is None:
        return
    fresh = {"run_id": run_id, "artifact_type": data["artifact_type"], "resources": [], "state": "running"}
    run = generations.setdefault(run_id, fresh)
    if name == "generation_progress":
        run["resources"].append(data["last_completed_resource"])
        run["total_resources"] = data["total_resources"]
    elif name == "generation_complete":
        run["state"] = "done"
    elif name == "generation_error":
        run["state"] = "failed"
        run["message"] = data["message"]
    if name != "generation_error" and "artifact_id" in data:
        run["artifact_id"] = data["artifact_id"]
    while len(generations) > MAX_GENERATIONS:
        del generations[next(iter(generations))]


def _profile_render(state: State) -> State:
    shown: State = {"attempts": list(state["attempts"].values())}
    if generations := state.get("generations"):
        shown["generations"] = list(generations.values())
    return shown


PROFILE = Fold(_profile_initial, _profile_step, _profile_render)
