"""Lets runs go: from then on some process replays them (core §13)."""

from schemas.envelope import Id
from schemas.test import Run
from server.engine.ids import derive
from server.jobs import Jobs
from server.store import Store

RUN = "run"
GRADE = "grade"
INVOCATION = "invocation"
TEST = "test"


def replay_id(run_id: Id, fence: int) -> Id:
    """Return the wire's id of a run's replay under a fence."""
    return derive(run_id, str(fence))


class Queue:
    """Lets a run go once per fence; the reconciler finds what is queued in the ledger and was never woken."""

    def __init__(self, store: Store, jobs: Jobs) -> None:
        self._store = store
        self._jobs = jobs

    async def let_go(
        self, run: Run, *, by: Id, claim: str | None = None, grouped: bool = False
    ) -> Run | None:
        """Queue a pending or failed run; None when it changed since, or somebody else has claimed it."""
        queued = await self._store.runs.let_go(
            run, replay_id=replay_id(run.id, run.fence + 1), by=by, claim=claim, grouped=grouped
        )
        if queued is not None:
            await self._jobs.wake(RUN, run.id)
        return queued

    async def wake(self, kind: str, key: Id) -> None:
        """Have a job done soon; never raises."""
        await self._jobs.wake(kind, key)
