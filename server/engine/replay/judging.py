"""The job of a grading: a replay is judged by the rubric and the recorded run (socket-v5 §9)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import structlog

from schemas.attempt import AttemptContentProgress, AttemptGradingProgress, Message
from schemas.content import RecordedMessage, Rubric
from schemas.envelope import Id, JsonObject
from schemas.grade import Grade
from schemas.stored import Pending
from schemas.test import (
    Grading,
    Invocation,
    ReplayedMessage,
    Run,
    TestError,
    TestGraded,
    TestProgress,
)
from server.engine.grading import Grader, GradingTask
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.replay.rooms import test_room
from server.errors import GreenroomError, Internal, Unavailable
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store

log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.5


class LeaseLost(Exception):
    """Another process has taken this grading over, or may have."""


class Judging:
    """Grades replays under this process's lease; whoever takes over grades under the same grade_id."""

    def __init__(
        self, *, store: Store, hub: Hub, outboxes: Outboxes, grader: Grader, process: Process
    ) -> None:
        self._store = store
        self._hub = hub
        self._outboxes = outboxes
        self._grader = grader
        self._process = process
        self.running: set[Id] = set()

    async def run(self, run_id: Id) -> None:
        """Grade a run that waits for it, or whose grader died; does nothing when somebody else is at it."""
        if run_id in self.running:
            return
        self.running.add(run_id)
        lease = self._process.lease
        try:
            while True:
                try:
                    await self._grade(run_id, lease)
                    return
                except LeaseLost:
                    log.warning("grading lost to another process", run_id=run_id)
                    return
                except Unavailable:
                    if not self._process.holds(lease):
                        raise
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self.running.discard(run_id)

    async def _grade(self, run_id: Id, lease: int) -> None:
        run = await self._claim(run_id)
        if run is None or run.grading is None:
            return
        invocation = await self._store.invocations.get(run.invocation_id)
        recording = await self._store.recordings.get(derive(run.test_id, run.original_id))
        if invocation is None or recording is None or recording.rubric is None:
            log.error("run without its test", run_id=run.id)
            return
        task = self._task(
            run,
            run.grading,
            invocation,
            rubric=recording.rubric,
            recorded=recording.run.messages,
            lease=lease,
        )
        try:
            grade = await self._grader.grade(task, _nobody_listens)
        except (Unavailable, LeaseLost):
            raise
        except GreenroomError as error:
            await self._failed(run, run.grading, error)
        except Exception:  # a bug of ours: the replay can be graded again
            log.exception("grading broke", run_id=run.id)
            await self._failed(run, run.grading, Internal())
        else:
            await self._graded(run, run.grading, grade)

    async def _claim(self, run_id: Id) -> Run | None:
        """Return a run whose grading is ours now, None when there is none or somebody else is at it."""
        run = await self._store.runs.get(run_id)
        if run is None or run.grading is None:
            return None
        grading, name = run.grading, self._process.name
        if grading.owner not in (None, name) and grading.owner in await self._process.living():
            return None
        mine = grading.model_copy(update={"owner": name, "fence": grading.fence + 1})
        update = {"$set": {"grading": mine.model_dump()}}
        if await self._store.runs.change(run.id, when=_held(grading), update=update) is None:
            return None
        return run.model_copy(update={"grading": mine})

    def _task(
        self,
        run: Run,
        grading: Grading,
        invocation: Invocation,
        *,
        rubric: Rubric,
        recorded: Sequence[RecordedMessage],
        lease: int,
    ) -> GradingTask:
        result = run.result
        return GradingTask(
            grade_id=grading.grade_id,
            chat_id=None,
            run_id=run.replay_id,
            rubric=rubric,
            scenario=None,
            transcript=transcript_of(result.messages if result else [], run),
            kinds=frozenset({"feedbacks"}),
            elapsed=(result.duration_ms if result else 0.0) / 1000,
            graded="assistant",
            reference=transcript_of(recorded, run),
            judged=self._teller(run, grading, invocation, lease),
        )

    def _teller(
        self, run: Run, grading: Grading, invocation: Invocation, lease: int
    ) -> Callable[[JsonObject], Awaitable[None]]:
        count = 0

        async def tell(entry: JsonObject) -> None:
            nonlocal count
            if self._process.lease != lease:
                raise LeaseLost
            count += 1
            event = TestProgress(
                invocation_id=run.invocation_id,
                type="judge",
                run_id=run.replay_id,
                current_run=run.position,
                total_runs=invocation.total_runs,
                message=orjson.dumps(entry).decode(),
            )
            eid = f"{grading.grade_id}:{grading.fence}:{count}"
            room = test_room(run.invocation_id)
            await self._hub.log.publish(room, event.event, event.encode(), eid=eid, leased=True)

        return tell

    async def _graded(self, run: Run, grading: Grading, grade: Grade) -> None:
        event = TestGraded(
            invocation_id=run.invocation_id,
            grade_id=grade.grade_id,
            score=grade.score,
            passed=grade.passed,
            feedback=grade.description,
            run_id=run.replay_id,
        )
        update: dict[str, Any] = {
            "$push": {"grades": grade.model_dump(exclude_none=True)},
            "$set": {"ended": True},
            "$unset": {"grading": 1},
        }
        told = pending(test_room(run.invocation_id), event, f"{grade.grade_id}:graded")
        await self._change(run, grading, update=update, outbox=[told])

    async def _failed(self, run: Run, grading: Grading, error: GreenroomError) -> None:
        event = TestError(
            invocation_id=run.invocation_id,
            run_id=run.replay_id,
            message=error.message,
            error_type="end",
            code=error.code,
        )
        told = pending(test_room(run.invocation_id), event, f"{grading.grade_id}:{grading.fence}:failed")
        await self._change(run, grading, update={"$unset": {"grading": 1}}, outbox=[told])

    async def _change(
        self, run: Run, grading: Grading, *, update: dict[str, Any], outbox: list[Pending]
    ) -> None:
        """Change a run while its grading is ours; raises LeaseLost when it is not."""
        stored = await self._store.runs.change(run.id, when=_held(grading), update=update, outbox=outbox)
        if stored is None:
            raise LeaseLost
        self._outboxes.publish("runs", run.id, stored)


def transcript_of(messages: Sequence[ReplayedMessage | RecordedMessage], run: Run) -> list[Message]:
    """Return a conversation as the judge reads it, with calls of tools and their results as lines."""
    return [
        Message(
            id=message.id if isinstance(message, ReplayedMessage) else derive(run.original_id, str(index)),
            role="user" if message.role == "user" else "assistant",
            content=_said(message),
            created_at=run.created_at,
        )
        for index, message in enumerate(messages)
        if message.role != "system"
    ]


def _said(message: ReplayedMessage | RecordedMessage) -> str:
    if message.role == "tool":
        return f"[tool] answered: {message.content}"
    calls = [f"[tool] {call.name}({call.arguments})" for call in message.tool_calls]
    return "\n".join(filter(None, (message.content, *calls)))


def _held(grading: Grading) -> dict[str, Any]:
    return {"grading.grade_id": grading.grade_id, "grading.fence": grading.fence}


async def _nobody_listens(event: AttemptGradingProgress | AttemptContentProgress) -> None:
    """Tell nobody: the steps of judges are all there is to tell of a replay."""
