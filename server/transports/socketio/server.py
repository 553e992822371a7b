"""The Socket.IO transport, as the application sees it."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Literal

from aiohttp import web

from server.settings import Settings
from server.transports.addresses import Addresses
from server.transports.documents.told import Media, told
from server.transports.keys import ACCESS, ADMISSION, BELL, DISPATCH, HUB, PROCESS, SIBLINGS, STORE
from server.transports.parts import part
from server.transports.socketio.admin import Admin
from server.transports.socketio.admin_door import Door
from server.transports.socketio.limits import Limits
from server.transports.socketio.namespaces import Namespaces
from server.transports.socketio.origins import ADMIN, Origins
from server.transports.socketio.protocol import SocketServer, WatchedServer
from server.transports.socketio.recovery import Recovery
from server.transports.socketio.sessions import Sessions

PATH = "/socket.io/"
PATIENCE_SECONDS = 1.0  # for events that are being handled
FLUSH_SECONDS = 1.0  # for the sessions of clients that are gone to be stored


class SocketTransport:
    """Serves Socket.IO clients at /socket.io/; raises ValueError for origins that cannot be allowed."""

    def __init__(self, settings: Settings, addresses: Addresses) -> None:
        self._limits = Limits.of(settings)
        self._settings = settings
        watched = settings.admin_password is not None
        self._origins = Origins(
            settings.cors_origins, addresses, admin=settings.admin_origins if watched else None
        )
        self._admin: Admin | None = None
        self._recovery: Recovery | None = None
        self._server: SocketServer | None = None

    def attach(self, app: web.Application) -> None:
        """Serve once the application has started; its hub, access and dispatcher are taken then."""
        app.router.add_route("*", PATH, self._handle)
        app.cleanup_ctx.append(self._recovering)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)

    @property
    def connections(self) -> int:
        """Return the number of open sessions."""
        return len(self._server.peers) if self._server is not None else 0

    @property
    def ended(self) -> Counter[str]:
        """Return how many sessions have ended, by reason; `slow consumer` is one of them."""
        return self._server.eio.ended if self._server is not None else Counter()

    def announce(self) -> None:
        """Admit nobody new, and tell who is connected that the process is about to stop."""
        if self._server is not None:
            self._server.announce()

    async def close(self) -> None:
        """Close every session after what was written to it, and admit no more."""
        if self._server is not None:
            await self._server.settle()
            await self._server.close(patience=PATIENCE_SECONDS)

    async def _start(self, app: web.Application) -> None:
        if self._recovery is None:
            raise RuntimeError("sockets are served before their sessions can be kept")
        sessions = Sessions(
            hub=app[HUB],
            access=app[ACCESS],
            dispatch=app[DISPATCH],
            recovery=self._recovery,
            limits=self._limits,
            admission=app[ADMISSION],
        )
        options: dict[str, Any] = {
            "limits": self._limits,
            "origins": self._origins,
            "siblings": app[SIBLINGS],
            "admission": app[ADMISSION],
        }
        if (password := self._settings.admin_password) is None:
            self._server = SocketServer(sessions, **options)
            return
        door = Door(self._settings.admin_user, password)
        self._admin = Admin(door, hub=app[HUB], process=app[PROCESS].name)
        served = Namespaces({"/": sessions, ADMIN: self._admin})
        self._server = self._admin.server = WatchedServer(served, **options)

    async def _recovering(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the sessions of clients that ask for recovery; those closed last are stored in the end."""
        recovery = self._recovery = Recovery(
            app[HUB],
            store=app[STORE].sessions,
            bell=app[BELL],
            process=app[PROCESS],
            may_follow=app[ACCESS].may_follow,
        )
        async with part(app, recovery.run, name="socket session sweeper"):
            yield
        await recovery.close(patience=FLUSH_SECONDS)

    async def _stop(self, app: web.Application) -> None:
        if self._server is not None:
            await self._server.close(patience=PATIENCE_SECONDS)
        if self._admin is not None:
            self._admin.close()

    @told(
        {200: Media("text/plain"), 101: None},
        query={"EIO": Literal["4"], "transport": Literal["polling", "websocket"], "sid": str},
        is_open=True,
    )
    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._server is None:
            raise web.HTTPServiceUnavailable(text="The server is starting.")
        response: web.StreamResponse = await self._server.handle_request(request)
        return response
