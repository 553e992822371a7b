"""Writes what happens to results and runs, each if nobody else has changed it since."""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from pydantic_core import PydanticSerializationError

from schemas.envelope import utc_now
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, Judgement, Talked
from schemas.stored import Pending
from server.engine.evaluator.frozen import Frozen
from server.engine.evaluator.rooms import run_ended
from server.errors import TooLarge
from server.rooms.outbox import Outboxes
from server.store import Store
from server.store.evaluator_runs import Ending

log = structlog.get_logger(__name__)
_BROKEN = "What was said cannot be stored: it is too large, or holds characters that are none."


def run_documents(result: EvaluatorResult, frozen: Frozen) -> list[EvaluatorRun]:
    """Return the runs of a result as they are before they begin."""
    return [
        EvaluatorRun(
            id=result.first_run + n,
            org=result.org,
            result=result.id,
            agent=result.agent,
            plan=plan,
            scenario_name=frozen.scenarios[plan.scenario].name,
            created_at=result.created_at,
        )
        for n, plan in enumerate(result.plans)
    ]


def never_called() -> Talked:
    """Return what a conversation came to that a user ended before it began."""
    return Talked(status="cancelled", ended_reason="run-cancelled-by-user")


class Ledger:
    """Results change under the fence that was read; runs under one that is at least theirs."""

    def __init__(self, store: Store, outboxes: Outboxes) -> None:
        self._results = store.evaluator_results
        self._runs = store.evaluator_runs
        self._sounds = store.sounds
        self._outboxes = outboxes

    async def make(self, result: EvaluatorResult, frozen: Frozen) -> None:
        """Make the runs of a result that are missing; raises Unavailable. Doing it again is harmless.

        Whoever comes too late with it, when the result has ended or is deleted, leaves nothing behind.
        """
        if await self._runs.count(result.id) < len(result.plans):
            await self._runs.make(run_documents(result, frozen))
            now = await self._results.slim(result.id)
            if now is None or now.ends:
                await self._runs.delete_waiting(result.id)

    async def remove(self, result_id: int) -> None:
        """Remove a hidden result, its runs first; raises Unavailable. Doing it again is harmless."""
        await self._sounds.drop_of(f"result_{result_id}")
        await self._runs.delete(result_id)
        await self._results.delete(result_id)

    async def change(
        self, result: EvaluatorResult, *, update: dict[str, Any], outbox: Sequence[Pending] = ()
    ) -> list[Pending] | None:
        """Change a result as it was read; None when somebody else changed it since. Raises Unavailable."""
        when = {"state": result.state, "fence": result.fence, "process": result.process}
        return await self._results.change(result.id, when=when, update=update, outbox=outbox)

    async def begin(self, run: EvaluatorRun, *, fence: int) -> EvaluatorRun | None:
        """Note that a run's agent is called; None when that is not to be. Raises Unavailable."""
        fresh = {"state": "talking", "status": "running", "attempt": run.attempt + 1, "fence": fence}
        fresh["started_at"] = utc_now()
        when = {"state": {"$in": ["queued", "talking"]}, "attempt": run.attempt, "fence": {"$lte": fence}}
        update = {"$set": fresh, "$unset": {"talked": 1}}
        if await self._runs.change(run.id, when={**when, "cancel": {"$ne": True}}, update=update) is None:
            now = await self._runs.get(run.id)  # it may be ours by a try whose answer was lost
            mine = now is not None and (now.state, now.attempt) == ("talking", run.attempt + 1)
            return now if now is not None and mine and now.fence == fence else None
        return run.model_copy(update=fresh)

    async def talked(self, run: EvaluatorRun, talked: Talked, *, fence: int) -> EvaluatorRun | None:
        """Store a conversation that is to be judged; None when the run is somebody else's, or gone.

        Raises Unavailable. Doing it again is harmless.
        """
        fields: dict[str, Any] = {"state": "judging", "status": "in_progress", "fence": fence}
        try:
            stored = await self._keep(run, talked, fields)
        except TooLarge:
            log.warning("conversation not kept whole", run=run.id)
            talked = _shortened(talked)
            stored = await self._keep(run, talked, fields)
        return run.model_copy(update={**fields, "talked": talked}) if stored else None

    async def _keep(self, run: EvaluatorRun, talked: Talked, fields: dict[str, Any]) -> bool:
        when = {"state": {"$in": ["talking", "judging"]}, "attempt": run.attempt}
        when["fence"] = {"$lte": fields["fence"]}
        update = {"$set": {**fields, "talked": _written(talked)}}
        return await self._runs.change(run.id, when=when, update=update) is not None

    async def end(
        self, run: EvaluatorRun, talked: Talked, judgement: Judgement | None, *, fence: int, judged: int
    ) -> None:
        """Store how a run ended, once; raises Unavailable. Doing it again is harmless."""
        ended = _ended(run, talked, judgement, judged=judged)
        fields = _end_fields(ended, fence=fence)
        if run.state == "judging":  # the conversation is stored
            fields.pop("talked", None)
        when = {"state": {"$ne": "ended"}, "attempt": run.attempt, "fence": {"$lte": fence}}
        outbox = await self._runs.change(
            run.id, when=when, update={"$set": fields}, outbox=[run_ended(ended)]
        )
        if outbox is not None:
            self._outboxes.publish("evaluator_runs", run.id, outbox)

    async def cut_off(self, runs: Iterable[EvaluatorRun], *, fence: int) -> None:
        """End runs that wait, because a user wants that; raises Unavailable. Doing it again is harmless."""
        ends = []
        for run in runs:
            ended = _ended(run, never_called(), None, judged=1)
            ends.append(Ending(run.id, fence, _end_fields(ended, fence=fence), run_ended(ended)))
        for run_id, events in await self._runs.end_all(ends):
            self._outboxes.publish("evaluator_runs", run_id, events)


