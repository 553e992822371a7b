"""The grader: judges every group of a rubric, then gathers what the learner reads besides."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel

from schemas.attempt import AttemptContentProgress, AttemptGradingProgress
from schemas.content import StandardGroup
from schemas.envelope import JsonObject
from schemas.grade import Grade, GroupGrade, ResourceType
from server.engine.grading.agreement import krippendorff_alpha, lowest, settle
from server.engine.grading.feedback import PARTS, PartKind, Reviewer, ReviewPart
from server.engine.grading.judge import Judgement, judge_group
from server.engine.grading.summary import (
    NOTHING_SAID,
    add_points,
    add_usage,
    describe,
    describe_missing,
    group_grade,
    judge_notes,
    percentage,
)
from server.engine.grading.task import Emit, GradingTask
from server.engine.grading.transcript import LARGE, SMALL, Budget, is_silent, quote_transcript
from server.errors import Upstream
from server.llm import Models
from server.llm.providers import is_small

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(kw_only=True)
class Progress:
    """Reports the steps of one grading in order; without a chat there is nobody to tell."""

    task: GradingTask
    emit: Emit
    completed: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Report that grading starts."""
        await self._grading({"type": "start", "completed_count": 0, "total_count": self.total})

    async def group(self, grade: GroupGrade) -> None:
        """Report a judged group; the counts rise in the order of the reports."""
        async with self.lock:
            self.completed += 1
            entry = grade.model_dump(
                mode="json", include={"standard_group_id", "standard_id", "points", "feedback", "quotes"}
            )
            counts = {"completed_count": self.completed, "total_count": self.total}
            await self._grading({"type": "standard_graded", **entry, **counts})

    async def content(self, kind: ResourceType, item: BaseModel | str) -> None:
        """Report one strength, improvement or analysis."""
        if self.task.chat_id is None:
            return
        entry = {"content": item} if isinstance(item, str) else item.model_dump(mode="json")
        await self.emit(
            AttemptContentProgress(
                chat_id=self.task.chat_id, grade_id=self.task.grade_id, resource_type=kind, entry=entry
            )
        )

    @property
    def total(self) -> int:
        """Return the number of groups to judge."""
        return len(self.task.rubric.groups)

    async def _grading(self, entry: JsonObject) -> None:
        if self.task.judged is not None:
            await self.task.judged({"grade_id": self.task.grade_id, **entry})
        if self.task.chat_id is None:
            return
        await self.emit(
            AttemptGradingProgress(
                chat_id=self.task.chat_id, grade_id=self.task.grade_id, resource_type="feedbacks", entry=entry
            )
        )


