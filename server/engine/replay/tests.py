"""What authors do with tests: start, claim and run, stop, group, grade, end (socket-v5 §4, §9)."""

import asyncio
from collections.abc import Awaitable, Callable

from schemas.envelope import Id, utc_now
from schemas.test import Grading, Invocation, Run, Test, TestEnd, TestGroup, TestRun, TestStart
from schemas.test_reply import (
    InvocationPlace,
    TestEndReply,
    TestGroupReply,
    TestNextReply,
    TestRunReply,
    TestStartReply,
)
from server.engine.access import Identity
from server.engine.ids import derive
from server.engine.replay.access import invocation_of, test_of
from server.engine.replay.counting import run_key
from server.engine.replay.ledger import ALL_RUNS, Ledger
from server.engine.replay.making import TestMaker
from server.engine.replay.queue import GRADE, Queue
from server.engine.replay.rooms import test_room
from server.errors import Conflict, NotFound
from server.rooms.outbox import Outboxes
from server.store import Store

NewId = Callable[[str], Id]
Enter = Callable[[Invocation], Awaitable[None]]
CYCLE_SECONDS = 1.0  # after which to ask again for a run of the next cycle


class Tests:
    """The requests of authors; durable when they return, safe to repeat with the same ids."""

    __test__ = False

    def __init__(self, *, store: Store, outboxes: Outboxes, queue: Queue, ledger: Ledger, model: str) -> None:
        self._store = store
        self._outboxes = outboxes
        self._queue = queue
        self._ledger = ledger
        self._maker = TestMaker(store, model)

    async def start(self, caller: Identity, msg: TestStart, *, new_id: NewId) -> TestStartReply:
        """Create a test of a benchmark, with an invocation for each of its agents."""
        test_id = new_id("test")
        if (stored := await self._store.tests.get(test_id)) is not None:
            return _started(stored, await self._store.invocations.of_test(stored.invocation_ids))
        test, invocations, begun = await self._maker.make(caller, msg, test_id=test_id)
        if await self._store.tests.create(test, begun):
            self._outboxes.publish("tests", test.id, begun)
        return _started(test, invocations)

    async def next(self, caller: Identity, test_id: Id, *, new_id: NewId) -> TestNextReply:
        """Claim the next pending run for 60 s."""
        test = await test_of(self._store, caller, test_id)
        _check_open(test)
        claim = new_id("claim")
        invocations = await self._store.invocations.of_test(test.invocation_ids)
        mine = await self._store.runs.find({"claim": claim})
        for invocation in invocations:
            run = next((r for r in mine if r.invocation_id == invocation.id), None)
            if run is None and not mine:
                run = await self._store.runs.claim(invocation.id, cycle=invocation.cycle, claim=claim)
            if run is not None:
                return TestNextReply(
                    invocation_id=invocation.id,
                    run_id=run.original_id,
                    current_run=run.position,
                    total_runs=invocation.total_runs,
                    claim=claim,
                )
        seconds = await self._store.runs.wait_for_claims([(i.id, i.cycle) for i in invocations])
        if seconds is None and any(i.infinite_mode for i in invocations):
            seconds = CYCLE_SECONDS
        if seconds is None:
            return TestNextReply(done=True)
        return TestNextReply(done=False, retry_after=round(max(seconds, 0.1), 3))

    async def run(self, caller: Identity, msg: TestRun, *, new_id: NewId, enter: Enter) -> TestRunReply:
        """Let a recorded run be replayed; some process does it in the background."""
        test = await test_of(self._store, caller, msg.test_id)
        invocation = await invocation_of(self._store, caller, msg.test_invocation_id, test=test)
        by = new_id("run")
        run = await self._run(invocation, msg.run_id)
        if run.by != by:
            _check_open(test)
            await enter(invocation)
            queued = await self._queue.let_go(run, by=by, claim=msg.claim) if _may_go(run) else None
            if queued and run.state == "failed":
                await self._ledger.settle(invocation.id)  # it was counted, and is not any more
            run = queued or await self._run(invocation, msg.run_id)
            if run.by != by:
                raise _why_not(run)
        return TestRunReply(run_id=run.replay_id or run.id)

    async def group(self, caller: Identity, msg: TestGroup, *, enter: Enter) -> TestGroupReply:
        """Have all pending runs of an invocation replayed; return the replays that begin with it."""
        test = await test_of(self._store, caller, msg.test_id)
        invocation = await invocation_of(self._store, caller, msg.test_invocation_id, test=test)
        _check_open(test)
        pending = {"invocation_id": invocation.id, "cycle": invocation.cycle, "state": "pending"}
        if not invocation.group and not await self._store.runs.exists(pending):
            raise Conflict("No run of this invocation is pending.")
        await enter(invocation)
        await self._ledger.start_group(invocation.id)
        invocation = await self._store.invocations.get(invocation.id) or invocation
        active = await self._store.runs.find({"_id": {"$in": invocation.active}})
        return TestGroupReply(run_ids=[r.replay_id for r in active if r.replay_id])

    async def stop(self, caller: Identity, invocation_id: Id, *, new_id: NewId, enter: Enter) -> int:
        """Cancel the running replays of an invocation, its group and its infinite mode."""
        invocation = await invocation_of(self._store, caller, invocation_id)
        await enter(invocation)
        return await self._ledger.stop(invocation.id, new_id("stop"))

    async def end(self, caller: Identity, msg: TestEnd, *, new_id: NewId, enter: Enter) -> TestEndReply:
        """End a replay that is finished, and have it graded if there is a rubric."""
        test = await test_of(self._store, caller, msg.test_id)
        invocation = await invocation_of(self._store, caller, msg.test_invocation_id, test=test)
        grade_id = new_id("grade")
        run = await self._replay(invocation, msg.run_id)
        if _has(run, grade_id):
            return TestEndReply(grade_id=grade_id)
        if run.state != "done":
            raise Conflict(_UNFINISHED[run.state])
        recording = await self._store.recordings.get(derive(run.test_id, run.original_id))
        await enter(invocation)
        if not msg.grade or recording is None or recording.rubric is None:
            await self._store.runs.change(
                run.id, when={"replay_id": run.replay_id}, update={"$set": {"ended": True}}
            )
            return TestEndReply(grade_id=None)
        if not await self._grade(run, grade_id):
            raise Conflict("This replay is being graded.", retryable=True)
        return TestEndReply(grade_id=grade_id)

    async def end_all(self, caller: Identity, test_id: Id, *, new_id: NewId, enter: Enter) -> list[Id]:
        """End a test: stop what runs, leave what is pending, grade what is finished and not graded."""
        test = await test_of(self._store, caller, test_id)
        by = new_id("end_all")
        if test.status == "open":
            update = {"$set": {"status": "ending", "ended_by": by}}
            await self._store.tests.change(test.id, when={"status": "open"}, update=update)
            test = await self._store.tests.get(test.id) or test
        if test.ended_by != by:
            raise Conflict("The test has ended.")
        for invocation in await self._store.invocations.of_test(test.invocation_ids):
            await enter(invocation)
        return await self.finish(test.id)

    async def finish(self, test_id: Id) -> list[Id]:
        """Carry out the end of a test; return the gradings that it starts. Safe to repeat."""
        test = await self._store.tests.get(test_id)
        if test is None or test.status == "open":
            return []
        stops = (self._ledger.stop(i, derive(i, "end_all"), close=True) for i in test.invocation_ids)
        await asyncio.gather(*stops)
        grade_ids = await self._grade_all(test)
        for invocation_id in test.invocation_ids:
            await self._store.entries.close_room(test_room(invocation_id))
        over = {"$set": {"status": "ended", "ended_at": utc_now()}}
        await self._store.tests.change(test.id, when={"status": "ending"}, update=over)
        return grade_ids

    async def _grade_all(self, test: Test) -> list[Id]:
        """Have graded what is finished and not graded; return these gradings, whoever has started them."""
        query = {"test_id": test.id, "state": "done"}
        for run in await self._store.runs.find(
            {**query, "ended": False, "grades": [], "grading": None}, limit=ALL_RUNS
        ):
            recording = await self._store.recordings.get(derive(run.test_id, run.original_id))
            if recording is not None and recording.rubric is not None:
                await self._grade(run, _last_grade(run))
        done = await self._store.runs.find(query, limit=ALL_RUNS)
        return [_last_grade(run) for run in done if _has(run, _last_grade(run))]

    async def _grade(self, run: Run, grade_id: Id) -> bool:
        """Store that a replay is to be graded, and have it done; False when it is being graded already."""
        stored = await self._store.runs.change(
            run.id,
            when={"state": "done", "replay_id": run.replay_id, "grading": None},
            update={"$set": {"grading": Grading(grade_id=grade_id).model_dump(exclude_none=True)}},
        )
        if stored is None:
            return False
        await self._queue.wake(GRADE, run.id)
        return True

    async def _run(self, invocation: Invocation, original_id: Id) -> Run:
        key = run_key(invocation.id, invocation.cycle, original_id)
        if (run := await self._store.runs.get(key)) is None and invocation.cycle > 1:
            await self._ledger.settle(invocation.id)  # the runs of this cycle may just be in the making
            run = await self._store.runs.get(key)
        if run is None:
            raise NotFound("run_id: there is no such recorded run in this invocation.")
        return run

    async def _replay(self, invocation: Invocation, replay_id: Id) -> Run:
        found = await self._store.runs.find({"replay_id": replay_id, "invocation_id": invocation.id})
        if not found:
            raise NotFound("run_id: there is no such replay in this invocation.")
        return found[0]


