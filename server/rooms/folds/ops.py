"""What the entries of an ops room add up to: how often what happened, and what is running."""

from server.rooms.folds.fold import Data, Fold, State

MAX_RUNNING = 200
MAX_ERRORS = 50


def _ops_initial() -> State:
    return {"counts": {}, "running": {}, "errors": []}


def _ops_step(state: State, name: str, data: Data) -> None:
    if name != "ops_entry":
        return
    kind, phase = data["kind"], data["phase"]
    counts = state["counts"].setdefault(kind, {"started": 0, "ended": 0, "error": 0})
    counts[phase] += 1
    running, key = state["running"], f"{kind}:{data['id']}:{data['subject_room']}"
    if phase == "started":
        running.pop(key, None)
        running[key] = _shown(data)
        while len(running) > MAX_RUNNING:
            del running[next(iter(running))]
        return
    if phase == "ended" or kind == "generation":  # an error is the end of a generation, not of what goes on
        running.pop(key, None)
    if phase == "error":
        state["errors"].append({**_shown(data), "code": data.get("code")})
        del state["errors"][:-MAX_ERRORS]


def _ops_render(state: State) -> State:
    return {"counts": state["counts"], "running": list(state["running"].values()), "errors": state["errors"]}


def _shown(data: Data) -> State:
    return {k: data[k] for k in ("kind", "id", "subject_room", "owner")}


OPS = Fold(_ops_initial, _ops_step, _ops_render)
