"""The runs of one result in this process: so many conversations at once, each judged after it."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable
from functools import partial
from typing import Any, Literal

import structlog

from schemas.evaluator_run import (
    JUDGED,
    EvaluatorResult,
    EvaluatorRun,
    Judgement,
    Setup,
    Talked,
    TranscriptItem,
)
from schemas.stored import Pending
from server.engine.evaluator.callers.templating import prepared
from server.engine.evaluator.frozen import Frozen
from server.engine.evaluator.ledger import Ledger
from server.engine.evaluator.parts import Calls, Conversation, Judge, Parts
from server.engine.evaluator.rooms import run_started, run_turn
from server.engine.fair_gate import FairGate
from server.engine.patience import RETRY_SECONDS, patiently
from server.errors import GreenroomError, Internal, Unavailable

log = structlog.get_logger(__name__)
Halt = Literal["interrupted", "lost"]


class Work:
    """Plays and judges what is left of a result; `halt` says why it stopped before the end.

    `places` are conversations and `judges` judgements at once in the whole process. A conversation waits for
    a free judge after it, and what was said is forgotten meanwhile: it is stored.
    """

    def __init__(
        self,
        parts: Parts,
        ledger: Ledger,
        result: EvaluatorResult,
        frozen: Frozen,
        *,
        calls: Calls,
        judge: Judge,
        places: asyncio.Semaphore,
        judges: FairGate,
        lease: int,
    ) -> None:
        self.fence = result.fence
        self.halt: Halt | None = None
        self.holds = partial(parts.process.holds, lease)
        self._parts = parts
        self._ledger = ledger
        self._result = result
        self._frozen = frozen
        self._calls = calls
        self._judge = judge
        self._places = places
        self._judges = judges
        self._batch = (result.id, result.ends)
        self._lease = lease
        self._cancelled = False
        self._talks: dict[int, Conversation] = {}
        self._opened: set[int] = set()
        self._queue: deque[EvaluatorRun] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()
        self._error: BaseException | None = None

    @property
    def talking(self) -> int:
        """Return how many conversations go on."""
        return len(self._talks)

    def stop(self, halt: Halt) -> None:
        """Drop what goes on and begin nothing more; the first reason counts."""
        if self.halt is None:
            self.halt = halt
            for task in self._tasks:
                task.cancel()

    def end_calls(self) -> None:
        """End every conversation, and begin no more."""
        self._cancelled = True
        for talk in self._talks.values():
            talk.stop()

    def end_call(self, run_id: int) -> None:
        """End a conversation if it goes on here, or cut it off if it waits for its turn."""
        if (talk := self._talks.get(run_id)) is not None:
            talk.stop()
        elif self.halt is None and (run := self._taken(run_id)) is not None:
            self._own(self._cut_off(run))

    def opened(self) -> set[int]:
        """Return the runs that go on whose agents have answered, besides those that are `noted`."""
        self._opened &= self._talks.keys()
        return set(self._opened)

    def noted(self, opened: set[int]) -> None:
        """Leave out from now on what is stored."""
        self._opened -= opened

    async def run(self, runs: Iterable[EvaluatorRun]) -> None:
        """Do runs that have not ended; returns when all have, or when it is stopped.

        Raises Unavailable once the lease is lost. Stopped before, it does nothing.
        """
        if self.halt is not None:
            return
        left = list(runs)
        self._queue.extend(run for run in left if run.state != "judging")
        limit = min(self._result.concurrency_limit or self._parts.conversations, len(self._queue))
        jobs: list[Coroutine[Any, Any, None]] = [self._play_all() for _ in range(limit)]
        if judging := deque(run for run in left if run.state == "judging"):
            jobs.append(self._judge_all(judging))
        for job in jobs:
            self._own(job)
        await self._until_done()
        if self._cancelled and self.halt is None:
            await self._cut_off(*self._queue)

    def _taken(self, run_id: int) -> EvaluatorRun | None:
        """Take a run off the queue, None when it does not wait."""
        run = next((run for run in self._queue if run.id == run_id), None)
        if run is not None:
            self._queue.remove(run)
        return run

    async def _cut_off(self, *runs: EvaluatorRun) -> None:
        await patiently(lambda: self._ledger.cut_off(runs, fence=self.fence), self.holds)

    # --- conversations --------------------------------------------------------------------------------------

    async def _play_all(self) -> None:
        while self._queue and not self._cancelled:
            async with self._places:
                if not self._queue or self._cancelled:
                    return
                run = self._queue.popleft()
                talked = await self._play(run)
            if talked is not None:
                await self._judge_soon(talked)

    async def _play(self, run: EvaluatorRun) -> EvaluatorRun | None:
        """Have a run talked and that stored; return it when it is to be judged."""
        begun = await patiently(lambda: self._ledger.begin(run, fence=self.fence), self.holds)
        if begun is None:
            return await self._not_begun(run)
        told: list[asyncio.Future[int]] = [await self._tell(run_started(begun))]
        talked = await self._talk(begun, told)
        await settled(told)  # what is stored is in the room
        if talked.status not in JUDGED:
            await patiently(lambda: self._end(begun, talked, None), self.holds)
            return None
        return await patiently(lambda: self._ledger.talked(begun, talked, fence=self.fence), self.holds)

    async def _not_begun(self, run: EvaluatorRun) -> EvaluatorRun | None:
        """See why a run is not to be called: a user has ended it, or it has talked."""
        now = await patiently(lambda: self._parts.store.evaluator_runs.get(run.id), self.holds)
        if now is not None and now.cancel and now.state in ("queued", "talking"):
            await self._cut_off(now)
        return now if now is not None and now.state == "judging" else None

    async def _talk(self, run: EvaluatorRun, told: "list[asyncio.Future[int]]") -> Talked:
        async def tell(index: int, item: TranscriptItem) -> None:
            told.append(await self._tell(run_turn(run, index, item)))

        try:
            call = self._calls.text if self._result.run_as_text else self._calls.voice
            talk = self._talks[run.id] = call(
                self._setup(run),
                run,
                on_item=tell,
                on_open=partial(self._opened.add, run.id),
            )
            if self._cancelled:
                talk.stop()
            return await talk.run()
        except Unavailable:
            raise
        except Exception:  # a bug of ours: played again it would break again
            log.exception("a conversation broke", run=run.id)
            return Talked(
                status="failed", ended_reason="Testing agent-failed", error_message=Internal().message
            )
        finally:
            self._talks.pop(run.id, None)

    # --- judging --------------------------------------------------------------------------------------------

    async def _judge_all(self, runs: deque[EvaluatorRun]) -> None:
        """Judge runs that have talked before."""
        for run in runs:
            await self._judge_soon(run)

    async def _judge_soon(self, run: EvaluatorRun) -> None:
        """Have a run judged once there is place for it; what was said does not wait in memory."""
        if self._judges.locked():
            run.talked = None
        await self._judges.acquire(self._batch)
        # freed by the task's end, which comes also when it is cancelled before it has begun
        self._own(self._judge_one(run)).add_done_callback(lambda _: self._judges.release(self._batch))

    async def _judge_one(self, run: EvaluatorRun) -> None:
        """Judge a run and store its end."""
        whole: EvaluatorRun | None = run
        if run.talked is None:
            whole = await patiently(lambda: self._parts.store.evaluator_runs.get(run.id), self.holds)
        if whole is None or whole.talked is None:
            return  # it is deleted
        judged, talked = whole, whole.talked
        judgement = await self._thought(judged, talked)
        await patiently(lambda: self._end(judged, talked, judgement), self.holds)

    async def _thought(self, run: EvaluatorRun, talked: Talked) -> Judgement:
        try:
            return await self._judge.judge(self._setup(run), talked, batch=self._batch)
        except Exception:  # a bug of ours; the run has ended all the same
            log.exception("a judgement broke")
            return Judgement(success=None, error=Internal().message)

    def _setup(self, run: EvaluatorRun) -> Setup:
        return prepared(self._frozen.setup(run.plan))

    async def _end(self, run: EvaluatorRun, talked: Talked, judgement: Judgement | None) -> None:
        judged = self._result.ends + 1
        await self._ledger.end(run, talked, judgement, fence=self.fence, judged=judged)

    # --- tasks ----------------------------------------------------------------------------------------------

    def _own(self, job: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Take a task off; the first error ends all others."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._error is None:
            self._error = error
            for other in self._tasks:
                other.cancel()
        if not self._tasks:
            self._done.set()

    async def _until_done(self) -> None:
        """Return when all tasks have ended; raises the first error unless this was stopped."""
        try:
            if self._tasks:
                await self._done.wait()
        finally:
            left = list(self._tasks)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if self._error is not None and self.halt is None:
            raise self._error

    # --- the room -------------------------------------------------------------------------------------------

    async def _tell(self, event: Pending) -> "asyncio.Future[int]":
        """Queue an entry for the room once there is place; raises Unavailable when the lease is lost."""
        publish = self._parts.hub.log.publish
        while True:
            try:
                if self._parts.process.lease != self._lease:
                    raise Unavailable("This process has lost its lease.")
                future = publish(event.r, event.name, event.j.encode(), eid=event.eid, leased=True)
            except Unavailable:
                if not self.holds():
                    raise
                await asyncio.sleep(RETRY_SECONDS)
                continue
            future.add_done_callback(_looked_at)
            return future


def _looked_at(future: "asyncio.Future[int]") -> None:
    if not future.cancelled():
        future.exception()


async def settled(told: "list[asyncio.Future[int]]") -> None:
    """Return when entries are in the room; raises Unavailable when this process may not put them there.

    What the log refuses for good is left out of it.
    """
    for future in told:
        try:
            await asyncio.shield(future)
        except Unavailable:
            raise
        except GreenroomError:
            log.warning("an entry is not shown")
