"""Results and runs as clients read them (evaluators §1, §4)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.envelope import JsonObject
from schemas.evaluator_run import JUDGED, EvaluatorResult, EvaluatorRun, ResultStatus
from server.engine.evaluator.judging.verdicts import Verdict, pass_rates, success_rate, verdict
from server.engine.evaluator.stamps import stamp
from server.engine.evaluator.talking.transcript import clock, lines
from server.store.evaluator_runs import RunFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the runs of a result come to; `completed` have ended, however that was."""

    total: int
    ended: int
    completed: int
    success: int
    failed: int
    simulator_errors: int

    @property
    def success_rate(self) -> float:
        """Return successes in percent of all runs."""
        return success_rate(self.success, self.total)


def figures_of(facts: Sequence[RunFacts]) -> Figures:
    """Return the figures of a result's runs."""
    ended = [fact for fact in facts if fact.ended]
    return Figures(
        total=_count(facts),
        ended=_count(ended),
        completed=_count(fact for fact in ended if fact.status in JUDGED),
        success=_count(fact for fact in ended if _verdict(fact) == "success"),
        failed=_count(fact for fact in ended if fact.status == "failed"),
        simulator_errors=_count(fact for fact in ended if fact.simulator_error),
    )


def _count(facts: Iterable[RunFacts]) -> int:
    return sum(fact.count for fact in facts)


def status_of(facts: Iterable[RunFacts]) -> ResultStatus:
    """Return the status of a result whose runs have all ended; one without runs is completed."""
    found = {fact.status for fact in facts} or {"completed"}
    if "cancelled" in found:
        return "cancelled"
    return "completed" if found & JUDGED else "failed"


def pass_rates_of(result: EvaluatorResult, facts: Iterable[RunFacts]) -> list[float] | None:
    """Return pass^k of a result whose scenarios are repeated."""
    by_scenario: dict[int, Counter[Verdict]] = {}
    for fact in facts:
        by_scenario.setdefault(fact.scenario, Counter())[_verdict(fact)] += fact.count
    return pass_rates(by_scenario, result.freq) if result.freq > 1 else None


def _verdict(fact: RunFacts) -> Verdict:
    return verdict(
        ended=fact.ended,
        status=fact.status,
        success=fact.success,
        simulator_error=fact.simulator_error,
    )


def begun_view(result: EvaluatorResult) -> JsonObject:
    """Return the answer to the request that started a result."""
    runs = [
        {"id": result.first_run + n, "scenario": plan.scenario, "number": plan.number}
        for n, plan in enumerate(result.plans)
    ]
    return {
        "id": result.id,
        "agent": result.agent,
        "status": "running",
        "success_rate": 0.0,
        "run_as_text": result.run_as_text,
        "runs": runs,
        "created_at": stamp(result.created_at),
    }


def result_view(result: EvaluatorResult, facts: Sequence[RunFacts]) -> JsonObject:
    """Return a result without its runs."""
    figures = figures_of(facts)
    return {
        "id": result.id,
        "name": result.name,
        "agent": result.agent,
        "status": result.status,
        "success_rate": figures.success_rate,
        "run_as_text": result.run_as_text,
        "freq": result.freq,
        "concurrency_limit": result.concurrency_limit,
        "total_runs_count": figures.total,
        "completed_runs_count": figures.completed,
        "success_runs_count": figures.success,
        "failed_runs_count": figures.failed,
        "simulator_errors_count": figures.simulator_errors,
        "pass_hat_k": pass_rates_of(result, facts) if result.state == "ended" else None,
        "created_at": stamp(result.created_at),
        "started_at": stamp(result.started_at) if result.started_at else None,
        "ended_at": stamp(result.ended_at) if result.ended_at else None,
        "room": f"result_{result.id}",
    }


def run_view(run: EvaluatorRun) -> JsonObject:
    """Return a run with its transcript."""
    talked, judgement = run.talked, run.judgement
    view = brief_view(run)
    view |= {
        "transcript": lines(talked.transcript) if talked else "",
        "transcript_object": [i.model_dump(exclude_none=True) for i in talked.transcript] if talked else [],
        "evaluation": {"metrics": [m.model_dump() for m in judgement.metrics] if judgement else []},
        "expected_outcome": None,
        "simulator_error": judgement.simulator_error if judgement else None,
        "metadata": {**(talked.metadata if talked else {})},
        "recording_url": recording_url(run),
        "judge_model": judgement.model if judgement else None,
        "judge_reliable": judgement.reliable if judgement else None,
    }
    if judgement is not None and judgement.expected_outcome is not None:
        view["expected_outcome"] = judgement.expected_outcome.model_dump()
    if talked is not None:
        view["metadata"]["ended_reason"] = talked.ended_reason
    return view


def recording_url(run: EvaluatorRun) -> str | None:
    """Return where a call by voice can be heard, None when there is nothing to be heard."""
    if run.talked is None or run.talked.recording is None:
        return None
    return f"/test_framework/v1/runs-external/{run.id}/recording/"


def brief_view(run: EvaluatorRun) -> JsonObject:
    """Return a run without what was said and thought."""
    return {
        "id": run.id,
        "result": run.result,
        "agent": run.agent,
        "scenario": run.plan.scenario,
        "scenario_name": run.scenario_name,
        "personality": run.plan.personality,
        "test_profile": run.plan.test_profile,
        "number": run.plan.number,
        "status": run.status,
        "success": run.success,
        "has_simulator_error": run.simulator_error,
        "attempt": run.attempt,
        "duration": clock(run.duration) if run.duration is not None else None,
        "error_message": run.error_message,
        "created_at": stamp(run.created_at),
        "started_at": stamp(run.started_at) if run.started_at else None,
        "ended_at": stamp(run.ended_at) if run.ended_at else None,
    }


def keyed(views: Iterable[JsonObject]) -> Mapping[str, JsonObject]:
    """Return runs by their ids."""
    return {str(view["id"]): view for view in views}
