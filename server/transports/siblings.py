"""Server processes that share a port: a request for a sibling's session is handed to the sibling.

The kernel gives a new connection to any of the processes, but a session lives in one. Nothing is proxied: the
connection itself is handed over with the request that came on it, and what follows on it goes to the right
process by itself. So the sibling sees the peer's own address, and there is no header that could be forged.
The way there is a socket in a directory that only this user may enter. Ids of sessions name their process, so
that a balancer in front of several hosts can tell by GREENROOM_INSTANCE which host to ask.
"""

import asyncio
import os
import re
import socket as stdsocket
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)
FOLDER = "siblings"
BACKLOG = 512
CHUNK = 64 * 1024
LONGEST_ADDRESS = 100  # bytes that the system takes for the address of such a socket
PATIENCE_SECONDS = 5.0  # for a sibling that takes its time
STALE_SECONDS = 60.0
LENGTH = struct.Struct("!I")
OF_BODY: Final = (b"content-length", b"transfer-encoding", b"content-encoding", b"expect")
_ID = re.compile(r"[0-9a-f]{8}")
_UNSAFE = re.compile(r"[^0-9A-Za-z_-]")  # in the query of an address that is written without quoting


class NoSibling(Exception):
    """No process of this name lives on this host, or it hangs."""


def sibling_of(process: str) -> str:
    """Return the name of a process among its siblings: the end of its name, new with every start."""
    return process[-8:]


class Siblings:
    """The processes of one data directory that share a port; `id` is this one's."""

    def __init__(self, process: str, data_dir: Path) -> None:
        self.id = sibling_of(process)
        self._prefix = _UNSAFE.sub("-", process)
        self._folder = data_dir / FOLDER
        self._directory: int | None = None
        self._server: web.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._adopting: set[asyncio.Task[None]] = set()

    def session_id(self, random: str) -> str:
        """Return the id of a new session of this process."""
        return f"{self._prefix}.{random}"

    def home_of(self, session_id: str) -> str | None:
        """Return the sibling that a session's id names, None when it is this process or nobody."""
        sibling = sibling_of(session_id.partition(".")[0])
        return sibling if self.other(sibling) else None

    def other(self, sibling: str) -> bool:
        """Tell whether a name may be another process's; it never is where the port is not shared."""
        return self._directory is not None and sibling != self.id and _ID.fullmatch(sibling) is not None

    async def listen(self, server: web.Server) -> None:
        """Let `server` serve what siblings hand over; raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self._directory = os.open(self._folder, os.O_RDONLY)
        self._server = server
        self._forget_dead()
        listener = stdsocket.socket(stdsocket.AF_UNIX, stdsocket.SOCK_STREAM)
        try:
            listener.bind(self._address(self.id))
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        self._accepting = asyncio.create_task(self._accept(listener), name="siblings")

    async def close(self) -> None:
        """Take nothing more; harmless when it never listened."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting, *self._adopting], timeout=PATIENCE_SECONDS)
            (self._folder / self.id).unlink(missing_ok=True)
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    async def hand_over(self, request: web.Request, sibling: str, *, body: bytes = b"") -> web.Response:
        """Give a request, whose body has been read, and its connection to a sibling.

        Returns what the handler has to return at once; nobody receives it. Raises NoSibling, also when the
        body was not read to its end, and then the connection is still this process's. A client that sends
        before it was answered has to repeat that.
        """
        if not request.content.at_eof():
            raise NoSibling  # what is unread of the body would be taken for a request of its own
        transport = request.transport
        wire = None if transport is None else transport.get_extra_info("socket")
        if transport is None or wire is None or transport.is_closing():
            return web.Response(status=499)
        with stdsocket.socket(stdsocket.AF_UNIX, stdsocket.SOCK_STREAM) as way:
            way.setblocking(False)
            try:
                way.connect(self._address(sibling))
            except OSError as error:  # it is gone, or so much waits for it already that it hangs
                raise NoSibling from error
            transport.pause_reading()  # what comes from now on is the sibling's
            try:
                await _send(way, _rewritten(request, body), wire.fileno())
            except (OSError, TimeoutError):
                log.warning("sibling did not take a request", sibling=sibling)
            finally:
                transport.abort()
        return web.Response(status=499)

    def _address(self, sibling: str) -> str:
        path = str(self._folder / sibling)
        if len(os.fsencode(path)) > LONGEST_ADDRESS and Path("/proc/self/fd").is_dir():
            return f"/proc/self/fd/{self._directory}/{sibling}"
        return path

    def _forget_dead(self) -> None:
        """Remove what killed processes left; a young one may be about to listen."""
        for path in self._folder.iterdir():
            with suppress(OSError), stdsocket.socket(stdsocket.AF_UNIX, stdsocket.SOCK_STREAM) as way:
                way.setblocking(False)
                if time.time() - path.stat().st_mtime < STALE_SECONDS:
                    continue
                try:
                    way.connect(self._address(path.name))
                except ConnectionRefusedError:
                    path.unlink(missing_ok=True)

    async def _accept(self, listener: stdsocket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                way, _ = await loop.sock_accept(listener)
                task = asyncio.create_task(self._adopt(way))
                self._adopting.add(task)
                task.add_done_callback(self._adopting.discard)

    async def _adopt(self, way: stdsocket.socket) -> None:
        """Serve a connection that was handed over, beginning with the request that came on it."""
        assert self._server is not None
        with way:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    request, connection = await _receive(way)
            except (OSError, TimeoutError):
                return
        try:
            _, protocol = await asyncio.get_running_loop().connect_accepted_socket(self._server, connection)
        except OSError:
            connection.close()
            return
        wire = protocol.transport
        if wire is not None and not wire.is_closing():  # it may have been reset at once
            protocol.data_received(request)


async def _send(way: stdsocket.socket, request: bytes, connection: int) -> None:
    """Send a request with its connection; raises OSError, TimeoutError."""
    message = LENGTH.pack(len(request)) + request
    sent = stdsocket.send_fds(way, [message[:CHUNK]], [connection])
    if sent < len(message):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.get_running_loop().sock_sendall(way, message[sent:])


async def _receive(way: stdsocket.socket) -> tuple[bytes, stdsocket.socket]:
    """Return a request and its connection; raises OSError."""
    await _readable(way)
    data, connections, _, _ = stdsocket.recv_fds(way, CHUNK, 1)
    if not connections:
        raise ConnectionError
    connection = stdsocket.socket(fileno=connections[0])
    try:
        connection.setblocking(False)
        message = bytearray(data)
        while len(message) < LENGTH.size or len(message) < LENGTH.size + LENGTH.unpack_from(message)[0]:
            more = await asyncio.get_running_loop().sock_recv(way, CHUNK)
            if not more:
                raise ConnectionError
            message += more
    except BaseException:
        connection.close()
        raise
    return bytes(message[LENGTH.size :]), connection


async def _readable(way: stdsocket.socket) -> None:
    loop = asyncio.get_running_loop()
    way.setblocking(False)
    ready = asyncio.Event()
    loop.add_reader(way, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(way)


def _rewritten(request: web.Request, body: bytes) -> bytes:
    """Return a request as it came, but with its body as it was read: whole and decoded."""
    version = request.version
    lines = [f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}".encode()]
    lines += [b"%b: %b" % header for header in request.raw_headers if header[0].lower() not in OF_BODY]
    if request.method not in ("GET", "HEAD"):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])
