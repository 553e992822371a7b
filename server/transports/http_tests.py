"""Tests, invocations and runs over HTTP, to be read back and reported (socket-v5 §9, §10)."""

from typing import Any, TypedDict, get_args

from aiohttp import web

from schemas.envelope import Id
from schemas.test import RunState
from server.engine.replay.reading import ReplayReading, WantedTests
from server.store.pages import Page
from server.transports import keys
from server.transports.documents.query import Number, PageLimit
from server.transports.documents.shapes import (
    InvocationRow,
    InvocationWhole,
    RunRow,
    RunWhole,
    TestRow,
    TestWhole,
)
from server.transports.documents.told import Page as ListPage
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.http_query import choice_of, flag_of, id_of, id_of_query, limit_of, number_of
from server.transports.http_requests import identify

STATES: dict[str, RunState] = {state: state for state in get_args(RunState)}


def attach(app: web.Application) -> None:
    """Add the addresses of tests."""
    tests = HttpTests(ReplayReading(app[keys.STORE], app[keys.HUB]))
    for name, many, one in (
        ("tests", tests.tests, tests.test),
        ("invocations", tests.invocations, tests.invocation),
        ("runs", tests.runs, tests.run),
    ):
        app.router.add_get(f"/api/v1/{name}", many)
        app.router.add_get(f"/api/v1/{name}/{{id}}", one)


class HttpTests:
    """Handlers of what tests came to."""

    def __init__(self, reading: ReplayReading) -> None:
        self._reading = reading

    @told(ListPage(TestRow), query={"limit": PageLimit, "cursor": str})
    async def tests(self, request: web.Request) -> web.Response:
        """Answer a page of tests."""
        return _page(await self._reading.tests(await identify(request), WantedTests(**_page_of(request))))

    @told(TestWhole)
    async def test(self, request: web.Request) -> web.Response:
        """Answer a test with its figures."""
        return json_response(await self._reading.test(await identify(request), id_of(request)))

    @told(
        ListPage(InvocationRow), query={"limit": PageLimit, "cursor": str, "test_id": Id, "invocation_id": Id}
    )
    async def invocations(self, request: web.Request) -> web.Response:
        """Answer a page of invocations."""
        caller, wanted = await identify(request), WantedTests(**_page_of(request), **_within(request))
        return _page(await self._reading.invocations(caller, wanted))

    @told(InvocationWhole)
    async def invocation(self, request: web.Request) -> web.Response:
        """Answer an invocation with its figures."""
        return json_response(await self._reading.invocation(await identify(request), id_of(request)))

    @told(
        ListPage(RunRow),
        query={
            "limit": PageLimit,
            "cursor": str,
            "test_id": Id,
            "invocation_id": Id,
            "original_id": Id,
            "state": RunState,
            "cycle": Number,
            "passed": bool,
        },
    )
    async def runs(self, request: web.Request) -> web.Response:
        """Answer a page of runs."""
        return _page(await self._reading.runs(await identify(request), _runs_of(request)))

    @told(RunWhole)
    async def run(self, request: web.Request) -> web.Response:
        """Answer a run with what was said in it."""
        return json_response(await self._reading.run(await identify(request), id_of(request)))


class _PageOf(TypedDict):
    limit: int
    cursor: str | None


class _Within(TypedDict):
    test_id: Id | None
    invocation_id: Id | None


def _page_of(request: web.Request) -> _PageOf:
    return {"limit": limit_of(request), "cursor": request.query.get("cursor") or None}


def _within(request: web.Request) -> _Within:
    return {
        "test_id": id_of_query(request, "test_id"),
        "invocation_id": id_of_query(request, "invocation_id"),
    }


def _runs_of(request: web.Request) -> WantedTests:
    return WantedTests(
        **_page_of(request),
        **_within(request),
        original_id=id_of_query(request, "original_id"),
        state=choice_of(request, "state", STATES),
        cycle=number_of(request, "cycle"),
        passed=flag_of(request, "passed") if request.query.get("passed") else None,
    )


def _page(page: Page[dict[str, Any]]) -> web.Response:
    return json_response({"items": page.items, "next_cursor": page.next_cursor})
