"""Reads tests, invocations and runs back: for authors, ops and admins (socket-v5 §9, §10)."""

import asyncio
from dataclasses import dataclass
from typing import Any

from schemas.envelope import Id
from schemas.test import Invocation, Run, RunState, Test
from server.engine.access import Identity
from server.engine.ids import derive
from server.engine.replay.figures import Tally
from server.engine.replay.rooms import test_room
from server.engine.replay.views import (
    Row,
    counts_of,
    figures_view,
    recording_view,
    row_of_invocation,
    row_of_run,
    row_of_test,
    run_whole,
)
from server.errors import NotFound
from server.rooms.hub import Hub
from server.store import Store
from server.store.pages import Page

PARALLEL = 8
_NOTHING: Page[Row] = Page([], None)
_LATEST: dict[str, Any] = {"$arrayElemAt": ["$grades.passed", -1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTests:
    """Which page of tests, invocations or runs, and what it is limited to."""

    limit: int
    cursor: str | None = None
    test_id: Id | None = None
    invocation_id: Id | None = None
    original_id: Id | None = None
    state: RunState | None = None
    cycle: int | None = None
    passed: bool | None = None


class ReplayReading:
    """What a caller may read of tests; NotFound answers alike for what is missing and what is foreign."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._replays = store.replays
        self._hub = hub
        self._slots = asyncio.Semaphore(PARALLEL)

    async def tests(self, caller: Identity, wanted: WantedTests) -> Page[Row]:
        """Return a page of tests, newest first."""
        if not caller.sees_all:
            return _NOTHING
        page = await self._replays.tests.page({"org": caller.org}, limit=wanted.limit, cursor=wanted.cursor)
        found = [Test.model_validate({**row, "id": row["_id"]}) for row in page.items]
        counts = await self._replays.counts("test_id", [t.id for t in found])
        return Page([row_of_test(t, counts[t.id]) for t in found], page.next_cursor)

    async def test(self, caller: Identity, test_id: Id) -> Row:
        """Return a test with its invocations by position, and the figures of each and of all."""
        await self.stored_test(caller, test_id)
        invocations = await self._replays.invocations_of(test_id)
        whole = Tally()
        shown = [await self._with_figures(i, besides=whole) for i in invocations]
        figures = whole.figures()
        test = await self.stored_test(caller, test_id)
        return {
            **row_of_test(test, counts_of(figures)),
            "figures": figures_view(figures),
            "invocations": shown,
        }

    async def invocations(self, caller: Identity, wanted: WantedTests) -> Page[Row]:
        """Return a page of invocations: those of the newest test first, by position."""
        query = await self._query(caller, wanted, invocation="_id")
        if query is None:
            return _NOTHING
        page = await self._replays.invocation_page(query, limit=wanted.limit, cursor=wanted.cursor)
        return Page(list(await asyncio.gather(*(self._with_place(i) for i in page.items))), page.next_cursor)

    async def invocation(self, caller: Identity, invocation_id: Id) -> Row:
        """Return an invocation with its figures; entries after its offset tell what happens from then on."""
        return await self._with_figures(await self.stored_invocation(caller, invocation_id))

    async def runs(self, caller: Identity, wanted: WantedTests) -> Page[Row]:
        """Return a page of runs without messages: newest test and cycle first, by position."""
        query = await self._query(caller, wanted, invocation="invocation_id")
        if query is None:
            return _NOTHING
        page = await self._replays.run_page(_of_runs(query, wanted), limit=wanted.limit, cursor=wanted.cursor)
        return Page([row_of_run(run) for run in page.items], page.next_cursor)

    async def run(self, caller: Identity, key: Id) -> Row:
        """Return a run by its id or its replay's run_id, with what was recorded beside what was replayed."""
        found = await self._run(caller, key)
        place, talking = await self._place(found.invocation_id), None
        if found.state == "running":
            place, talking = await self._talking(found)
        run = await self._run(caller, found.id)  # read after the offset
        recordings = await self._replays.recordings([derive(run.test_id, run.original_id)])
        recording = recordings.get(run.original_id)
        return {
            **run_whole(run),
            "running": talking if run.state == "running" else None,
            "recording": recording_view(recording) if recording else None,
            **place,
        }

    async def grade(self, caller: Identity, grade_id: Id) -> Row:
        """Return a grade of a run."""
        run = await self._replays.graded(grade_id, org=caller.org) if caller.sees_all else None
        for grade in run.grades if run else []:
            if grade.grade_id == grade_id:
                shown: Row = grade.model_dump(mode="json")
                return shown
        raise _missing("grade")

    async def stored_test(self, caller: Identity, test_id: Id) -> Test:
        """Return a test that a caller may read."""
        test = await self._replays.tests.get(test_id)
        if test is None or not (caller.sees_all and caller.org == test.org):
            raise _missing("test")
        return test

    async def stored_invocation(self, caller: Identity, invocation_id: Id) -> Invocation:
        """Return an invocation that a caller may read."""
        found = await self._replays.invocations.get(invocation_id)
        if found is None or not (caller.sees_all and caller.org == found.org):
            raise _missing("invocation")
        return found

    async def _run(self, caller: Identity, key: Id) -> Run:
        run = await self._replays.run(key, org=caller.org) if caller.sees_all else None
        if run is None:
            raise _missing("run")
        return run

    async def _query(
        self, caller: Identity, wanted: WantedTests, *, invocation: str
    ) -> dict[str, Any] | None:
        """Return the query for what a list is limited to, None when it can only be empty.

        `invocation` is the field that holds an invocation's id.
        """
        query: dict[str, Any] = {"org": caller.org}
        if wanted.test_id is not None:
            query["test_id"] = (await self.stored_test(caller, wanted.test_id)).id
        if wanted.invocation_id is not None:
            query[invocation] = (await self.stored_invocation(caller, wanted.invocation_id)).id
        return query if caller.sees_all else None

    async def _with_place(self, invocation: Invocation) -> Row:
        async with self._slots:
            place = await self._place(invocation.id)
            fresh = await self._replays.invocations.get(invocation.id) or invocation  # read after the offset
            counts = await self._replays.counts("invocation_id", [fresh.id])
        return {**row_of_invocation(fresh, counts[fresh.id]), **place}

    async def _with_figures(self, invocation: Invocation, *, besides: Tally | None = None) -> Row:
        place = await self._place(invocation.id)
        fresh = await self._replays.invocations.get(invocation.id) or invocation  # read after the offset
        tally = Tally()
        async for runs in self._replays.each_run(invocation.id, cycle=None, whole=False):
            for run in runs:
                tally.add(run)
                if besides is not None:
                    besides.add(run)
        figures = tally.figures()
        return {**row_of_invocation(fresh, counts_of(figures)), **place, "figures": figures_view(figures)}

    async def _talking(self, run: Run) -> tuple[Row, Row | None]:
        """Return the offset of a moment, and what a running replay had said then."""
        place = await self._hub.place(test_room(run.invocation_id), after=None, epoch=None)
        running = (place.snapshot or {}).get("running", [])
        said = next((r for r in running if r["run_id"] == run.replay_id), None)
        return {"room": place.room, "epoch": place.epoch, "offset": place.offset}, said

    async def _place(self, invocation_id: Id) -> Row:
        room = await self._hub.room(test_room(invocation_id))
        return {"room": room.name, "epoch": self._hub.epoch, "offset": room.head}


def _of_runs(query: dict[str, Any], wanted: WantedTests) -> dict[str, Any]:
    query = dict(query)
    for name, value in (
        ("original_id", wanted.original_id),
        ("state", wanted.state),
        ("cycle", wanted.cycle),
    ):
        if value is not None:
            query[name] = value
    if wanted.passed is True:
        return {"$and": [query, {"state": "done", "$expr": {"$eq": [_LATEST, True]}}]}
    if wanted.passed is False:
        missed = {"state": "done", "$expr": {"$eq": [_LATEST, False]}}
        return {"$and": [query, {"$or": [{"state": "failed"}, missed]}]}
    return query


def _missing(kind: str) -> NotFound:
    return NotFound(f"There is no such {kind}, or it is not yours.")
