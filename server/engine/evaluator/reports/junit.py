"""A result as JUnit XML, which build servers read: a suite for each scenario, a case for each run."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from schemas.envelope import iso
from schemas.evaluator_run import EvaluatorRun
from server.engine.evaluator.reports.figures import Part, verdict_of
from server.engine.evaluator.reports.report import Line, Summary
from server.engine.evaluator.reports.words import reason_of, shown, title_of, value_of
from server.engine.evaluator.talking.transcript import lines
from server.engine.reports.junit import HEAD, attributes, class_of, properties
from server.engine.reports.sections import Piece, Sections
from server.engine.reports.words import cut, plain

MAX_SAID = 20_000  # characters of a transcript


class JunitReport:
    """Suites: a run without success is a failure; one that says nothing about the agent is an error.

    Errors are calls that broke, runs that were not judged, and mistakes of the caller. What was cancelled or
    goes on is skipped.
    """

    def __init__(self, scenarios: int) -> None:
        self._most = scenarios
        self._places: dict[int, int] = {}

    def sections(self) -> int:
        """Return how many sections there may be."""
        return self._most

    def add(self, line: Line) -> Iterator[tuple[int, str]]:
        """Return a case."""
        run = line.run
        named = {
            "name": f"{title_of(line)} (run {run.id})",
            "classname": class_of(line.scenario),
            "time": f"{run.talked.duration if run.talked else 0:.3f}",
        }
        told = escape(plain("\n".join(_told(run))))
        case = f"<testcase{attributes(named)}>{_verdict(run)}<system-out>{told}</system-out></testcase>\n"
        yield self._places.setdefault(run.plan.scenario, len(self._places)), case

    def document(self, summary: Summary, sections: Sections) -> Iterator[Piece]:
        """Yield the suites with their sums."""
        sums = _sums(summary.figures.whole)
        yield f"{HEAD}<testsuites{attributes({'name': summary.result.name, **sums})}>\n".encode()
        for scenario, place in self._places.items():
            yield _opening(summary, scenario, place).encode()
            yield from sections.pieces(place)
            yield b"</testsuite>\n"
        yield b"</testsuites>\n"


def _opening(summary: Summary, scenario: int, place: int) -> str:
    part, result = summary.figures.scenarios[scenario], summary.result
    named = {
        "name": summary.scenarios[scenario],
        "id": str(place),
        "timestamp": iso(result.started_at or result.created_at).partition(".")[0],
        **_sums(part),
    }
    values = {
        "result_id": str(result.id),
        "scenario_id": str(scenario),
        "agent": summary.agent,
        "status": result.status,
        "success_rate": f"{part.success_rate:.6g}",
    }
    powers = {f"pass^{k}": f"{value:.6f}" for k, value in enumerate(summary.figures.pass_hat_k, 1)}
    told = properties({**values, **powers}.items())
    return f"<testsuite{attributes(named)}>\n{told}"


def _sums(part: Part) -> dict[str, str]:
    verdicts = part.verdicts
    return {
        "tests": str(part.runs),
        "failures": str(verdicts["no_success"]),
        "errors": str(verdicts["broken"] + verdicts["not_judged"] + verdicts["simulator_error"]),
        "skipped": str(verdicts["cancelled"] + verdicts["unfinished"]),
        "time": f"{part.duration.total:.3f}",
    }


def _verdict(run: EvaluatorRun) -> str:
    """Return what keeps a case from having passed."""
    verdict, reason = verdict_of(run), cut(reason_of(run))
    match verdict:
        case "success":
            return ""
        case "cancelled" | "unfinished":
            return f"<skipped{attributes({'message': reason})}/>"
        case "no_success":
            head = attributes({"message": reason, "type": verdict})
            return f"<failure{head}>{escape(plain(chr(10).join(_judged(run))))}</failure>"
    kind = run.talked.ended_reason if verdict == "broken" and run.talked else verdict
    return f"<error{attributes({'message': reason, 'type': kind})}>{escape(plain(reason))}</error>"


def _judged(run: EvaluatorRun) -> Iterator[str]:
    judgement = run.judgement
    if judgement is None:
        return
    if judgement.expected_outcome is not None:
        for outcome in judgement.expected_outcome.outcomes:
            yield f"{'met' if outcome.met else 'NOT MET'}: {outcome.outcome} – {outcome.explanation}"
    for metric in judgement.metrics:
        rule = {True: ", as wanted", False: ", NOT AS WANTED", None: ""}[metric.passed]
        explained = f" – {metric.explanation}" if metric.explanation else ""
        yield f"{metric.name}: {value_of(metric)}{rule}{explained}"


def _told(run: EvaluatorRun) -> Iterator[str]:
    yield f"run: {run.id}, status {run.status}"
    if run.talked is not None:
        yield f"ended: {run.talked.ended_reason}"
        items, left_out = shown(run)
        yield cut(lines(items), MAX_SAID)
        if left_out:
            yield left_out
    if run.judgement is not None and verdict_of(run) != "no_success":
        yield from _judged(run)
