"""The streams of all HTTP sessions of a process, while it stops."""

from aiohttp import web

from server.transports.doors import SHUTDOWN, reconnect_in, settled
from server.transports.http_session import HttpSession


class Streams:
    """The door of HTTP sessions; known ones may still open a stream, because refused browsers give up."""

    def __init__(self, sessions: dict[str, HttpSession]) -> None:
        self._sessions = sessions

    def announce(self) -> None:
        """Tell who reads a stream that the process is about to stop; no session opens from now on."""
        for session in self._sessions.values():
            if session.attached:
                session.announce(reconnect_in())

    async def close(self) -> None:
        """End every stream once its client has what was written, or a second later."""
        await settled(lambda: any(s.attached and s.sink.size for s in self._sessions.values()))
        await self.cut()

    async def cut(self, app: web.Application | None = None) -> None:
        """End every stream, also those that opened after the door was closed, on connections kept open."""
        for session in self._sessions.values():
            session.detach(reason=SHUTDOWN)
