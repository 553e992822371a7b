"""What the entries of an invocation's room add up to: its replays by id, and what the running ones say."""

from collections.abc import Callable

import orjson

from server.rooms.folds.fold import MAX_BYTES, Data, Fold, State

MAX_RUNS = 500


def _initial() -> State:
    return {"runs": {}, "running": {}, "complete": None, "more": False}


def _run_start(state: State, data: Data) -> None:
    original = data.get("original_run_resource_id")
    for run_id in [r for r in state["running"] if state["runs"][r]["original_run_resource_id"] == original]:
        _end(state, run_id, "stopped")  # who stopped it died before telling
    state["runs"][data["run_id"]] = {
        "run_id": data["run_id"],
        "original_run_resource_id": original,
        "current_run": data["current_run"],
        "created_at": data["created_at"],
        "state": "running",
    }
    state["running"][data["run_id"]] = {"run_id": data["run_id"], "turns": [], "parts": []}
    _forget_oldest(state)


def _forget_oldest(state: State) -> None:
    """Keep the newest replays and all that run: the cycles of an infinite test go on for ever."""
    surplus = len(state["runs"]) - MAX_RUNS
    for run_id in [r for r in state["runs"] if r not in state["running"]][:surplus] if surplus > 0 else []:
        del state["runs"][run_id]
        state["more"] = True


def _progress(state: State, data: Data) -> None:
    run_id, kind = data.get("run_id"), data["type"]
    if kind == "judge" and run_id in state["runs"]:
        _judged(state["runs"][run_id], orjson.loads(data["message"]))
    running = state["running"].get(run_id)
    if running is None:
        return
    if kind == "assistant_delta":
        running["parts"].append(data["message"])
        return
    running["parts"] = []
    running["turns"].append({"type": kind, "message": data["message"]})


def _judged(run: State, entry: Data) -> None:
    if entry["type"] == "start" or "grade" not in run:  # also when another process begins it anew
        run["grade"] = {"grade_id": entry["grade_id"], "state": "running", "judged": 0}
    run["grade"]["judged"] = entry["completed_count"]


def _run_complete(state: State, data: Data) -> None:
    if (run := state["runs"].get(data["run_id"])) is not None:
        run["tool_calls"] = data.get("tool_calls", 0)
    _end(state, data["run_id"], "done")


def _error(state: State, data: Data) -> None:
    run_id, kind = data.get("run_id", ""), data.get("error_type")
    run = state["runs"].get(run_id)
    if run is None:
        return
    if kind == "run":
        run["code"] = data["code"]
        _end(state, run_id, "failed")
    elif kind == "end" and "grade" in run:
        run["grade"]["state"] = "failed"


def _graded(state: State, data: Data) -> None:
    if (run := state["runs"].get(data.get("run_id", ""))) is not None:
        shown: State = {k: data[k] for k in ("grade_id", "score", "passed") if k in data}
        run["grade"] = {**shown, "state": "done"}


def _stopped(state: State, data: Data) -> None:
    for run_id in data.get("run_ids", []):
        if run_id in state["running"]:
            _end(state, run_id, "stopped")


def _all_complete(state: State, data: Data) -> None:
    state["complete"] = {"cycle": data["cycle"], "success": data["success"]}


def _end(state: State, run_id: str, how: str) -> None:
    state["running"].pop(run_id, None)
    if run_id in state["runs"]:
        state["runs"][run_id]["state"] = how


_STEPS: dict[str, Callable[[State, Data], None]] = {
    "test_run_start": _run_start,
    "test_progress": _progress,
    "test_run_complete": _run_complete,
    "test_error": _error,
    "test_graded": _graded,
    "test_stopped": _stopped,
    "test_all_complete": _all_complete,
}
TEST_EVENTS = frozenset(_STEPS)


def _step(state: State, name: str, data: Data) -> None:
    if (step := _STEPS.get(name)) is not None:
        step(state, data)


def _render(state: State) -> State:
    running = [_shown(r) for r in state["running"].values()]
    shown: State = {"runs": list(state["runs"].values())}
    if state.get("more"):  # not in folds that were stored before
        shown["more"] = True
    if state["complete"]:
        shown["complete"] = state["complete"]
    if running:
        shown["running"] = running
        _fit(shown, MAX_BYTES - len(orjson.dumps(shown["runs"])))
    return shown


def _shown(running: State) -> State:
    return {**{k: v for k, v in running.items() if k != "parts"}, "text": "".join(running["parts"])}


def _fit(shown: State, room: int) -> None:
    """Leave out the turns of running replays, those of the longest first, until they fit."""
    sizes = {r["run_id"]: len(orjson.dumps(r)) for r in shown["running"]}
    for running in sorted(shown["running"], key=lambda r: sizes[r["run_id"]], reverse=True):
        if sum(sizes.values()) <= room:
            return
        running["turns"] = []
        sizes[running["run_id"]] = len(orjson.dumps(running))
        shown["more"] = True


TEST = Fold(_initial, _step, _render)
