"""Batch jobs over a plain WebSocket: `/api/ws/start-batch-job`."""

from contextlib import ExitStack

from aiohttp import web

from server.errors import BadRequest, Forbidden
from server.transports import keys
from server.transports.documents.told import told
from server.transports.doors import settled, stopping
from server.transports.socketio.origins import Origins
from server.transports.uploads import UPLOADS
from server.transports.wire import bound
from server.transports.ws_batch_limits import Limits
from server.transports.ws_batch_link import JobLink, LinkParts
from server.transports.ws_batch_socket import JobSocket

ADDRESS = "/api/ws/start-batch-job"


def attach(app: web.Application) -> None:
    """Add the address."""
    sockets = app[BATCH_SOCKETS] = BatchSockets(app)
    app.router.add_get(ADDRESS, sockets.serve, allow_head=False)
    app[keys.DRAIN].doors.append(sockets)
    app.on_shutdown.append(sockets.cut)


class BatchSockets:
    """The sockets of batch jobs of a process, and their door: while it stops they are told to resume."""

    def __init__(self, app: web.Application) -> None:
        settings = app[keys.SETTINGS]
        self.limits = Limits.of(settings)
        self.links: set[JobLink] = set()
        self._app = app
        self._origins = Origins(settings.cors_origins, app[keys.ADDRESSES])

    @told({101: None})
    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a socket until it ends."""
        if not self._origins.allow(request):
            raise Forbidden("This origin is not allowed.")
        ws = JobSocket(max_message=self.limits.first_message)
        if not ws.can_prepare(request):
            raise BadRequest("A WebSocket is needed here; POST /api/start-job takes the same job.")
        if self._app[keys.DRAIN].begun:
            raise stopping()
        with ExitStack() as places:
            address = self._app[keys.ADDRESSES].of(request)
            places.callback(self._app[keys.ADMISSION].at_address(address).leave)
            try:
                await ws.prepare(request)
            except ConnectionError:
                return web.Response(status=499)  # nobody is left to answer
            if (wire := request.transport) is not None:
                bound(wire)
                await self._run(JobLink(request, ws, wire, parts=self._parts(), limits=self.limits))
        return ws

    def announce(self) -> None:
        """Have every client resume elsewhere: jobs of this process go on there, and new ones are refused."""
        for link in self.links:
            link.drain()

    async def close(self) -> None:
        """End every socket once its client has what was written, or a second later."""
        await settled(lambda: bool(self.links))
        await self.cut()

    async def cut(self, app: web.Application | None = None) -> None:
        """Cut what is left."""
        for link in list(self.links):
            link.abort("server shutdown")

    def _parts(self) -> LinkParts:
        app = self._app
        return LinkParts(batches=app[keys.BATCHES], admission=app[keys.ADMISSION], uploads=app[UPLOADS])

    async def _run(self, link: JobLink) -> None:
        self.links.add(link)
        try:
            await link.run()
        finally:
            self.links.discard(link)


BATCH_SOCKETS = web.AppKey("batch_sockets", BatchSockets)
