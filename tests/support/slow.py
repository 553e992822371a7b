"""A session whose stream is read by hand, over a socket that takes little."""

import asyncio
import socket as stdsocket
from urllib.parse import urlsplit

from server.transports.http_events import SESSIONS
from server.transports.http_session import HttpSession
from tests.support.attempts import Talk
from tests.support.clients import Http
from tests.support.passing import passes
from tests.support.running import Server


class Slow:
    """A session whose stream is read by hand, over a socket that takes little."""

    def __init__(self, server: Server, client: Http) -> None:
        self._server = server
        self._client = client
        self.session: HttpSession
        self._reader: asyncio.StreamReader

    async def open(self, talk: Talk | None = None) -> asyncio.StreamWriter:
        """Join a chat's room, if one is given, then ask for the stream and read nothing."""
        answer = await self._client.send("connect")
        self._client.headers = {**self._client.headers, "X-Session-Id": answer["session_id"]}
        if talk is not None:
            await self._client.send("attempt/join", chat_id=talk.chat_id, after=0)
        self.session = self._server.app[SESSIONS][answer["session_id"]]
        parts = urlsplit(self._server.url)
        raw = stdsocket.socket()
        raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_RCVBUF, 4096)
        raw.connect((parts.hostname, parts.port))
        self._reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
        writer.write(f"GET {answer['stream']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return writer

    def attached(self) -> bool:
        """Tell whether the stream is open."""
        return self.session.attached

    async def some(self) -> bytes:
        """Take a little of what has come."""
        return await self._reader.read(4096)

    async def read(self, size: int, *, within: float) -> bytes:
        """Take so many bytes in so many seconds."""
        due = asyncio.create_task(passes(within, because="a slow reader takes its time"))
        data = await self._reader.readexactly(size)
        await due
        return data
