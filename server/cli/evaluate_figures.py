"""What the runs of a result have come to so far, and why."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from schemas.envelope import JsonObject
from schemas.evaluator_run import JUDGED

Word = Literal["succeeded", "failed", "caller erred", "broken"]


@dataclass
class Count:
    """Figures of some runs; `erred` are those in which our caller, not the agent, was wrong."""

    runs: int = 0
    succeeded: int = 0
    failed: int = 0
    erred: int = 0
    broken: int = 0
    seconds: float = 0.0

    def add(self, ended: JsonObject) -> None:
        """Count a run that has ended."""
        word = word_of(ended)
        self.runs += 1
        self.succeeded += word == "succeeded"
        self.failed += word == "failed"
        self.erred += word == "caller erred"
        self.broken += word == "broken"
        self.seconds += ended["duration"]


@dataclass
class Figures:
    """Figures of each scenario and of all, by what the result's room tells."""

    by_scenario: dict[str, Count] = field(default_factory=dict)
    total: Count = field(default_factory=Count)
    talking: dict[int, str] = field(default_factory=dict)  # what was said last in runs that go on
    _ended: set[int] = field(default_factory=set)

    def begin(self, run_id: int) -> None:
        """Take note that a run's agent is called."""
        self.talking[run_id] = "calling"

    def hear(self, turn: JsonObject) -> None:
        """Take note of what was said in a run."""
        self.talking[turn["run_id"]] = f"{turn['role']}: {turn['content']}"

    def end(self, ended: JsonObject, *, scenario: str) -> bool:
        """Count a run that has ended; tell whether it is news."""
        self.talking.pop(ended["run_id"], None)
        if ended["run_id"] in self._ended:
            return False
        self._ended.add(ended["run_id"])
        self.by_scenario.setdefault(scenario, Count()).add(ended)
        self.total.add(ended)
        return True


def word_of(ended: JsonObject) -> Word:
    """Return what a run has come to; one that was not judged is as good as broken."""
    if ended.get("simulator_error"):
        return "caller erred"
    success = ended.get("success")  # what is null is left out in rooms
    if success:
        return "succeeded"
    judged = ended["status"] in JUDGED and success is not None
    return "failed" if judged else "broken"


def reasons_of(run: JsonObject) -> Iterator[str]:
    """Yield why a run, as it is read, has not succeeded; metrics without a rule are no reason."""
    if run.get("simulator_error"):
        yield f"the caller: {run['simulator_error']}"
    for metric in run["evaluation"]["metrics"]:
        if metric["passed"] is False:
            yield f"{metric['name']} {_value(metric)}"
    for outcome in (run["expected_outcome"] or {}).get("outcomes", []):
        if not outcome["met"]:
            yield f"not met: {outcome['outcome']} – {outcome['explanation']}"
    if run["error_message"]:
        yield run["error_message"]
    elif run["status"] in ("failed", "timeout", "cancelled") and not run.get("simulator_error"):
        yield run["metadata"].get("ended_reason", run["status"])


def _value(metric: JsonObject) -> str:
    return (
        f"is {metric['value']}" if metric["value"] is not None else f"has no value: {metric['explanation']}"
    )
