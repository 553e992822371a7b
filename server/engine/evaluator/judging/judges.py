"""The judge of evaluators: what is thought of a run, whatever goes wrong on the way."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import structlog

from schemas.evaluator import PassRule
from schemas.evaluator_run import ExpectedOutcome, Judgement, MetricValue, NumberedMetric, Setup, Talked
from server.engine.evaluator.judging.expected_outcome import judge_outcome
from server.engine.evaluator.judging.expressions import Expressions
from server.engine.evaluator.judging.inquiry import Inquiry
from server.engine.evaluator.judging.metric_values import computed_value, evaluated_value, judged_value
from server.engine.evaluator.judging.simulator import STUCK, is_played, is_stuck, judge_caller
from server.engine.evaluator.judging.success import succeeded
from server.engine.grading.summary import add_usage
from server.engine.grading.transcript import LARGE, SMALL, Budget
from server.errors import Upstream
from server.llm import Models
from server.llm.providers import is_small

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was found out about a run, and what could not be."""

    outcome: ExpectedOutcome | None
    metrics: list[MetricValue]
    problems: list[str]


class Judges:
    """Judges runs; all runs of a process share its questions to the model and its expressions at once."""

    def __init__(self, models: Models, *, budget: Budget | None = None) -> None:
        self._models = models
        self._budget = budget or (SMALL if is_small(models.judge_name) else LARGE)
        self._gate = asyncio.Semaphore(self._budget.calls)
        self._expressions = Expressions()

    async def judge(self, setup: Setup, talked: Talked, *, batch: Hashable = None) -> Judgement:
        """Return what is thought of a run, by a setup whose texts are filled in (templating.prepared).

        It never raises, and cancelling is safe. Runs are judged in turn for the batches that they are of.

        Only a run that talked until its end or its time-out is judged, and only the former can succeed. What
        cannot be judged has an error of its own; `success` is None where that leaves it open.
        """
        if talked.status in ("failed", "cancelled"):
            return Judgement(success=False)
        inquiry = Inquiry(
            models=self._models,
            transcript=talked.transcript,
            budget=self._budget,
            gate=self._gate,
        )
        found = await self._find(inquiry, setup, talked, batch)
        success = _success(setup, talked, found)
        caller = await self._caller(inquiry, setup, talked) if success is False else None
        return Judgement(
            success=success,
            expected_outcome=found.outcome,
            metrics=found.metrics,
            simulator_error=caller,
            error=" ".join(found.problems) or None,
            model=inquiry.model,
            reliable=inquiry.reliable,
            usage=add_usage(inquiry.usages),
        )

    async def _find(self, inquiry: Inquiry, setup: Setup, talked: Talked, batch: Hashable) -> _Found:
        (outcome, problem), metrics = await asyncio.gather(
            _outcome(inquiry, setup), self._metrics(inquiry, setup.metrics, talked, batch)
        )
        problems = [problem] if problem else []
        problems += [
            f"The metric {value.name} could not be computed: {value.error}"
            for numbered, value in zip(setup.metrics, metrics, strict=True)
            if value.error is not None and numbered.metric.pass_ is not None
        ]
        return _Found(outcome=outcome, metrics=metrics, problems=problems)

    async def _metrics(
        self, inquiry: Inquiry, metrics: Sequence[NumberedMetric], talked: Talked, batch: Hashable
    ) -> list[MetricValue]:
        """Return the metrics in their order."""
        values: dict[int, MetricValue] = {
            place: computed_value(m, talked) for place, m in enumerate(metrics) if m.metric.type == "built_in"
        }
        judged = [place for place, m in enumerate(metrics) if m.metric.type == "llm_judge"]
        answers, evaluated = await asyncio.gather(
            asyncio.gather(*(judged_value(metrics[place], inquiry) for place in judged)),
            self._evaluated(metrics, talked, batch),
        )
        values |= dict(zip(judged, answers, strict=True)) | evaluated
        return [values[place] for place in range(len(metrics))]

    async def _evaluated(
        self, metrics: Sequence[NumberedMetric], talked: Talked, batch: Hashable
    ) -> dict[int, MetricValue]:
        places = [place for place, m in enumerate(metrics) if m.metric.type == "custom_code"]
        if not places:
            return {}
        codes = [metrics[place].metric.code or "" for place in places]
        found = await self._expressions.evaluate(codes, talked, batch=batch)
        return {p: evaluated_value(metrics[p], value) for p, value in zip(places, found, strict=True)}

    async def _caller(self, inquiry: Inquiry, setup: Setup, talked: Talked) -> str | None:
        """Return what the caller did wrong in a run that did not succeed; a model is asked of its like."""
        if is_stuck(setup.scenario, talked):
            return STUCK
        if not is_played(setup.scenario):
            return None
        try:
            return await judge_caller(inquiry, setup)
        except Upstream as error:
            log.warning("caller not judged", scenario=setup.scenario_id, reason=str(error))
            return None


async def _outcome(inquiry: Inquiry, setup: Setup) -> tuple[ExpectedOutcome | None, str | None]:
    """Return the expected outcome as it is judged, or why it is not."""
    if not setup.scenario.expected_outcome_prompt.strip():
        return None, None
    try:
        return await judge_outcome(inquiry, setup.scenario), None
    except Upstream as error:
        return None, f"The expected outcome could not be judged: {error}"


def _success(setup: Setup, talked: Talked, found: _Found) -> bool | None:
    if talked.status != "completed":
        return False
    rules: list[PassRule | None] = [numbered.metric.pass_ for numbered in setup.metrics]
    return succeeded(
        expects=bool(setup.scenario.expected_outcome_prompt.strip()),
        outcome=found.outcome,
        metrics=list(zip(rules, found.metrics, strict=True)),
    )
