"""HTTP connections that ask their requests within ten seconds and are idle for a minute between them.

aiohttp alone waits for ever for a head, and an hour for the next one. What is touched of it beyond its
documented interface is listed in socketio/library.py.
"""

import asyncio
from typing import Any, cast

from aiohttp import web

from server.transports.admission import Place
from server.transports.peers import PEERS, Peers

HEAD_SECONDS = 10.0
KEPT_SECONDS = 75.0  # more than the minute after which proxies let go: they would use what is being closed


class Runner(web.AppRunner):
    """Runs an application; a client has ten seconds for the whole head of each request, however it drips.

    The time of the first begins with the connection, and that of others with their first byte: in between a
    connection is kept alive for 75 seconds, and no longer when part of a head came before the last answer.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        shutdown_timeout: float,
        head_timeout: float = HEAD_SECONDS,
        keepalive_timeout: float = KEPT_SECONDS,
        **options: Any,
    ) -> None:
        options["keepalive_timeout"] = keepalive_timeout
        super().__init__(app, shutdown_timeout=shutdown_timeout, access_log=None, **options)
        self._options = options
        self._head_timeout = head_timeout

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            head_timeout=self._head_timeout,
            peers=self.app.get(PEERS),
            access_log=None,
            **self._options,
        )


class _Server(web.Server):
    """Makes the connections."""

    def __init__(
        self,
        handler: Any,
        *,
        request_factory: Any,
        head_timeout: float,
        peers: Peers | None,
        **options: Any,
    ) -> None:
        super().__init__(handler, request_factory=request_factory)
        self._head_timeout = head_timeout
        self._peers = peers
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            head_timeout=self._head_timeout,
            peers=self._peers,
            loop=asyncio.get_running_loop(),
            **self._options,
        )


class _Connection(web.RequestHandler):
    """One connection; `_waiter` is pending while aiohttp waits for a head, `_request_count` counts heads."""

    __slots__ = ("_head_due", "_head_timeout", "_peers", "_place")

    def __init__(
        self, manager: web.Server, *, head_timeout: float, peers: Peers | None, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._head_timeout = head_timeout
        self._peers = peers
        self._place: Place | None = None
        self._head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._peers is not None:
            self._place = self._peers.enter(transport)
            if self._place is None:
                cast(asyncio.Transport, transport).abort()  # at once: an answer would cost more than this
                return
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._settle()
        if self._place is not None:
            self._place.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._settle()
        elif self._head_due is None and self._waiter is not None and not self._waiter.done():
            self._expect()

    def _expect(self) -> None:
        self._head_due = asyncio.get_running_loop().call_later(self._head_timeout, self.force_close)

    def _settle(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