class Grader:
    """Grades transcripts by rubrics; the model awards standards, the score is computed here."""

    def __init__(self, models: Models, *, budget: Budget | None = None) -> None:
        """Take the models; without a budget it follows from the judge: the embedded one reads little."""
        self._models = models
        self._budget = budget or (SMALL if is_small(models.judge_name) else LARGE)
        self._slots = asyncio.Semaphore(self._budget.calls)

    async def grade(self, task: GradingTask, emit: Emit) -> Grade:
        """Return the grade of a transcript, reporting each step through `emit`.

        Groups are judged in parallel; the budget bounds the calls of all gradings of this grader together.
        A group is reported once, when all its judges are in. Strengths, improvements and analyses follow, in
        this order; one that the model fails to give stays empty, and the description says so. Raises Upstream
        when a judge fails for good; the other calls are cancelled then. Stores nothing, so cancelling is safe
        at any time.
        """
        progress = Progress(task=task, emit=emit)
        await progress.start()
        if is_silent(task.transcript, task.graded):
            return await self._grade_silence(task, progress)
        judged = await self._judge_all(task, progress)
        groups = [grade for grade, _ in judged]
        judgements = [by_judge for _, by_judge in judged]
        grade = self._total(task, groups, judgements)
        return await self._review(task, grade, progress=progress)

    async def _grade_silence(self, task: GradingTask, progress: Progress) -> Grade:
        nothing = NOTHING_SAID[task.graded]
        feedback = nothing if "feedbacks" in task.enabled_kinds() else ""
        groups = [group_grade(g, standard=lowest(g), feedback=feedback) for g in task.rubric.groups]
        for group in groups:
            await progress.group(group)
        grade = self._total(task, groups, [])
        return grade.model_copy(update={"description": f"{nothing} {grade.description}"})

    async def _judge_all(
        self, task: GradingTask, progress: Progress
    ) -> list[tuple[GroupGrade, list[Judgement]]]:
        return await _together([self._judge(task, group, progress) for group in task.rubric.groups])

    async def _judge(
        self, task: GradingTask, group: StandardGroup, progress: Progress
    ) -> tuple[GroupGrade, list[Judgement]]:
        async def one(judge: int) -> Judgement:
            async with self._slots:
                return await judge_group(
                    self._models,
                    group=group,
                    scenario=task.scenario,
                    transcript=task.transcript,
                    budget=self._budget,
                    judge=judge,
                    private=task.private,
                    graded=task.graded,
                    reference=task.reference,
                )

        judgements = await _together([one(judge) for judge in range(task.rubric.judges)])
        standard, speaker = settle(group, [j.standard for j in judgements])
        chosen = judgements[speaker]
        feedback = chosen.feedback if "feedbacks" in task.enabled_kinds() else ""
        grade = group_grade(group, standard=standard, feedback=feedback, judgement=chosen)
        await progress.group(grade)
        return grade, judgements

    def _total(self, task: GradingTask, groups: list[GroupGrade], judgements: list[list[Judgement]]) -> Grade:
        rubric = task.rubric
        score = add_points(g.points for g in groups)
        notes = judge_notes(rubric, judgements) if judgements else []
        quoted = quote_transcript(
            task.transcript, budget=self._budget.transcript, graded=task.graded, reference=task.reference
        )
        reliable = all(note.reliable for note in notes)
        return Grade(
            grade_id=task.grade_id,
            chat_id=task.chat_id,
            run_id=task.run_id,
            rubric_id=rubric.id,
            score=score,
            total_points=rubric.points,
            pass_points=rubric.pass_points,
            percentage=percentage(score, rubric.points),
            passed=score >= rubric.pass_points,
            description=describe(rubric, groups, score=score, reliable=reliable, left_out=quoted.left_out),
            time_taken=task.elapsed,
            groups=groups,
            judges=notes,
            agreement=krippendorff_alpha([list(note.points.values()) for note in notes]),
            usage=add_usage([j.usage for by_judge in judgements for j in by_judge]) if judgements else None,
            created_at=datetime.now(UTC),
        )

    async def _review(self, task: GradingTask, grade: Grade, *, progress: Progress) -> Grade:
        reviewer = Reviewer(models=self._models, task=task, groups=grade.groups, budget=self._budget)

        async def one(kind: PartKind) -> ReviewPart:
            try:
                async with self._slots:
                    return await reviewer.review(kind)
            except Upstream as error:  # the criteria are judged, and worth more than no grade
                log.warning("part of a grade missing", grade_id=task.grade_id, part=kind, code=error.code)
                return ReviewPart(kind=kind)

        parts = await _together([one(kind) for kind in PARTS if kind in task.enabled_kinds()])
        for part in parts:
            for item in part.items:
                await progress.content(part.kind, item)
        made: dict[str, Any] = {part.kind: list(part.items) for part in parts}
        usage = add_usage([u for u in (grade.usage, *(part.usage for part in parts)) if u])
        missing = describe_missing([part.kind for part in parts if part.usage is None])
        description = " ".join(filter(None, (grade.description, missing)))
        return grade.model_copy(update={"usage": usage, "description": description, **made})


async def _together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run calls at the same time and return their results in order; the first failure cancels the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
