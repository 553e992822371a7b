"""Reads tests, invocations and their runs, for lists, figures and reports. It writes nothing."""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel

from schemas.envelope import MAX_SAFE_INTEGER, Id
from schemas.test import Invocation, Recording, Run, RunState, Test
from server.errors import BadRequest
from server.store.aggregates import AggregateStore
from server.store.guard import guard
from server.store.pages import Page

Query = dict[str, Any]
CountedBy = Literal["test_id", "invocation_id"]
SLIM_PAGE = 200
WHOLE_PAGE = 20
RECORDINGS_PAGE = 50
_WITHOUT_TALK = {"result.messages": 0, "outbox": 0, "outbox_at": 0}
# By position for figures and reports, newest first for lists, and by what else names a run.
RUN_INDEXES = [
    IndexModel([("invocation_id", 1), ("position", 1), ("cycle", 1), ("_id", 1)]),
    IndexModel([("invocation_id", 1), ("created_at", -1), ("position", 1), ("_id", 1)]),
    IndexModel([("test_id", 1), ("created_at", -1), ("position", 1), ("_id", 1)]),
    IndexModel([("org", 1), ("created_at", -1), ("position", 1), ("_id", 1)]),
    IndexModel([("replay_id", 1)], sparse=True),
    IndexModel([("grades.grade_id", 1)], sparse=True),
]
Order = tuple[tuple[str, int], ...]
_NEWEST: Order = (("created_at", -1), ("position", 1), ("_id", 1))
_PLACED: Order = (("position", 1), ("cycle", 1), ("_id", 1))
_IN_TEST: Order = (("position", 1), ("_id", 1))


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many runs there are by state, are being graded, and what the latest grades of those done say."""

    total: int = 0
    pending: int = 0
    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    grading: int = 0
    graded: int = 0
    passed: int = 0

    def add(self, state: RunState, runs: int) -> None:
        """Count runs of one state."""
        self.total += runs
        setattr(self, state, getattr(self, state) + runs)


class ReplayStore:
    """What is read of tests; pages come newest test first, and within a test by position."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self.tests = AggregateStore(database, "tests", Test)
        self.invocations = AggregateStore(database, "invocations", Invocation)
        self._database = database

    async def invocations_of(self, test_id: Id) -> list[Invocation]:
        """Return the invocations of a test by position."""
        with guard():
            found = self._database.invocations.find({"test_id": test_id}).sort([("position", 1), ("_id", 1)])
            rows = await found.to_list(None)
        return [Invocation.model_validate({**row, "id": row["_id"]}) for row in rows]

    async def invocation_page(self, query: Query, *, limit: int, cursor: str | None) -> Page[Invocation]:
        """Return a page of invocations; those of one test by position."""
        order = _IN_TEST if "test_id" in query else _NEWEST
        rows, following = await self._page("invocations", query, order=order, limit=limit, cursor=cursor)
        return Page([Invocation.model_validate({**row, "id": row["_id"]}) for row in rows], following)

    async def run_page(self, query: Query, *, limit: int, cursor: str | None) -> Page[Run]:
        """Return a page of runs without their messages; the newest cycle comes first."""
        rows, following = await self._page("runs", query, order=_NEWEST, limit=limit, cursor=cursor)
        return Page([_run(row) for row in rows], following)

    async def run(self, key: Id, *, org: str) -> Run | None:
        """Return a run by its own id or by that of its present replay, None when there is none."""
        with guard():
            row = await self._database.runs.find_one({"$or": [{"_id": key}, {"replay_id": key}], "org": org})
        return _run(row) if row else None

    async def graded(self, grade_id: Id, *, org: str) -> Run | None:
        """Return the run that has a grade, without its messages."""
        query = {"grades.grade_id": grade_id, "org": org}
        with guard():
            row = await self._database.runs.find_one(query, projection=_WITHOUT_TALK)
        return _run(row) if row else None

    async def each_run(
        self, invocation_id: Id, *, cycle: int | None, whole: bool
    ) -> AsyncIterator[list[Run]]:
        """Yield all runs of an invocation in batches, by position and cycle; messages only when `whole`."""
        query: Query = {"invocation_id": invocation_id, **({} if cycle is None else {"cycle": cycle})}
        size = WHOLE_PAGE if whole else SLIM_PAGE
        projection = {"outbox": 0, "outbox_at": 0} if whole else _WITHOUT_TALK
        after: Query = {}
        while True:
            with guard():
                found = self._database.runs.find({**query, **after}, projection=projection)
                rows = await found.sort(list(_PLACED)).limit(size).to_list(size)
            if rows:
                yield [_run(row) for row in rows]
            if len(rows) < size:
                return
            after = _behind([rows[-1][name] for name, _ in _PLACED], _PLACED)

    async def each_recording(self, test_id: Id) -> AsyncIterator[list[Recording]]:
        """Yield all recorded runs of a test in batches, in an order that stays."""
        last = ""
        while True:
            with guard():
                found = self._database.recordings.find({"test_id": test_id, "_id": {"$gt": last}})
                rows = await found.sort("_id", 1).limit(RECORDINGS_PAGE).to_list(RECORDINGS_PAGE)
            if not rows:
                return
            yield [_recording(row) for row in rows]
            last = rows[-1]["_id"]

    async def recordings(self, keys: Sequence[Id]) -> dict[Id, Recording]:
        """Return recorded runs by their own ids, as a dictionary by those of the originals."""
        with guard():
            rows = await self._database.recordings.find({"_id": {"$in": list(keys)}}).to_list(None)
        return {row["original_id"]: _recording(row) for row in rows}

    async def counts(self, by: CountedBy, keys: Sequence[Id]) -> dict[Id, Counts]:
        """Return the counts of tests or invocations; all zero for those without runs."""
        counts = {key: Counts() for key in keys}
        with guard():
            rows = await self._database.runs.aggregate(_counting(by, keys)).to_list(None)
        for row in rows:
            count = counts[row["_id"]["key"]]
            count.add(row["_id"]["state"], row["runs"])
            count.grading += row["grading"]
            count.graded += row["graded"]
            count.passed += row["passed"]
        return counts

    async def _page(
        self, name: str, query: Query, *, order: Order, limit: int, cursor: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        wanted = {"$and": [query, _behind(_decoded(cursor, order), order)]} if cursor else query
        with guard():
            found = self._database[name].find(wanted, projection=_WITHOUT_TALK)
            rows = await found.sort(list(order)).limit(limit + 1).to_list(limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        return rows, _encoded(rows[-1], order) if more else None


def _counting(by: CountedBy, keys: Sequence[Id]) -> list[dict[str, Any]]:
    latest = {"$cond": [{"$eq": ["$state", "done"]}, {"$arrayElemAt": ["$grades.passed", -1]}, None]}
    return [
        {"$match": {by: {"$in": list(keys)}}},
        {"$project": {"key": f"${by}", "state": 1, "latest": latest, "grading": "$grading.grade_id"}},
        {
            "$group": {
                "_id": {"key": "$key", "state": "$state"},
                "runs": {"$sum": 1},
                "grading": {"$sum": {"$cond": [{"$gt": ["$grading", None]}, 1, 0]}},
                "graded": {"$sum": {"$cond": [{"$in": ["$latest", [True, False]]}, 1, 0]}},
                "passed": {"$sum": {"$cond": [{"$eq": ["$latest", True]}, 1, 0]}},
            }
        },
    ]


def _behind(place: Sequence[Any], order: Order) -> Query:
    """Return the filter for what comes behind a place."""
    ways: list[Query] = []
    for number, (name, direction) in enumerate(order):
        same = {field: value for (field, _), value in zip(order, place[:number], strict=False)}
        ways.append({**same, name: {"$gt" if direction > 0 else "$lt": place[number]}})
    return {"$or": ways}


def _encoded(row: dict[str, Any], order: Order) -> str:
    """Return an opaque cursor behind a row."""
    place = [row[name] for name, _ in order]
    written = [int(v.timestamp() * 1000) if isinstance(v, datetime) else v for v in place]
    return base64.urlsafe_b64encode(orjson.dumps(written)).decode()


def _decoded(cursor: str, order: Order) -> list[Any]:
    """Return the place that a cursor names; raises BadRequest for any that we did not make."""
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor))
        kinds = [str if name == "_id" else int for name, _ in order]
        if not isinstance(place, list) or [type(value) for value in place] != kinds:
            raise ValueError(cursor)
        if any(abs(value) > MAX_SAFE_INTEGER for value in place if isinstance(value, int)):
            raise ValueError(cursor)
        return [
            datetime.fromtimestamp(value / 1000, UTC) if name == "created_at" else value
            for (name, _), value in zip(order, place, strict=True)
        ]
    except (ValueError, binascii.Error, OverflowError, OSError, TypeError) as error:
        raise BadRequest("cursor: not one of ours; take next_cursor of the previous page.") from error


def _run(row: dict[str, Any]) -> Run:
    if row.get("result"):
        row["result"].setdefault("messages", [])  # left out where only figures are wanted
    return Run.model_validate({**row, "id": row["_id"]})


def _recording(row: dict[str, Any]) -> Recording:
    return Recording.model_validate({**row, "id": row["_id"]})
