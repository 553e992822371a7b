"""The job of a run: claims it, replays it, stores what it came to, and lets it be counted (core §13)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from schemas.envelope import Id, Usage, utc_now
from schemas.stored import Pending
from schemas.test import Invocation, Recording, Run, RunResult, TestRunStart
from server.engine.conversation.grounds import Grounds
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.replay.counting import run_failed
from server.engine.replay.ledger import Ledger
from server.engine.replay.queue import RUN, Queue, replay_id
from server.engine.replay.replay import Replay
from server.engine.replay.rooms import test_room
from server.errors import Internal, TooLarge, Unavailable
from server.llm import Models
from server.rooms.bell import Bell
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store
from server.store.tests import GIVEN_BACK

log = structlog.get_logger(__name__)
T = TypeVar("T")
LOOK_SECONDS = 0.5
RETRY_SECONDS = 0.2
DIED = "The process that replayed this run died; it is done again."


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this process replays, with what it needs."""

    run: Run
    invocation: Invocation
    recording: Recording
    outbox: list[Pending]


class TestRunner:
    """Replays runs under this process's lease; what is done with a run names the fence of its claim."""

    __test__ = False

    def __init__(
        self,
        *,
        store: Store,
        hub: Hub,
        outboxes: Outboxes,
        models: Models,
        grounds: Grounds,
        process: Process,
        queue: Queue,
        ledger: Ledger,
        bell: Bell,
    ) -> None:
        self._store = store
        self._hub = hub
        self._outboxes = outboxes
        self._models = models
        self._grounds = grounds
        self._process = process
        self._queue = queue
        self._ledger = ledger
        self._replays: dict[Id, Replay] = {}
        self._claims: dict[Id, Run | None] = {}  # what this process is at, as it has tried to store it
        self._closing = False
        self._idle = asyncio.Event()
        self._told = asyncio.Event()
        bell.on_told("stop_run", self._told_to_stop)
        process.on_lost(self.interrupt_all)

    @property
    def running(self) -> set[Id]:
        """Return the runs that this process is replaying, or about to."""
        return set(self._claims)

    async def run(self, run_id: Id) -> None:
        """Replay a run that is queued, or whose process died; does nothing when somebody else is at it."""
        lease = self._process.lease
        if self._closing or run_id in self._claims:
            return
        self._claims[run_id] = None
        try:
            claimed = await self._patiently(lambda: self._claim(run_id), lease)
            if claimed is None:
                return
            await self._patiently(lambda: self._tell(claimed), lease)
            await self._carry_out(claimed, lease)
        finally:
            del self._claims[run_id]
        await self._patiently(lambda: self._ledger.settle(claimed.run.invocation_id), lease)

    async def _carry_out(self, claimed: Claimed, lease: int) -> None:
        run = claimed.run
        replay = self._replays[run.id] = self._replay(claimed, lease)
        try:
            result = await replay.run()
            if result is None:
                await self._patiently(lambda: self._give_back(run, replay), lease)
            else:
                await self._finish(run, result, lease=lease)
        except asyncio.CancelledError:
            replay.stop("interrupted")
            raise
        except Unavailable:
            raise
        except (
            Exception
        ):  # a bug of ours: done again it would break again, and cost the model's price each time
            log.exception("replay broke", run_id=run.id)
            await self._finish(run, _broken(), lease=lease)
        finally:
            del self._replays[run.id]
            if not self._replays:
                self._idle.set()

    def interrupt_all(self) -> None:
        """Give all replays back, to be done again: this process ends, or others may own them by now."""
        for replay in list(self._replays.values()):
            replay.stop("interrupted")

    async def close(self, seconds: float) -> None:
        """Begin no more replays and give back those that run; returns when that is stored, or time is up."""
        self._closing = True
        self.interrupt_all()
        while self._replays:
            self._idle.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                log.warning("replays left to others", runs=len(self._replays))
                return

    async def watch(self) -> None:
        """Stop replays that others have asked to stop, or have taken away, until cancelled."""
        while True:
            self._told.clear()
            if self._replays:
                await self._obey(dict(self._replays))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._told.wait()

    async def _obey(self, mine: dict[Id, Replay]) -> None:
        try:
            known = await self._store.runs.fences(mine)
        except Unavailable:
            log.warning("stops of replays cannot be looked for")
            return
        for run_id, replay in mine.items():
            fence, stop = known.get(run_id, (-1, False))
            if fence != replay.fence:
                replay.stop("lost")
            elif stop:
                replay.stop("stopped")

    def _told_to_stop(self, run_id: str) -> None:
        """Look at once what is to be stopped: the bell may ring late, for a replay that is over."""
        if run_id in self._replays:
            self._told.set()

    # --- claiming -------------------------------------------------------------------------------------------

    async def _claim(self, run_id: Id) -> Claimed | None:
        run = await self._store.runs.get(run_id)
        if run is None or not await self._is_free(run):
            return None
        invocation = await self._store.invocations.get(run.invocation_id)
        recording = await self._store.recordings.get(derive(run.test_id, run.original_id))
        if invocation is None or recording is None:
            log.error("run without its test", run_id=run.id)
            return None
        events: list[Pending] = []
        if _is_same(self._claims[run_id], run):  # stored by the last try, whose answer was lost
            claimed, update = run, {"$set": {"owner": run.owner}}
        elif invocation.closed or run.stop or (run.grouped and run.id not in invocation.active):
            await self._refuse(run, told=invocation.closed)
            return None
        else:
            claimed, events, update = self._begun(run, invocation)
        self._claims[run_id] = claimed
        outbox = await self._change(run, update=update, outbox=events)
        return None if outbox is None else Claimed(claimed, invocation, recording, outbox)

    async def _tell(self, claimed: Claimed) -> None:
        """Have the start of a replay in the room before its steps."""
        await asyncio.gather(*self._outboxes.publish("runs", claimed.run.id, claimed.outbox))

    async def _refuse(self, run: Run, *, told: bool) -> None:
        """Give back a run that is not wanted any more; who let it go is told when the test has ended."""
        over = run_failed(run, message="The test ended before this replay began.", code="conflict")
        outbox = await self._change(run, update=GIVEN_BACK, outbox=[over] if told else [])
        if outbox is not None:
            self._outboxes.publish("runs", run.id, outbox)

    async def _is_free(self, run: Run) -> bool:
        if run.state != "running":
            return run.state == "queued"
        return run.owner == self._process.name or run.owner not in await self._process.living()

    def _begun(self, run: Run, invocation: Invocation) -> tuple[Run, list[Pending], dict[str, Any]]:
        """Return a run as ours, with its events; what a dead process was at ends with an error."""
        fresh: dict[str, Any] = {"state": "running", "owner": self._process.name, "started_at": utc_now()}
        events: list[Pending] = []
        if run.state == "running":
            events.append(run_failed(run, message=DIED, code="unavailable"))
            fresh |= {"fence": run.fence + 1, "replay_id": replay_id(run.id, run.fence + 1)}
        mine = run.model_copy(update=fresh)
        start = TestRunStart(
            invocation_id=run.invocation_id,
            run_id=mine.replay_id or run.id,
            original_run_resource_id=run.original_id,
            current_run=run.position,
            total_runs=invocation.total_runs,
            created_at=fresh["started_at"],
        )
        events.append(pending(test_room(run.invocation_id), start, f"{mine.replay_id}:start"))
        return mine, events, {"$set": fresh}

    # --- replaying ------------------------------------------------------------------------------------------

    def _replay(self, claimed: Claimed, lease: int) -> Replay:
        room = test_room(claimed.run.invocation_id)

        def publish(name: str, j: bytes) -> "asyncio.Future[int]":
            if self._process.lease == lease:
                return self._hub.log.publish(room, name, j, leased=True)
            lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            lost.set_exception(Unavailable("This process has lost its lease."))
            return lost

        return Replay(
            claimed.run,
            claimed.invocation,
            claimed.recording,
            models=self._models,
            grounds=self._grounds,
            publish=publish,
            holds=lambda: self._process.holds(lease),
        )

    async def _finish(self, run: Run, result: RunResult, *, lease: int) -> None:
        """Store what a replay came to, if the run is still ours."""
        try:
            await self._patiently(lambda: self._change(run, update=_ended(result)), lease)
        except TooLarge as error:
            failed = {"messages": [], "error": "The replay is too large to be stored.", "code": error.code}
            short = result.model_copy(update=failed)
            await self._patiently(lambda: self._change(run, update=_ended(short)), lease)

    async def _patiently(self, call: Callable[[], Awaitable[T]], lease: int) -> T:
        """Do something again while the database is away; raises Unavailable when the lease is lost first."""
        while True:
            try:
                return await call()
            except Unavailable:
                if not self._process.holds(lease):
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _give_back(self, run: Run, replay: Replay) -> None:
        """Make a halted run pending again, or queued when nobody asked for that; raises Unavailable."""
        if replay.halt == "lost":
            return
        if replay.halt == "stopped":
            await self._change(run, update=GIVEN_BACK)
            return
        fence = run.fence + 1
        again = {"state": "queued", "fence": fence, "replay_id": replay_id(run.id, fence)}
        outbox = await self._change(
            run,
            update={"$set": again, "$unset": {"owner": 1, "started_at": 1}},
            outbox=[run_failed(run, message=DIED, code="unavailable")],
        )
        if outbox is not None:
            self._outboxes.publish("runs", run.id, outbox)
            await self._queue.wake(RUN, run.id)

    async def _change(
        self, run: Run, *, update: dict[str, Any], outbox: list[Pending] | None = None
    ) -> list[Pending] | None:
        """Change a run as it was read; None when somebody else changed it since."""
        when: dict[str, Any] = {"state": run.state, "fence": run.fence}
        if run.owner is not None:
            when["owner"] = run.owner
        return await self._store.runs.change(run.id, when=when, update=update, outbox=outbox or [])


def _is_same(tried: Run | None, run: Run) -> bool:
    """Tell whether a run is stored as this process has tried to claim it."""
    claim = (tried.state, tried.owner, tried.fence) if tried else None
    return claim == (run.state, run.owner, run.fence)


def _broken() -> RunResult:
    return RunResult(
        messages=[], usage=Usage(), error=str(Internal().message), code="internal", finished_at=utc_now()
    )


def _ended(result: RunResult) -> dict[str, Any]:
    return {
        "$set": {
            "state": "failed" if result.code else "done",
            "result": result.model_dump(exclude_none=True),
            "counted": False,
        },
        "$unset": {"owner": 1},
    }
