"""Reads results and runs for clients; what belongs to another organisation is not there."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.envelope import JsonObject
from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, RunStatus
from server.engine.access import Identity
from server.engine.evaluator.resources import check_may_read
from server.engine.evaluator.views import brief_view, keyed, result_view, run_view
from server.engine.fair_gate import FairGate
from server.errors import NotFound
from server.store import Store

MAX_WHOLE_BYTES = 8 * 1024 * 1024  # of the conversations that one answer holds; beyond, they are left out
MAX_BRIEF_RUNS = 1000
PAGE = 100  # runs that are read together
WHOLE_AT_ONCE = 2  # results that are read as a whole in a process; of 10,000 runs that is 5 MB and seconds
PAGE_SIZE = 50  # of lists, when a client names none


class Reading:
    """Views of results and runs."""

    def __init__(self, store: Store) -> None:
        self._results = store.evaluator_results
        self._runs = store.evaluator_runs
        self._wholes = FairGate(WHOLE_AT_ONCE)

    async def there(self, caller: Identity, result_id: int) -> EvaluatorResult:
        """Return a result that a caller may see, without its plans; raises Forbidden, NotFound."""
        check_may_read(caller)
        result = await self._results.slim(result_id)
        if result is None or result.org != caller.org:
            raise NotFound("There is no such result, or it is not yours.")
        return result

    async def run_there(self, caller: Identity, run_id: int) -> EvaluatorRun:
        """Return a run that a caller may see; raises Forbidden, NotFound."""
        check_may_read(caller)
        run = await self._runs.get(run_id)
        if run is None or run.org != caller.org:
            raise NotFound("There is no such run, or it is not yours.")
        return run

    async def view(self, result: EvaluatorResult) -> JsonObject:
        """Return a result without its runs."""
        return result_view(result, (await self._runs.facts([result.id]))[result.id])

    async def brief(self, result: EvaluatorResult, *, runs: int) -> JsonObject:
        """Return a result with its runs by id, so many at most, without what was said in them."""
        query = {"result": result.id}
        count, found = await self._runs.listed(query, skip=0, limit=runs, whole=False)
        shown = keyed(await _views(reversed(found), whole=False))
        return {**await self.view(result), "runs": shown, "runs_left_out": count - len(found)}

    async def whole(self, result: EvaluatorResult, *, transcripts: bool = True) -> JsonObject:
        """Return a result with its runs by id, without what was said when that is too much for one answer.

        With `transcripts` false it is left out too. Few are read at once, in turn for the organisations that
        ask; others wait here.
        """
        async with self._wholes.place(result.org):
            return await self._read_whole(result, transcripts=transcripts)

    async def _read_whole(self, result: EvaluatorResult, *, transcripts: bool) -> JsonObject:
        whole = transcripts and await self._runs.size(result.id) <= MAX_WHOLE_BYTES
        shown: dict[str, JsonObject] = {}
        last = 0
        while runs := await self._runs.following(result.id, after=last, limit=PAGE, whole=whole):
            shown |= keyed(await _views(runs, whole=whole))
            last = runs[-1].id
        return {**await self.view(result), "runs": shown, "transcripts_left_out": not whole}

    async def results(
        self, caller: Identity, *, agent: int | None, page: int, page_size: int
    ) -> tuple[int, list[JsonObject]]:
        """Return how many results there are and a page of them, newest first; the first page is 1."""
        check_may_read(caller)
        skip = (page - 1) * page_size
        count, found = await self._results.listed(caller.org, agent=agent, skip=skip, limit=page_size)
        facts = await self._runs.facts(result.id for result in found)
        return count, [result_view(result, facts[result.id]) for result in found]

    async def runs(
        self,
        caller: Identity,
        *,
        result: int | None = None,
        agent: int | None = None,
        status: RunStatus | None = None,
        ids: Sequence[int] | None = None,
        page: int,
        page_size: int,
    ) -> tuple[int, list[JsonObject]]:
        """Return how many runs there are and a page of them, newest first, with what was said if it fits."""
        check_may_read(caller)
        query: dict[str, Any] = {"org": caller.org}
        if ids is not None:
            query["_id"] = {"$in": list(ids)}
        query |= {
            k: v for k, v in (("result", result), ("agent", agent), ("status", status)) if v is not None
        }
        skip = (page - 1) * page_size
        count, found = await self._runs.listed(query, skip=skip, limit=page_size, whole=False)
        if sum(run.size for run in found) > MAX_WHOLE_BYTES:
            views = await _views(found, whole=False)
            return count, [{**view, "transcripts_left_out": True} for view in views]
        said = await self._runs.some([run.id for run in found])
        return count, await _views([said[run.id] for run in found if run.id in said], whole=True)


async def _views(runs: Iterable[EvaluatorRun], *, whole: bool) -> list[JsonObject]:
    """Return runs as they are shown; others get their turn in between."""
    shown = []
    for run in runs:
        shown.append(run_view(run) if whole else brief_view(run))
        if whole:
            await asyncio.sleep(0)
    return shown
