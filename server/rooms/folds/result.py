"""What the entries of a result's room add up to: how far it is, what its runs came to, and who talks now."""

from schemas.evaluator_run import JUDGED
from server.rooms.folds.fold import Data, Fold, State

MAX_SHOWN = 100  # runs of each kind: those that go on, and the newest that have ended
MAX_TURNS = 10  # of a run that goes on
MAX_CONTENT = 500  # characters of each
RESULT_EVENTS = frozenset({"result_started", "run_started", "run_turn", "run_ended", "result_ended"})
_RUN = ("run_id", "scenario", "scenario_name", "number", "attempt")
_ENDED = ("run_id", "scenario", "status", "success", "ended_reason", "expected_outcome", "duration", "judged")


def _initial() -> State:
    return {
        "status": "running",
        "total_runs": None,
        "started_at": None,
        "going": {},
        "ended": {},
        "latest": [],
        "result": None,
    }


def _step(state: State, name: str, data: Data) -> None:
    if name == "result_started":
        state.update(status="running", total_runs=data["total_runs"], started_at=data["started_at"])
    elif name == "run_started":
        going = {k: data[k] for k in _RUN if k in data}
        state["going"][str(data["run_id"])] = {**going, "turns": [], "count": 0}
    elif name == "run_turn":
        _turn(state, data)
    elif name == "run_ended":
        _run_ended(state, data)
    elif name == "result_ended":
        state["status"] = data["status"]
        state["total_runs"] = data["total_runs"]
        state["result"] = {k: data[k] for k in ("success_rate", "pass_hat_k") if k in data}


def _turn(state: State, data: Data) -> None:
    run = state["going"].get(str(data["run_id"]))
    if run is None or run["attempt"] != data["attempt"]:
        return  # of an attempt that is void
    state["status"] = "in_progress"
    run["count"] += 1
    turn = {k: data[k] for k in ("index", "role", "start_time")}
    run["turns"].append({**turn, "content": data["content"][:MAX_CONTENT]})
    del run["turns"][:-MAX_TURNS]


def _run_ended(state: State, data: Data) -> None:
    key = str(data["run_id"])
    state["going"].pop(key, None)
    state["ended"][key] = [data["status"], data.get("success"), "simulator_error" in data]
    state["latest"] = [one for one in state["latest"] if one["run_id"] != data["run_id"]]
    state["latest"].append({k: data[k] for k in _ENDED if k in data})
    del state["latest"][:-MAX_SHOWN]


def _render(state: State) -> State:
    ended = state["ended"].values()
    shown: State = {
        "status": state["status"],
        "ended_runs": len(ended),
        "completed_runs": sum(status in JUDGED for status, _, _ in ended),
        "success_runs": sum(success is True for _, success, _ in ended),
        "failed_runs": sum(status == "failed" for status, _, _ in ended),
        "simulator_errors": sum(bool(error) for _, _, error in ended),
        "running_runs": len(state["going"]),
        "running": list(state["going"].values())[-MAX_SHOWN:],
        "latest": state["latest"],
    }
    for name in ("total_runs", "started_at"):
        if state[name] is not None:
            shown[name] = state[name]
    return shown | (state["result"] or {})


RESULT = Fold(_initial, _step, _render)
