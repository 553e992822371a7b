"""The tables of a result's page besides that of its runs."""

from collections.abc import Mapping

from server.engine.evaluator.judging.verdicts import Verdict
from server.engine.evaluator.reports.figures import Figures, Mean, MetricPart, Part
from server.engine.evaluator.reports.report import Summary
from server.engine.reports.markup import Html
from server.engine.reports.tables import money, row, share, table
from server.engine.reports.words import cut, plain

MAX_VALUES = 8  # of a metric that is no number
MAX_VALUE = 80
HEADS = ("Runs", "Success", "No success", "Caller’s mistake", "Not judged", "Call broke", "Expected outcome")


def scenarios_table(summary: Summary) -> Html:
    """Return a line for each scenario."""
    rows = [
        row(plain(summary.scenarios[scenario]), _part(part))
        for scenario, part in summary.figures.scenarios.items()
    ]
    return table(["Scenario", *HEADS, "Time"], rows)


def powers_table(powers: list[float]) -> Html | None:
    """Return pass^k; None when nothing was repeated, or judged."""
    if not powers:
        return None
    rows = [row(f"pass^{k}", [share(value)]) for k, value in enumerate(powers, 1)]
    return table(["", "All scenarios"], rows, cls="numbers narrow")


def metrics_table(metrics: list[MetricPart]) -> Html | None:
    """Return a line for each metric; None when there are none."""
    if not metrics:
        return None
    rows = [
        row(
            plain(metric.name),
            [
                f"{metric.passed:,} of {metric.ruled:,}" if metric.ruled else "–",
                _spread(metric.numbers),
                _values(metric),
                f"{metric.errors:,}" if metric.errors else "–",
            ],
        )
        for metric in metrics
    ]
    return table(["Metric", "As wanted", "Mean (lowest–highest)", "Values", "Without a value"], rows)


def reasons_table(reasons: Mapping[str, int]) -> Html | None:
    """Return how many calls ended in which way; None when there are none."""
    if not reasons:
        return None
    rows = [row(reason, [f"{count:,}"]) for reason, count in sorted(reasons.items())]
    return table(["", "Runs"], rows, cls="numbers narrow")


def figures_table(figures: Figures) -> Html:
    """Return the figures of the whole result."""
    whole, verdicts = figures.whole, figures.whole.verdicts
    lines = (
        ("Runs", f"{whole.runs:,}"),
        ("Success", f"{verdicts['success']:,} ({whole.success_rate:.1f}%)"),
        ("No success", f"{verdicts['no_success']:,}"),
        ("Of those, time was up", f"{whole.timeouts:,}"),
        ("Mistakes of the caller", f"{verdicts['simulator_error']:,}"),
        ("Not judged", f"{verdicts['not_judged']:,}"),
        ("Calls that broke", f"{verdicts['broken']:,}"),
        ("Cancelled", f"{verdicts['cancelled']:,}"),
        ("Not finished", f"{verdicts['unfinished']:,}"),
        ("Expected outcome, mean (lowest–highest)", _spread(whole.score)),
        ("Time of a call, mean (lowest–highest)", f"{_spread(whole.duration)} s"),
        ("Tokens of caller and judge", f"{figures.tokens:,}"),
        ("Cost of caller and judge", money(figures.cost_usd)),
    )
    return table(["", "All runs"], [row(name, [value]) for name, value in lines], cls="numbers narrow")


def _part(part: Part) -> list[str]:
    verdicts = part.verdicts
    counts: tuple[Verdict, ...] = ("no_success", "simulator_error", "not_judged", "broken")
    return [
        f"{part.runs:,}",
        f"{verdicts['success']:,} ({part.success_rate:.1f}%)",
        *(f"{verdicts[name]:,}" if verdicts[name] else "–" for name in counts),
        _spread(part.score),
        f"{_spread(part.duration)}\u00a0s",
    ]


def _spread(mean: Mean) -> str:
    if mean.value is None:
        return "–"
    if mean.least == mean.most:
        return f"{mean.value:.4g}"
    return f"{mean.value:.4g} ({mean.least:.4g}–{mean.most:.4g})"


def _values(metric: MetricPart) -> str:
    common = metric.values.most_common(MAX_VALUES)
    more = len(metric.values) - len(common)
    parts = [f"{plain(cut(value, MAX_VALUE))}: {count:,}" for value, count in common]
    return ", ".join([*parts, *([f"{more:,} others"] if more else [])]) or "–"
