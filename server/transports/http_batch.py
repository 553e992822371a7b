"""Batch jobs over HTTP: started, listed, read back as JSON lines, and stopped."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, get_args

import orjson
from aiohttp import web

from schemas.batch import BatchRequest, JobState, JobSummary, JobView
from schemas.batch_job import BatchJob
from schemas.envelope import JsonObject
from server.engine.access import Identity
from server.errors import BadRequest, Forbidden, Unavailable
from server.transports import keys
from server.transports.documents.query import Counting, Number, PageLimit
from server.transports.documents.shapes_products import JOB
from server.transports.documents.told import Media, Page, told
from server.transports.doors import stopping
from server.transports.http_errors import json_response
from server.transports.http_query import MAX_NUMBER, choice_of, flag_of, id_of, limit_of, number_in, number_of
from server.transports.http_requests import identify
from server.transports.places import place_of
from server.transports.uploads import UPLOADS, Uploads

STATES: dict[str, JobState] = {state: state for state in get_args(JobState)}
PAGE = 100
STALL_SECONDS = 60.0  # for a client that reads nothing


def attach(app: web.Application) -> None:
    """Add the addresses."""
    app[UPLOADS] = Uploads()
    jobs = HttpBatch(app)
    app.router.add_post("/api/start-job", jobs.start)
    app.router.add_get("/api/jobs", jobs.page)
    app.router.add_get("/api/jobs/{id}", jobs.get)
    app.router.add_delete("/api/jobs/{id}", jobs.cancel)
    app.router.add_get("/api/jobs/{id}/results", jobs.results)
    app.router.add_get("/api/jobs/{id}/request", jobs.request)


class HttpBatch:
    """Handlers of batch jobs."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._batches = app[keys.BATCHES]

    @told({200: JobSummary, 202: JobView}, body=BatchRequest, query={"async": bool})
    async def start(self, request: web.Request) -> web.Response:
        """Start a job; answer its summary when it has ended, or with `?async=1` the job at once."""
        caller = await identify(request)
        later = flag_of(request, "async")
        _check(request, caller)
        if self._app[keys.DRAIN].begun:
            raise stopping()
        async with AsyncExitStack() as places:
            if not later:
                await places.enter_async_context(place_of(request, caller))
            body, upload = await self._app[UPLOADS].read(
                request, limit=self._app[keys.SETTINGS].max_batch_message
            )
            try:
                job = await self._batches.start(caller, body)
            finally:
                upload.leave()
            del body  # a job may take hours
            return self._accepted(job) if later else await self._ended(request, caller, job)

    @told(Page(JobView), query={"limit": PageLimit, "cursor": str, "status": JobState})
    async def page(self, request: web.Request) -> web.Response:
        """Answer a page of jobs, newest first."""
        caller = await identify(request)
        found = await self._batches.page(
            caller,
            limit=limit_of(request),
            cursor=request.query.get("cursor") or None,
            status=choice_of(request, "status", STATES),
        )
        items = [self._view(job) for job in found.items]
        return json_response({"items": items, "next_cursor": found.next_cursor})

    @told(JOB)
    async def get(self, request: web.Request) -> web.Response:
        """Answer a job, with its summary once it has ended."""
        job = await self._batches.get(await identify(request), id_of(request))
        summary: object = None
        if job.completed_on is not None:
            summary = orjson.Fragment(await self._batches.summary(job))
        return json_response({**self._view(job), "summary": summary})

    @told(JobView)
    async def cancel(self, request: web.Request) -> web.Response:
        """Stop a job, and answer it; one that has ended stays as it is."""
        job = await self._batches.cancel(await identify(request), id_of(request))
        return json_response(self._view(job))

    @told(Media("application/x-ndjson"), query={"from": Number, "limit": Counting})
    async def results(self, request: web.Request) -> web.StreamResponse:
        """Answer the results that are stored, from an index on, all or so many, as JSON lines."""
        job = await self._batches.get(await identify(request), id_of(request))
        index = number_of(request, "from") or 0
        end = index + number_in(request, "limit", default=MAX_NUMBER, least=1, most=MAX_NUMBER)
        lines = await self._lines(job.id, index, end)  # what fails now is answered as an error
        headers = {
            "Content-Type": "application/x-ndjson; charset=utf-8",
            "Cache-Control": "private, no-store",
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        while lines and request.method != "HEAD":
            async with asyncio.timeout(STALL_SECONDS):
                await response.write(b"".join([line + b"\n" for line in lines]))
            index += len(lines)
            lines = await self._lines(job.id, index, end)
        await response.write_eof()
        return response

    @told(JsonObject)
    async def request(self, request: web.Request) -> web.Response:
        """Answer a job as it was sent, without its keys: what starts the same once more."""
        job = await self._batches.get(await identify(request), id_of(request))
        return web.Response(body=await self._batches.request(job), content_type="application/json")

    async def _lines(self, job_id: str, index: int, end: int) -> list[bytes]:
        if index >= end:
            return []
        return await self._batches.lines(job_id, from_=index, limit=min(PAGE, end - index))

    async def _ended(self, request: web.Request, caller: Identity, job: BatchJob) -> web.Response:
        """Answer a job that has ended; one that goes on when the server stops, or the client leaves.

        So is one that is stored while the database is away: its client can ask for it later.
        """
        try:
            ended = await self._followed(request, caller, job)
            if ended is None:
                return self._accepted(job)
            summary = await self._batches.summary(ended)
        except Unavailable:
            return self._accepted(job)
        return web.Response(body=summary, content_type="application/json")

    async def _followed(self, request: web.Request, caller: Identity, job: BatchJob) -> BatchJob | None:
        """Return a job once it has ended, None when nobody waits for it here any more; raises Unavailable."""
        async with self._batches.changes(job.id) as changes:
            while job.completed_on is None:
                gone = request.transport is None or request.transport.is_closing()
                if gone or self._app[keys.DRAIN].begun:
                    return None
                if await changes.wait():
                    job = await self._batches.get(caller, job.id)
        return job

    def _accepted(self, job: BatchJob) -> web.Response:
        response = json_response(self._view(job), status=202)
        response.headers["Location"] = f"/api/jobs/{job.id}"
        return response

    def _view(self, job: BatchJob) -> dict[str, Any]:
        return self._batches.view(job).model_dump(mode="json")


def _check(request: web.Request, caller: Identity) -> None:
    """Refuse before the body is read who may start no job, and what is no JSON by its own word."""
    if not caller.is_author:
        raise Forbidden("Batch jobs are started by authors.")
    if "yaml" in request.content_type:
        raise BadRequest("A job is sent as JSON; the command `batch FILE.yaml` reads YAML and sends it so.")
