"""What reports call runs of an evaluator, and what has become of them."""

from typing import Final

from schemas.evaluator_run import EvaluatorRun, MetricValue, TranscriptItem
from server.engine.evaluator.judging.verdicts import Verdict
from server.engine.evaluator.reports.figures import verdict_of
from server.engine.evaluator.reports.report import Line
from server.engine.reports.words import cut

MAX_ITEMS = 200  # of a transcript in a report for people
WORDS: Final[dict[Verdict, str]] = {
    "success": "success",
    "no_success": "no success",
    "simulator_error": "mistake of the caller",
    "not_judged": "not judged",
    "broken": "call broke",
    "cancelled": "cancelled",
    "unfinished": "not finished",
}


def title_of(line: Line) -> str:
    """Return a run's name: its scenario, whom the caller played, and its number among its like."""
    parts = [line.scenario, *line.played]
    if line.run.plan.number is not None:
        parts.append(f"number {line.run.plan.number}")
    return " · ".join(parts)


def reason_of(run: EvaluatorRun) -> str:
    """Return in one line why a run is no success."""
    talked, judgement = run.talked, run.judgement
    match verdict_of(run):
        case "success":
            return "The run succeeded."
        case "simulator_error":
            return (judgement.simulator_error if judgement else None) or "The caller made a mistake."
        case "not_judged":
            return (judgement.error if judgement else None) or "The run was not judged."
        case "broken":
            return (talked.error_message if talked else None) or "The call broke."
        case "cancelled":
            return "The run was cancelled."
        case "unfinished":
            return f"The run has not ended: it is {run.state}."
        case "no_success":
            return "; ".join(_missed(run)) or (talked.ended_reason if talked else "no success")


def _missed(run: EvaluatorRun) -> list[str]:
    found: list[str] = [run.talked.ended_reason] if run.talked and run.status == "timeout" else []
    judgement = run.judgement
    if judgement is None:
        return found
    expected = judgement.expected_outcome
    if expected is not None and not expected.passed:
        found.append(f"expected outcome {expected.score:g} of 100, {expected.pass_score:g} needed")
    missed = (metric for metric in judgement.metrics if metric.passed is False)
    return [*found, *(f"{metric.name}: {value_of(metric)}" for metric in missed)]


def value_of(metric: MetricValue) -> str:
    """Return a metric's value for people."""
    if metric.value is None:
        return f"no value ({metric.error})" if metric.error else "no value"
    if isinstance(metric.value, bool):
        return "yes" if metric.value else "no"
    return metric.value if isinstance(metric.value, str) else f"{metric.value:.6g}"


def shown(run: EvaluatorRun) -> tuple[list[TranscriptItem], str | None]:
    """Return what a report shows of a transcript, each text not too long, and what it leaves out."""
    items = run.talked.transcript if run.talked else []
    left_out = len(items) - MAX_ITEMS
    told = f"{left_out} more items are in the run as JSON." if left_out > 0 else None
    return [item.model_copy(update={"content": cut(item.content)}) for item in items[:MAX_ITEMS]], told
