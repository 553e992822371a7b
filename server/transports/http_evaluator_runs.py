"""Results and their runs over HTTP (evaluators §4): read back, ended, run again, judged again, deleted."""

from typing import get_args

from aiohttp import web

from schemas.evaluator_run import RunStatus
from server.engine.evaluator.invalid import Invalid
from server.transports import keys
from server.transports.documents.query import Counting, PageLimit
from server.transports.documents.shapes_products import (
    Begun,
    EvaluatedRun,
    JudgedAgain,
    ResultRow,
    ResultWhole,
    RunBrief,
    SomeRuns,
)
from server.transports.documents.told import Many, Numbered, told
from server.transports.doors import stopping
from server.transports.http_errors import json_response
from server.transports.http_evaluator_requests import (
    KEY,
    MAX_IDS,
    caller_of,
    flag_of_query,
    id_of,
    number_of_query,
    numbers_of_query,
    page_of,
    paged,
    read_fields,
    route,
)
from server.transports.http_sounds import SOUND, recording

STATUSES: dict[str, RunStatus] = {status: status for status in get_args(RunStatus)}


def attach(app: web.Application) -> None:
    """Add the addresses of results, and those of runs."""
    results, runs = HttpResults(app), HttpRuns(app)
    route(app, "GET", "results", "", results.list)
    route(app, "GET", "results", "/{id:[0-9]+}", results.get)
    route(app, "DELETE", "results", "/{id:[0-9]+}", results.delete)
    route(app, "POST", "results", "/{id:[0-9]+}/rerun", results.rerun)
    route(app, "POST", "results", "/{id:[0-9]+}/end_calls", results.end_calls)
    route(app, "POST", "results", "/{id:[0-9]+}/evaluate_metrics", results.evaluate_metrics)
    route(app, "POST", "results", "/{id:[0-9]+}/delete_runs", results.delete_runs)
    route(app, "GET", "runs", "", runs.list)
    route(app, "GET", "runs", "/bulk", runs.bulk)
    route(app, "GET", "runs", "/{id:[0-9]+}", runs.get)
    route(app, "GET", "runs", "/{id:[0-9]+}/recording", runs.recording)
    route(app, "POST", "runs", "/{id:[0-9]+}/end_call", runs.end_call)


class HttpResults:
    """Handlers of results."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._evaluators = app[keys.EVALUATORS]

    @told(Numbered(ResultRow), query={"page": Counting, "page_size": PageLimit, "agent_id": Counting})
    async def list(self, request: web.Request) -> web.Response:
        """Answer a page, newest first; those of one agent with `?agent_id=`."""
        caller = await caller_of(request)
        agent = number_of_query(request, "agent_id")
        page, size = page_of(request)
        count, found = await self._evaluators.results(caller, agent=agent, page=page, page_size=size)
        return json_response(paged(request, count, found))

    @told(ResultWhole, query={"transcripts": bool})
    async def get(self, request: web.Request) -> web.Response:
        """Answer a result with its runs; with `?transcripts=false` without what was said in them."""
        caller = await caller_of(request)
        said = flag_of_query(request, "transcripts", default=True)
        return json_response(await self._evaluators.result(caller, id_of(request), transcripts=said))

    @told({204: None})
    async def delete(self, request: web.Request) -> web.Response:
        """Remove a result with all its runs."""
        await self._evaluators.delete(await caller_of(request), id_of(request))
        return web.Response(status=204)

    @told({201: Begun}, headers={"Idempotency-Key": str})
    async def rerun(self, request: web.Request) -> web.Response:
        """Run the same once more, and answer the new result; under one Idempotency-Key only once."""
        caller = await caller_of(request)
        if self._app[keys.DRAIN].begun:
            raise stopping()
        key = request.headers.get(KEY)
        begun = await self._evaluators.rerun(caller, id_of(request), idempotency_key=key)
        response = json_response(begun, status=201)
        response.headers["Location"] = f"/test_framework/v1/results/{begun['id']}/"
        return response

    @told(ResultRow)
    async def end_calls(self, request: web.Request) -> web.Response:
        """End every run that goes on, and answer the result."""
        return json_response(await self._evaluators.end_calls(await caller_of(request), id_of(request)))

    @told(ResultRow, body=JudgedAgain)
    async def evaluate_metrics(self, request: web.Request) -> web.Response:
        """Have runs judged again."""
        caller = await caller_of(request)
        body = await read_fields(request)
        return json_response(await self._evaluators.evaluate_metrics(caller, id_of(request), body))

    @told(ResultRow, body=SomeRuns)
    async def delete_runs(self, request: web.Request) -> web.Response:
        """Remove some runs of a result."""
        caller = await caller_of(request)
        body = await read_fields(request)
        return json_response(await self._evaluators.delete_runs(caller, id_of(request), body))


class HttpRuns:
    """Handlers of runs."""

    def __init__(self, app: web.Application) -> None:
        self._evaluators = app[keys.EVALUATORS]
        self._sounds = app[keys.STORE].sounds

    @told(
        Numbered(RunBrief),
        query={
            "page": Counting,
            "page_size": PageLimit,
            "result_id": Counting,
            "agent_id": Counting,
            "status": RunStatus,
        },
    )
    async def list(self, request: web.Request) -> web.Response:
        """Answer a page, newest first; by result_id, agent_id and status."""
        caller = await caller_of(request)
        page, size = page_of(request)
        count, found = await self._evaluators.runs(
            caller,
            result=number_of_query(request, "result_id"),
            agent=number_of_query(request, "agent_id"),
            status=_status_of(request),
            page=page,
            page_size=size,
        )
        return json_response(paged(request, count, found))

    @told(Many(EvaluatedRun), query={"run_ids": str})
    async def bulk(self, request: web.Request) -> web.Response:
        """Answer the runs with some ids, in their order; those that are not there are left out."""
        caller = await caller_of(request)
        ids = numbers_of_query(request, "run_ids")
        _, found = await self._evaluators.runs(caller, ids=ids, page=1, page_size=MAX_IDS)
        by_id = {run["id"]: run for run in found}
        return json_response([by_id[number] for number in dict.fromkeys(ids) if number in by_id])

    @told(EvaluatedRun)
    async def get(self, request: web.Request) -> web.Response:
        """Answer a run with its transcript."""
        return json_response(await self._evaluators.run(await caller_of(request), id_of(request)))

    @told(SOUND, headers={"Range": str})
    async def recording(self, request: web.Request) -> web.StreamResponse:
        """Answer how a call by voice sounded: a WAV file, the caller on the left, the agent on the right."""
        run_id = id_of(request)
        found = await self._evaluators.recording(await caller_of(request), run_id)
        return await recording(request, self._sounds, found.id, name=f"run-{run_id}.wav")

    @told(EvaluatedRun)
    async def end_call(self, request: web.Request) -> web.Response:
        """End a run that goes on, and answer it."""
        return json_response(await self._evaluators.end_call(await caller_of(request), id_of(request)))


def _status_of(request: web.Request) -> RunStatus | None:
    text = request.query.get("status")
    if not text:
        return None
    if text not in STATUSES:
        raise Invalid({"status": [f"One of {', '.join(STATUSES)} is needed."]})
    return STATUSES[text]
