"""The job of a result: claims it, does what is left of it, and ends it or gives it back (core §13)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from schemas.envelope import utc_now
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, Talked
from schemas.stored import Pending
from server.engine.evaluator.frozen import Frozen, thawed
from server.engine.evaluator.ledger import Ledger
from server.engine.evaluator.parts import Calls, Judge, Parts
from server.engine.evaluator.rooms import ops, result_ended, result_room, result_started
from server.engine.evaluator.views import figures_of, pass_rates_of, status_of
from server.engine.evaluator.work import Halt, Work, settled
from server.engine.fair_gate import FairGate
from server.engine.patience import patiently
from server.errors import Unavailable

log = structlog.get_logger(__name__)
EVALUATOR = "evaluator"
LOOK_SECONDS = 0.5
JUDGES = 32  # judgements at once in a process, in turn for the results that wait
_GONE = "What this run was made of cannot be read; start it again."


@dataclass(frozen=True, slots=True)
class Claimed:
    """A result that this process does; without `frozen` its runs cannot be played."""

    result: EvaluatorResult
    frozen: Frozen | None
    outbox: list[Pending]
    lease: int


class EvaluatorRunner:
    """Does results under this process's lease; what is done with one names the fence of its claim."""

    def __init__(self, parts: Parts, *, calls: Calls, judge: Judge) -> None:
        self._parts = parts
        self._results = parts.store.evaluator_results
        self._runs = parts.store.evaluator_runs
        self._process = parts.process
        self._calls = calls
        self._judge = judge
        self._ledger = Ledger(parts.store, parts.outboxes)
        self._places = asyncio.Semaphore(parts.conversations)
        self._judges = FairGate(JUDGES)
        self._works: dict[int, Work] = {}
        self._claims: dict[int, int] = {}  # the results that this process is at, with the fence it sets
        self._closing = False
        self._idle = asyncio.Event()
        self.on_end: Callable[[], None] = lambda: None
        parts.bell.on_told("end_calls", self._told_to_end)
        parts.bell.on_told("end_call", self._told_to_end_one)
        parts.process.on_lost(partial(self._stop_all, "lost"))

    @property
    def running(self) -> set[int]:
        """Return the results that this process is at, or about to be."""
        return set(self._claims)

    @property
    def talking(self) -> int:
        """Return how many conversations go on in this process."""
        return sum(work.talking for work in self._works.values())

    async def run(self, key: str) -> None:
        """Do a result that waits, or whose process died; does nothing when somebody else is at it."""
        await self._at(int(key), self._carry_out)

    async def cut(self, result_id: int) -> None:
        """End a result that waits and that a user has cancelled; what has talked is left to be judged."""
        await self._at(result_id, self._cut)

    async def _at(self, result_id: int, do: Callable[[Claimed], Awaitable[None]]) -> None:
        lease = self._process.lease
        if self._closing or result_id in self._claims or not self._process.holds(lease):
            return
        self._claims[result_id] = -1
        try:
            claimed = await patiently(lambda: self._claim(result_id, lease), self._holds(lease))
            if claimed is not None:
                await do(claimed)
        finally:
            del self._claims[result_id]
            if not self._claims:
                self._idle.set()

    async def close(self, seconds: float) -> None:
        """Begin no more results and give back those that run; returns when that is stored, or time is up."""
        self._closing = True
        self._stop_all("interrupted")
        while self._claims:
            self._idle.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                log.warning("results left to others", results=len(self._claims))
                return

    async def watch(self) -> None:
        """Note which agents have answered, and obey who ends calls or takes results away, until cancelled."""
        while True:
            for work in self._works.values():
                if not work.holds():
                    work.stop("lost")
            if self._works:
                try:
                    await self._look(dict(self._works))
                except Unavailable:
                    log.warning("ended calls cannot be looked for")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, works: dict[int, Work]) -> None:
        for result_id, work in works.items():
            if opened := work.opened():
                await self._runs.connected(opened, fence=work.fence)
                await self._results.connected(result_id, fence=work.fence)
                work.noted(opened)
        known = await self._results.fences(works)
        for result_id, work in works.items():
            fence, cancel = known.get(result_id, (-1, False))
            if fence != work.fence:
                work.stop("lost")
            elif cancel:
                work.end_calls()
        for run_id in await self._runs.to_cancel(works):
            self._told_to_end_one(str(run_id))

    def _told_to_end(self, key: str) -> None:
        if (work := self._works.get(int(key))) is not None:
            work.end_calls()

    def _told_to_end_one(self, key: str) -> None:
        for work in self._works.values():
            work.end_call(int(key))

    def _stop_all(self, halt: Halt) -> None:
        for work in list(self._works.values()):
            work.stop(halt)

    def _holds(self, lease: int) -> Callable[[], bool]:
        return lambda: self._process.holds(lease)

    # --- claiming -------------------------------------------------------------------------------------------

    async def _claim(self, result_id: int, lease: int) -> Claimed | None:
        result = await self._results.get(result_id)
        if result is None or not await self._is_free(result):
            return None
        frozen = await self._frozen(result)
        if result.state == "running" and result.fence == self._claims[result_id]:
            mine = result  # stored by the last try, whose answer was lost
        else:
            mine = result.model_copy(update=self._fresh(result))
        self._claims[result_id] = mine.fence
        update = {"$set": mine.model_dump(include={"state", "process", "fence", "started_at"})}
        total = await self._runs.count(result_id) if result.ends else len(result.plans)
        events = [] if mine is result else [result_started(mine, total)]
        outbox = await self._ledger.change(result, update=update, outbox=events)
        return None if outbox is None else Claimed(mine, frozen, outbox, lease)

    def _fresh(self, result: EvaluatorResult) -> dict[str, Any]:
        return {
            "state": "running",
            "process": self._process.name,
            "fence": result.fence + 1,
            "started_at": result.started_at or utc_now(),
        }

    async def _is_free(self, result: EvaluatorResult) -> bool:
        if result.state != "running":
            return result.state == "queued"
        return result.process == self._process.name or result.process not in await self._process.living()

    async def _frozen(self, result: EvaluatorResult) -> Frozen | None:
        packed = await self._results.setup(result.id, version=result.setup)
        if packed is None:
            return None
        try:
            return await asyncio.to_thread(thawed, packed)
        except ValueError:  # a ValidationError is one too
            log.exception("what a result was made of cannot be read", result=result.id)
            return None

    # --- doing ----------------------------------------------------------------------------------------------

    async def _carry_out(self, claimed: Claimed) -> None:
        result, holds = claimed.result, self._holds(claimed.lease)
        await patiently(lambda: self._tell(claimed), holds)
        if claimed.frozen is None:
            await patiently(lambda: self._give_up(result), holds)
            await patiently(lambda: self._end(result, claimed.frozen), holds)
            return
        frozen = claimed.frozen
        work = self._works[result.id] = self._work(claimed, frozen)
        try:
            runs = await patiently(lambda: self._left(result, frozen), holds)
            await work.run(runs)
        finally:
            del self._works[result.id]
        if work.halt == "interrupted":
            await patiently(lambda: self._give_back(result), holds)
        elif work.halt is None:
            await patiently(lambda: self._end(result, claimed.frozen), holds)

    async def _cut(self, claimed: Claimed) -> None:
        """End the runs that wait, and the result when none is to be judged; raises Unavailable."""
        result, frozen = claimed.result, claimed.frozen
        if frozen is None or not result.cancel or result.ends:
            await self._give_back(result)
            return
        await self._tell(claimed)
        runs = await self._left(result, frozen)
        waiting = [run for run in runs if run.state != "judging"]
        await self._ledger.cut_off(waiting, fence=result.fence)
        await (self._end(result, frozen) if len(waiting) == len(runs) else self._give_back(result))

    async def _tell(self, claimed: Claimed) -> None:
        """Have the start of a result in its room before its runs."""
        publish = self._parts.outboxes.publish
        await asyncio.gather(*publish("evaluator_results", claimed.result.id, claimed.outbox))

    async def _tell_ends(self, result: EvaluatorResult) -> None:
        """Have the ends of runs in the room before the result's, also those whose process died with them."""
        told: list[asyncio.Future[int]] = []
        for run_id, outbox in await self._runs.untold(result.id):
            queued = self._parts.outboxes.publish("evaluator_runs", run_id, outbox)
            if len(queued) < len(outbox):
                raise Unavailable("The log cannot keep up; try again soon.")
            told += queued
        await settled(told)

    def _work(self, claimed: Claimed, frozen: Frozen) -> Work:
        work = Work(
            self._parts,
            self._ledger,
            claimed.result,
            frozen,
            calls=self._calls,
            judge=self._judge,
            places=self._places,
            judges=self._judges,
            lease=claimed.lease,
        )
        if self._closing:
            work.stop("interrupted")
        elif claimed.result.cancel:
            work.end_calls()
        return work

    async def _left(self, result: EvaluatorResult, frozen: Frozen) -> list[EvaluatorRun]:
        """Return the runs that have not ended; after an end all that talked are judged anew.

        Before it those are made that its start could not make.
        """
        if result.ends:
            await self._runs.judge_again(result.id, ends=result.ends)
        else:
            await self._ledger.make(result, frozen)
            await self._results.keep_setup(result.id, version=result.setup)
        return await self._runs.unfinished(result.id)

    async def _give_back(self, result: EvaluatorResult) -> None:
        """Let another process go on with a result; raises Unavailable."""
        update = {"$set": {"state": "queued"}, "$inc": {"fence": 1}, "$unset": {"process": 1}}
        if await self._ledger.change(result, update=update) is not None:
            await self._parts.jobs.wake(EVALUATOR, str(result.id))

    async def _give_up(self, result: EvaluatorResult) -> None:
        """End the runs of a result that cannot be read; raises Unavailable."""
        talked = Talked(status="failed", ended_reason="Testing agent-failed", error_message=_GONE)
        for run in await self._runs.unfinished(result.id):
            await self._ledger.end(run, talked, None, fence=result.fence, judged=result.ends + 1)

    async def _end(self, result: EvaluatorResult, frozen: Frozen | None) -> None:
        """Store what a result came to, if it is still ours and its runs have ended; raises Unavailable."""
        facts = (await self._runs.facts([result.id]))[result.id]
        if not all(fact.ended for fact in facts):
            log.error("runs left over; the result is done once more", result=result.id)
            await self._give_back(result)
            return
        await self._tell_ends(result)
        now = utc_now()
        fields = {"state": "ended", "status": status_of(facts), "ended_at": now, "ends": result.ends + 1}
        ended = result.model_copy(update=fields)
        events = [result_ended(ended, figures_of(facts), pass_rates_of(ended, facts)), ops(ended, "ended")]
        await self._parts.store.entries.close_room(result_room(result.id))
        update: dict[str, Any] = {"$set": {**fields, "tries": 0}, "$unset": {"process": 1}}
        if frozen is not None and frozen.agent.webhook_url is not None:
            update["$set"]["webhook_at"] = now
        outbox = await self._ledger.change(result, update=update, outbox=events)
        if outbox is not None:
            self._parts.outboxes.publish("evaluator_results", result.id, outbox)
            self.on_end()
