"""What a result's page says of one run: how it ended, what was thought of it, and all that was said."""

import orjson

from schemas.evaluator_run import EvaluatorRun, ExpectedOutcome, MetricValue, TranscriptItem
from server.engine.evaluator.reports.figures import verdict_of
from server.engine.evaluator.reports.report import Line
from server.engine.evaluator.reports.words import WORDS, reason_of, shown, title_of, value_of
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.words import cut, plain

KINDS = {"success": "chip yes", "no_success": "chip no", "broken": "chip no"}
AS_WANTED = {True: "as wanted", False: "not as wanted", None: "–"}


def run_section(line: Line) -> Html:
    """Return a run."""
    run, verdict = line.run, verdict_of(line.run)
    return tag(
        "section",
        tag(
            "h3", plain(title_of(line)), " ", tag("span", WORDS[verdict], cls=KINDS.get(verdict, "chip soft"))
        ),
        tag("p", plain(_about(run)), cls="meta"),
        _problem(run),
        _simulator(run),
        _judged(run),
        _said(run),
        _metadata(run),
        _ignored(run),
        cls="run",
        id=f"run-{run.id}",
    )


def _about(run: EvaluatorRun) -> str:
    talked, judgement = run.talked, run.judgement
    parts = [f"run {run.id}", run.status.replace("_", " ")]
    if talked is not None:
        parts += [talked.ended_reason, f"{talked.duration:.1f} s"]
        if talked.ignored_frames:
            parts.append(f"frames that said nothing: {talked.ignored_frames}")
    if run.attempt > 1:
        parts.append(f"called {run.attempt} times, because the server stopped in between")
    if judgement is not None and judgement.model:
        parts.append(f"judged by {judgement.model}")
    if run.judged > 1:
        parts.append(f"judged {run.judged} times")
    return " · ".join(parts)


def _problem(run: EvaluatorRun) -> Html | None:
    if verdict_of(run) in ("broken", "not_judged", "no_success"):
        return tag("p", plain(cut(reason_of(run))), cls="warning text", dir="auto")
    return None


def _simulator(run: EvaluatorRun) -> Html | None:
    error = run.judgement.simulator_error if run.judgement else None
    if error is None:
        return None
    told = tag("span", plain(cut(error)), cls="text", dir="auto")
    return tag("p", tag("strong", "A mistake of the caller, not of the agent: "), told, cls="aside")


def _judged(run: EvaluatorRun) -> Html | None:
    judgement = run.judgement
    if judgement is None:
        return None
    return join(
        [
            _expected(judgement.expected_outcome) if judgement.expected_outcome else None,
            _metrics(judgement.metrics) if judgement.metrics else None,
        ]
    )


def _expected(expected: ExpectedOutcome) -> Html:
    heading = f"Expected outcome: {expected.score:g} of 100, {expected.pass_score:g} needed"
    rows = [
        tag(
            "tr",
            tag("td", "met" if outcome.met else "not met", cls="points " + ("yes" if outcome.met else "no")),
            tag("td", plain(cut(outcome.outcome)), cls="text", dir="auto"),
            tag("td", plain(cut(outcome.explanation)), cls="text", dir="auto"),
        )
        for outcome in expected.outcomes
    ]
    return join([tag("h4", heading), _table(("", "Outcome", "Why"), rows) if rows else None])


def _metrics(metrics: list[MetricValue]) -> Html:
    rows = [
        tag(
            "tr",
            tag("th", plain(metric.name), scope="row"),
            tag("td", plain(cut(value_of(metric)))),
            tag("td", AS_WANTED[metric.passed], cls={True: "yes", False: "no", None: "soft"}[metric.passed]),
            tag("td", plain(cut(metric.explanation)), cls="text", dir="auto"),
        )
        for metric in metrics
    ]
    return join([tag("h4", "Metrics"), _table(("Metric", "Value", "Rule", "Why"), rows)])


def _table(heads: tuple[str, ...], rows: list[Html]) -> Html:
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    return tag("table", tag("thead", head), tag("tbody", *rows))


def _said(run: EvaluatorRun) -> Html:
    items, left_out = shown(run)
    if not items:
        return tag("p", "Nothing was said.", cls="meta")
    return join(
        [
            tag("h4", "Transcript"),
            tag("ol", *(_item(item) for item in items), cls="talk"),
            tag("p", left_out, cls="meta") if left_out else None,
        ]
    )


def _item(item: TranscriptItem) -> Html:
    who = tag("div", f"{item.role} ", tag("span", item.time, cls="meta"), cls="who")
    spoken = item.role in ("Testing Agent", "Main Agent")
    kind = "user" if item.role == "Testing Agent" else None if spoken else "call-item"
    return tag(
        "li",
        who,
        tag("div", plain(item.content), cls="text" if spoken else "call", dir="auto"),
        cls=kind,
    )


def _metadata(run: EvaluatorRun) -> Html | None:
    metadata = run.talked.metadata if run.talked else None
    if not metadata:
        return None
    written = orjson.dumps(metadata, option=orjson.OPT_INDENT_2, default=str).decode()
    return join([tag("h4", "Metadata from the agent"), tag("div", plain(cut(written)), cls="call")])


def _ignored(run: EvaluatorRun) -> Html | None:
    """Return the beginnings of frames that said nothing, which often tell what went wrong in the agent."""
    texts = run.talked.ignored if run.talked else []
    if not texts:
        return None
    return join(
        [
            tag("h4", "Frames that said nothing"),
            *(tag("div", plain(cut(text)), cls="call") for text in texts),
        ]
    )
