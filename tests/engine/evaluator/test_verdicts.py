"""What runs came to is counted alike in answers and in reports, and so is pass^k."""

from typing import Any

from schemas.envelope import utc_now
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, Judgement, RunPlan
from schemas.stored import Owner
from server.engine.evaluator.reports.figures import Tally, verdict_of
from server.engine.evaluator.views import figures_of, pass_rates_of
from server.engine.ids import new
from server.store.evaluator_runs import RunFacts

ENDS: list[dict[str, Any]] = [
    {"status": "completed", "success": True},
    {"status": "completed", "success": False},
    {"status": "timeout", "success": False},
    {"status": "completed", "success": False, "simulator_error": True},
    {"status": "completed", "success": None},
    {"status": "failed", "success": False},
    {"status": "cancelled", "success": False},
    {"status": "in_progress", "success": None, "state": "talking"},
]


def run_of(number: int, end: dict[str, Any]) -> EvaluatorRun:
    mistake = "The caller hung up." if end.get("simulator_error") else None
    return EvaluatorRun(
        id=number,
        org="default",
        result=1,
        agent=1,
        plan=RunPlan(scenario=3, number=number),
        created_at=utc_now(),
        judgement=Judgement(success=end["success"], simulator_error=mistake),
        **{"state": "ended", **end},
    )


def fact_of(run: EvaluatorRun) -> RunFacts:
    return RunFacts(
        count=1,
        scenario=run.plan.scenario,
        ended=run.state == "ended",
        status=run.status,
        success=run.success,
        simulator_error=run.simulator_error,
    )


def test_what_is_not_known_of_the_agent_is_left_out_of_pass_k() -> None:
    runs = [run_of(number, end) for number, end in enumerate(ENDS, 1)]
    assert [verdict_of(run) for run in runs] == [
        *("success", "no_success", "no_success", "simulator_error"),
        *("not_judged", "broken", "cancelled", "unfinished"),
    ]
    tally, facts = Tally(), [fact_of(run) for run in runs]
    for run in runs:
        tally.add(run)
    result = EvaluatorResult(
        id=1,
        org="default",
        owner=Owner(kind="profile", id=new()),
        name="",
        agent=1,
        run_as_text=True,
        first_run=1,
        plans=[run.plan for run in runs],
        freq=len(runs),
        created_at=utc_now(),
    )
    report = tally.figures(freq=result.freq)
    assert report.pass_hat_k == pass_rates_of(result, facts) == [1 / 3, 0.0, 0.0]
    assert report.whole.success_rate == figures_of(facts).success_rate == 12.5


def test_without_repetition_there_is_no_pass_k() -> None:
    tally = Tally()
    tally.add(run_of(1, ENDS[0]))
    assert tally.figures(freq=1).pass_hat_k == []