_UNFINISHED = {
    "pending": "The replay was stopped; run it again first.",
    "queued": "The replay has not begun; wait for it.",
    "running": "The replay is running; wait for it, or stop it.",
    "failed": "The replay failed; run it again first.",
}


def _started(test: Test, invocations: list[Invocation]) -> TestStartReply:
    places = [InvocationPlace(invocation_id=i.id, total_runs=i.total_runs) for i in invocations]
    return TestStartReply(test_id=test.id, invocations=places)


def _check_open(test: Test) -> None:
    if test.status != "open":
        raise Conflict("The test has ended.")


def _may_go(run: Run) -> bool:
    return run.state in ("pending", "failed")


def _why_not(run: Run) -> Conflict:
    if run.state == "done":
        return Conflict("This run has been replayed.")
    if run.state == "failed" and not run.counted:
        return Conflict("This run has just failed; try again.", retryable=True)
    if _may_go(run):
        return Conflict("This run is claimed; send its claim, or wait until the claim ends.")
    return Conflict("This run is being replayed.")


def _has(run: Run, grade_id: Id) -> bool:
    """Tell whether a grading is stored: it goes on, or has ended with a grade."""
    going_on = run.grading is not None and run.grading.grade_id == grade_id
    return going_on or any(g.grade_id == grade_id for g in run.grades)


def _last_grade(run: Run) -> Id:
    """Return the id of the grading that the end of its test starts."""
    return derive(run.replay_id or run.id, "end_all")
