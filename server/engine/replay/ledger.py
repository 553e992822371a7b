"""Brings invocations up to date: counts what has ended, lets the group go on, carries out stops."""

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

import structlog

from schemas.envelope import Id
from schemas.stored import Pending
from schemas.test import Invocation, Run, Stopping, TestStopped
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.replay.counting import Tally, count, give_up, is_complete, next_cycle, over, runs_of_cycle
from server.engine.replay.queue import Queue, replay_id
from server.engine.replay.rooms import test_room
from server.errors import NotFound, Unavailable
from server.rooms.bell import Bell
from server.rooms.outbox import Outboxes
from server.store import Store

log = structlog.get_logger(__name__)
TRIES = 50
STOP_SECONDS = 3.0
LOOK_SECONDS = 0.05
ALL_RUNS = 100_000
ENDED = ("done", "failed")


class Ledger:
    """Every step is a compare-and-set on the invocation; whoever comes later finds what is left to do."""

    def __init__(self, *, store: Store, outboxes: Outboxes, queue: Queue, bell: Bell) -> None:
        self._store = store
        self._outboxes = outboxes
        self._queue = queue
        self._bell = bell
        self._locks: WeakValueDictionary[Id, asyncio.Lock] = WeakValueDictionary()

    async def settle(self, invocation_id: Id) -> None:
        """Finish what an invocation leaves to do; safe to repeat and in several processes at once."""
        async with self._locks.setdefault(invocation_id, asyncio.Lock()):
            for _ in range(TRIES):
                invocation = await self._store.invocations.get(invocation_id)
                if invocation is None:
                    return
                if invocation.stopping is not None:
                    await self._carry_out(invocation_id, invocation.stopping)
                elif (settled := await self._try(invocation)) is not None:
                    await self._let_go(settled)
                    return
        raise Unavailable("The test keeps changing; try again.")

    async def start_group(self, invocation_id: Id) -> None:
        """Have all pending runs of an invocation replayed, up to its concurrency at a time."""
        await self._change(invocation_id, {"group": True})
        await self.settle(invocation_id)

    async def stop(self, invocation_id: Id, stop_id: Id, *, close: bool = False) -> int:
        """Cancel all replays of an invocation, end its group and infinite mode; return how many ran.

        With `close` no replay begins any more. Whoever repeats it with the same id finishes it.
        """
        for _ in range(TRIES):
            invocation = await self._get(invocation_id)
            if invocation.stopping is None:
                if not await self._mark(invocation, stop_id, close=close):
                    continue
                invocation = await self._get(invocation_id)
            if invocation.stopping is None:
                return 0
            stopped = await self._carry_out(invocation_id, invocation.stopping)
            if invocation.stopping.id == stop_id:
                return stopped
        raise Unavailable("The test keeps changing; try again.")

    # --- counting -------------------------------------------------------------------------------------------

    async def _try(self, invocation: Invocation) -> Invocation | None:
        """Count what has ended and fill the group; None when somebody else changed the invocation."""
        await self._finish_counting(invocation)
        ended = await self._store.runs.find(
            {"invocation_id": invocation.id, "state": {"$in": ENDED}, "counted": False}
        )
        changed, events = count(invocation, ended, before=await self._tally(invocation))
        if ended and is_complete(changed) and changed.infinite_mode:
            if changed.failed == changed.total_runs:
                changed, more = give_up(changed)
                events += more
            else:
                changed = next_cycle(changed)
        if changed.group and changed.cycle == invocation.cycle:
            changed = await self._fill(changed)
        outbox = await self._store.invocations.replace(changed, events) if changed != invocation else []
        if outbox is None:
            return None
        await self._finish_counting(changed)
        self._outboxes.publish("invocations", invocation.id, outbox)
        return changed if changed.cycle == invocation.cycle else None

    async def _finish_counting(self, invocation: Invocation) -> None:
        """Do what follows a count: make the runs of the cycle that it began, and mark what it counted."""
        if not await self._store.runs.exists({"replay_id": {"$in": invocation.counting}, "counted": False}):
            return
        if invocation.cycle > 1 and not invocation.counted:
            query = {"invocation_id": invocation.id, "cycle": invocation.cycle - 1}
            runs = await self._store.runs.find(query, limit=ALL_RUNS)
            await self._store.runs.make(runs_of_cycle(invocation, runs))
        await self._store.runs.mark_counted(invocation.counting)

    async def _tally(self, invocation: Invocation) -> Tally:
        """Count what is counted: a run that is let go again is not, until it has ended again."""
        states = await self._store.runs.counted(invocation.id, cycle=invocation.cycle)
        return Tally(counted=sum(states.values()), failed=states.get("failed", 0))

    async def _fill(self, invocation: Invocation) -> Invocation:
        """Give the group's free places to pending runs; the group ends when there is nothing left."""
        active = list(invocation.active)
        if (free := invocation.concurrency - len(active)) > 0:
            active += await self._store.runs.unclaimed(
                invocation.id, cycle=invocation.cycle, besides=active, limit=free
            )
        if active:
            return invocation.model_copy(update={"active": active})
        left = {"invocation_id": invocation.id, "cycle": invocation.cycle, "state": {"$nin": ENDED}}
        return invocation.model_copy(update={"group": await self._store.runs.exists(left)})

    async def _let_go(self, invocation: Invocation) -> None:
        if not invocation.active:
            return
        waiting = await self._store.runs.find({"_id": {"$in": invocation.active}, "state": "pending"})
        for run in waiting:
            by = derive(invocation.id, "group", str(invocation.rev))
            await self._queue.let_go(run, by=by, grouped=True)

    # --- stopping -------------------------------------------------------------------------------------------

    async def _mark(self, invocation: Invocation, stop_id: Id, *, close: bool) -> bool:
        """Store that replays are to be stopped; from then on no run of the group begins."""
        query = {"invocation_id": invocation.id, "state": {"$in": ["queued", "running"]}}
        running = await self._store.runs.find(query, limit=ALL_RUNS)
        update: dict[str, object] = {"group": False, "infinite_mode": False, "active": []}
        update["closed"] = close or invocation.closed
        told = [over(invocation)] if close or invocation.infinite_mode else []
        if running:
            runs = {r.id: r.replay_id or r.id for r in running}
            update["stopping"] = Stopping(id=stop_id, runs=runs, by=list({r.by for r in running}))
        elif not close:
            told.append(_stopped(invocation.id, stop_id, []))
        return await self._store_changed(invocation.model_copy(update=update), told)

    async def _carry_out(self, invocation_id: Id, stopping: Stopping) -> int:
        """Stop the marked replays wherever they run, and tell the room; return how many there were."""
        await self._halt(stopping)
        stopped = await self._stopped_replays(stopping)
        told = [_stopped(invocation_id, stopping.id, stopped)]
        for _ in range(TRIES):
            invocation = await self._get(invocation_id)
            if invocation.stopping != stopping:
                break  # somebody else has told
            await self._finish_counting(invocation)
            update = {"stopping": None, **(await self._tally(invocation))._asdict()}
            if await self._store_changed(invocation.model_copy(update=update), told):
                break
        return len(stopped)

    async def _halt(self, stopping: Stopping) -> None:
        """Take back what waits, ask the owners of what runs; what they do not give back is taken."""
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        asked: dict[Id, str] = {}
        while asyncio.get_running_loop().time() < deadline:
            await self._store.runs.take_back(stopping, states=("queued",))
            owners = await self._store.runs.ask_to_stop(stopping)
            for run_id, owner in owners.items() - asked.items():
                self._bell.tell(owner, "stop_run", run_id)
            asked = owners
            if not owners and not await self._store.runs.going(stopping):
                return
            await asyncio.sleep(LOOK_SECONDS)
        await self._store.runs.take_back(stopping, states=("queued", "running"))

    async def _stopped_replays(self, stopping: Stopping) -> list[Id]:
        """Return the last replays of the runs to stop, besides those that ended by themselves."""
        runs = await self._store.runs.find({"_id": {"$in": list(stopping.runs)}}, limit=ALL_RUNS)
        return [_last_replay(r, stopping) for r in runs if not (r.state in ENDED and r.by in stopping.by)]

    # --- the invocation -------------------------------------------------------------------------------------

    async def _get(self, invocation_id: Id) -> Invocation:
        invocation = await self._store.invocations.get(invocation_id)
        if invocation is None:
            raise NotFound("There is no such invocation, or it is not yours.")
        return invocation

    async def _change(self, invocation_id: Id, update: dict[str, object]) -> None:
        for _ in range(TRIES):
            invocation = await self._get(invocation_id)
            changed = invocation.model_copy(update=update)
            if changed == invocation or await self._store_changed(changed, []):
                return
        raise Unavailable("The test keeps changing; try again.")

    async def _store_changed(self, invocation: Invocation, events: Sequence[Pending]) -> bool:
        outbox = await self._store.invocations.replace(invocation, events)
        if outbox is None:
            return False
        self._outboxes.publish("invocations", invocation.id, outbox)
        return True


def _last_replay(run: Run, stopping: Stopping) -> Id:
    """Return a stopped run's replay: the one before its fence, unless it has been let go again."""
    return replay_id(run.id, run.fence - 1) if run.state == "pending" else stopping.runs[run.id]


def _stopped(invocation_id: Id, stop_id: Id, run_ids: list[Id]) -> Pending:
    event = TestStopped(
        invocation_id=invocation_id,
        success=bool(run_ids),
        message=None if run_ids else "No replay was running.",
        run_ids=run_ids or None,
    )
    return pending(test_room(invocation_id), event, f"{stop_id}:stopped")
