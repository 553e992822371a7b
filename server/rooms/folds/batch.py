"""What the entries of a batch job's room add up to: how far it is, by verdict, and its newest results."""

from server.rooms.folds.fold import Data, Fold, State

MAX_LATEST = 50
COUNTERS = {"Passed": "passed", "Failed": "failed", "Error": "errors"}
BATCH_EVENTS = frozenset({"batch_started", "batch_result", "batch_ended"})


def _initial() -> State:
    return {
        "status": "queued",
        "total_runs": None,
        "started_on": None,
        "results": 0,
        "passed": 0,
        "failed": 0,
        "errors": 0,
        "total_llm_tokens_used": 0,
        "total_llm_api_cost": 0.0,
        "latest": [],
        "ended": None,
    }


def _step(state: State, name: str, data: Data) -> None:
    if name == "batch_started":
        state["status"] = "running"
        for field in ("total_runs", "started_on", "permutations", "languages"):
            state[field] = data[field]
    elif name == "batch_result":
        state["results"] += 1
        state[COUNTERS[data["verdict"]]] += 1
        state["total_llm_tokens_used"] += data["total_llm_tokens_used"]
        state["total_llm_api_cost"] += data["llm_api_cost"]
        state["latest"].append({k: v for k, v in data.items() if k != "job_id"})
        del state["latest"][:-MAX_LATEST]
    elif name == "batch_ended":
        state["status"] = data["status"]
        state["ended"] = {k: data[k] for k in ("overall_accuracy", "code") if k in data}


def _render(state: State) -> State:
    shown = {name: value for name, value in state.items() if value is not None}
    shown["total_llm_api_cost"] = round(state["total_llm_api_cost"], 6)
    return shown


BATCH = Fold(_initial, _step, _render)