def _ended(run: EvaluatorRun, talked: Talked, judgement: Judgement | None, *, judged: int) -> EvaluatorRun:
    """Return a run as it is once it has ended."""
    success = judgement.success if judgement is not None else False
    return run.model_copy(
        update={
            "state": "ended",
            "status": talked.status,
            "success": success if talked.status == "completed" else False,
            "simulator_error": judgement is not None and judgement.simulator_error is not None,
            "ended_reason": talked.ended_reason,
            "duration": talked.duration,
            "error_message": talked.error_message or (judgement.error if judgement else None),
            "ended_at": run.ended_at or utc_now(),
            "judged": judged,
            "talked": talked,
            "judgement": judgement,
        }
    )


_END = {"state", "status", "success", "simulator_error", "ended_reason", "duration", "error_message"}


def _end_fields(run: EvaluatorRun, *, fence: int) -> dict[str, Any]:
    """Return the fields that the end of a run sets."""
    fields = run.model_dump(include=_END | {"ended_at", "judged"})
    fields["fence"] = fence
    if run.talked is not None:
        fields["talked"] = _written(run.talked)
    fields["judgement"] = _written(run.judgement) if run.judgement is not None else None
    fields["size"] = _bytes(fields.get("talked")) + _bytes(fields["judgement"])
    return fields


def _said(talked: Talked) -> dict[str, Any]:
    """Return the fields that a conversation sets before it is judged."""
    text = _written(talked)
    return {"talked": text, "size": _bytes(text)}


def _bytes(text: str | None) -> int:
    return len(text.encode()) if text else 0


def _written(model: Talked | Judgement) -> str:
    """Return a model as it is stored; what cannot be is left out, and says so."""
    try:
        return model.model_dump_json()
    except PydanticSerializationError:
        log.warning("characters that are none left out", model=type(model).__name__)
    if isinstance(model, Talked):
        return _shortened(model).model_dump_json()
    return Judgement(success=None, error=_BROKEN, usage=model.usage).model_dump_json()


def _shortened(talked: Talked) -> Talked:
    """Return a conversation without what was said in it."""
    return Talked(
        status=talked.status,
        ended_reason=talked.ended_reason,
        error_message=_BROKEN,
        duration=talked.duration,
        ignored_frames=talked.ignored_frames,
        usage=talked.usage,
    )
