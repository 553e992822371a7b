"""The tables of a batch job's page: the permutations best first, and the figures of the job and its parts."""

from collections.abc import Mapping

from schemas.batch import JobFigures, PartSummary
from server.engine.batch.report import Summary
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.tables import money, row, table
from server.engine.reports.words import plain

MAX_ROWS = 200
STEPS = ("Plugin detected", "Operation found", "Parameters mapped")
MEANS = ("Match score, mean", "Time, mean")
SUMS = ("Tokens, sum", "Cost, sum")
NOTE = (
    "The mean time is that of runs that were completed; of parameters only the runs that ask for them count."
)


def best_table(summary: Summary, *, notes: Mapping[str, str]) -> Html:
    """Return a line for each permutation: the most accurate first, then by match score, cost and time."""
    parts = sorted(summary.by_permutation, key=_worth)
    each = summary.job.total_runs // len(parts)
    rows = [
        row(
            join([f"{place}. ", plain(part.name), " ", tag("span", plain(notes[part.name]), cls="meta")]),
            [
                f"{part.passed:,} of {part.total:,}",
                *([f"{part.total:,} of {each:,}"] if summary.partly else []),
                *(_accuracy(part), f"{part.average_match_score:g}"),
                *(money(part.total_llm_api_cost), _seconds(part.average_response_time_sec)),
            ],
        )
        for place, part in enumerate(parts[:MAX_ROWS], 1)
    ]
    done = ["Runs done"] if summary.partly else []
    heads = ["Passed", *done, accuracy_head(partly=summary.partly), MEANS[0], SUMS[1], MEANS[1]]
    return join([_more(parts), table(["Permutation", *heads], rows)])


def overall_table(summary: Summary) -> Html:
    """Return the figures of the whole job."""
    errors = sum(part.errors for part in summary.by_permutation)
    rows = [row(name, [value]) for name, value in _lines(summary.figures, errors, partly=summary.partly)]
    return table(
        ["", "All runs that were done" if summary.partly else "All runs"], rows, cls="numbers narrow"
    )


def parts_table(parts: list[PartSummary], what: str, *, partly: bool) -> Html:
    """Return a line for each part of a job; of many the first."""
    heads = ["Runs", "Passed", "Failed", "Errors", accuracy_head(partly=partly), *STEPS, *MEANS, *SUMS]
    rows = [_part(part) for part in parts[:MAX_ROWS]]
    return join([_more(parts), table([what, *heads], rows), tag("p", NOTE, cls="meta")])


def accuracy_head(*, partly: bool) -> str:
    """Return what the accuracy is called."""
    return "Accuracy of the runs that were done" if partly else "Accuracy"


def _worth(part: PartSummary) -> tuple[bool, float, float, float, float]:
    """Return what sorts the best first; a permutation without a result is the last."""
    cost, time = part.total_llm_api_cost, part.average_response_time_sec
    return part.total == 0, -part.accuracy, -part.average_match_score, cost / max(part.total, 1), time


def _lines(figures: JobFigures, errors: int, *, partly: bool) -> list[tuple[str, str]]:
    total = figures.total_test_cases
    return [
        ("Runs with a result", f"{total:,}"),
        ("Passed", f"{total - figures.failed_cases:,}"),
        ("Failed", f"{figures.failed_cases - errors:,}"),
        ("Errors", f"{errors:,}"),
        (accuracy_head(partly=partly), f"{figures.overall_accuracy:g}%" if total else "–"),
        (f"{STEPS[0]} (a)", _of(figures.accuracy_step_a, total)),
        (f"{STEPS[1]} (b)", _of(figures.accuracy_step_b, total)),
        (f"{STEPS[2]} (c)", _of(figures.accuracy_step_c, figures.runs_with_parameters)),
        ("Time of the job", _seconds(figures.total_run_time)),
        ("Time of a completed run, mean", _seconds(figures.average_response_time_sec)),
        ("Tokens, sum", f"{figures.total_llm_tokens_used:,}"),
        ("Tokens of a run, mean", f"{figures.average_llm_tokens_used:,.10g}"),
        ("Cost, sum", money(figures.total_llm_api_cost)),
        ("Model calls from the cache", f"{figures.cached_calls:,}"),
    ]


def _part(part: PartSummary) -> Html:
    values = (
        *(f"{part.total:,}", f"{part.passed:,}", f"{part.failed:,}", f"{part.errors:,}", _accuracy(part)),
        *(_of(part.accuracy_step_a, part.total), _of(part.accuracy_step_b, part.total)),
        _of(part.accuracy_step_c, part.runs_with_parameters),
        *(f"{part.average_match_score:g}", _seconds(part.average_response_time_sec)),
        *(f"{part.total_llm_tokens_used:,}", money(part.total_llm_api_cost)),
    )
    return row(plain(part.name), list(values))


def _of(some: int, every: int) -> str:
    return f"{some:,} of {every:,}" if every else "–"


def _accuracy(part: PartSummary) -> str:
    return f"{part.accuracy:g}%" if part.total else "–"


def _seconds(value: float) -> str:
    return f"{value:g}\u00a0s"


def _more(parts: list[PartSummary]) -> Html | None:
    if len(parts) <= MAX_ROWS:
        return None
    return tag("p", f"The first {MAX_ROWS} of {len(parts)} are shown.", cls="meta")
