"""Runs of benchmarks over HTTP: a graded chat becomes one, or a conversation that is sent."""

from aiohttp import web

from server.engine.recordings.recorder import Recorder
from server.transports import keys
from server.transports.documents.shapes import RECORDED, RunNew
from server.transports.documents.told import told
from server.transports.http_errors import json_response
from server.transports.http_query import id_of
from server.transports.http_requests import identify, read_json


def attach(app: web.Application) -> None:
    """Add the address of a benchmark's runs."""
    recordings = HttpRecordings(Recorder(app[keys.STORE]))
    app.router.add_post("/api/v1/benchmarks/{id}/runs", recordings.add)


class HttpRecordings:
    """The handler of recorded runs."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @told({200: RECORDED, 201: RECORDED}, body=RunNew)
    async def add(self, request: web.Request) -> web.Response:
        """Add a run and answer it; 201 when it is new, 200 when the benchmark had it."""
        caller = await identify(request)
        run, is_new = await self._recorder.add(caller, id_of(request), await read_json(request))
        return json_response(run, status=201 if is_new else 200)
