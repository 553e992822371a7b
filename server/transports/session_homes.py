"""Where an HTTP session lives: in one process, which alone changes it; its requests are brought there."""

import asyncio
from collections.abc import Callable
from functools import wraps

import structlog
from aiohttp import web

from server.engine.access import Identity
from server.errors import Unavailable
from server.rooms.bell import Bell
from server.rooms.hub import Hub
from server.rooms.process import Process
from server.store.sessions import Session, SessionStore
from server.transports.abandoned import WITHIN_SECONDS, Abandoned
from server.transports.http_errors import Handle
from server.transports.http_requests import read_body
from server.transports.http_session import HttpSession
from server.transports.siblings import NoSibling, Siblings, sibling_of

log = structlog.get_logger(__name__)
TRIES = 3
MOST_WAITING = 20  # sessions of one identity that were opened here and have no stream


class HandedOver(Exception):
    """A request is answered by another process; `response` is what its handler has to return."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


class Homes:
    """Finds a session, at home here, or brings its request to its home, or the session here.

    A home on this host gets the request with its connection. From another host, or when its process is gone,
    the session moves here: what is stored of it is all that its next stream needs.
    """

    def __init__(
        self, sessions: dict[str, HttpSession], store: SessionStore, *, hub: Hub, bell: Bell,
        process: Process, siblings: Siblings,
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._store = store
        self._hub = hub
        self._bell = bell
        self._process = process
        self._siblings = siblings
        self._abandoned = Abandoned(store, process, sockets=False)
        self._opened: dict[str, list[str]] = {}
        self._looks: set[asyncio.Task[None]] = set()
        bell.on_told("session", self._told)

    async def open(self, record: Session) -> None:
        """Store and take a new session; of more than 20 of its owner without a stream the oldest one ends."""
        owner = Identity(**record.identity).key
        await self._store.create(record)
        self._sessions[record.id] = HttpSession(self._hub, record, self._store)
        ids = [one for one in self._opened.get(owner, ()) if one in self._sessions]
        self._opened[owner] = [*ids, record.id]
        waiting = [one for one in ids if not self._sessions[one].attached]
        for oldest in waiting[: max(0, len(waiting) + 1 - MOST_WAITING)]:
            self._let_go(oldest)
            await self._store.close(oldest)

    async def find(
        self, request: web.Request, session_id: str, *, may: Callable[[Session], bool]
    ) -> HttpSession | None:
        """Return a session that is at home here; raises HandedOver, Unavailable.

        None for an unknown one, and for one that the request may not use, which stays where it is.
        """
        for _ in range(TRIES):
            if (session := self._sessions.get(session_id)) is not None:
                return session if may(session.record) else None
            record = await self._store.find(session_id)
            if record is None or not may(record):
                return None
            if record.process == self._process.name:
                return self._sessions.setdefault(session_id, HttpSession(self._hub, record, self._store))
            await self._bring(request, record)
        raise Unavailable("The session moves from process to process; try again.")

    async def sweep(self) -> None:
        """Let go of sessions at home elsewhere, store the rest, and remove the abandoned; raises Unavailable.

        A session is abandoned when it had no stream for two minutes.
        """
        here = list(self._sessions)
        for session_id in set(here) - await self._store.at_home(here, self._process.name):
            self._let_go(session_id)
        for session in list(self._sessions.values()):
            await session.rooms.save()
        long_ago = asyncio.get_running_loop().time() - WITHIN_SECONDS
        for session_id, session in list(self._sessions.items()):
            if not session.attached and session.idle_since < long_ago:
                del self._sessions[session_id]
        self._opened = {
            owner: ids for owner, ids in self._opened.items() if any(one in self._sessions for one in ids)
        }
        await self._store.touch([s for s, session in self._sessions.items() if session.attached])
        await self._abandoned.remove()

    async def _bring(self, request: web.Request, record: Session) -> None:
        """Hand a request to its session's home, else make this process the home."""
        sibling = sibling_of(record.process)
        if self._siblings.other(sibling) and record.process in await self._process.living():
            body = await read_body(request)
            try:
                raise HandedOver(await self._siblings.hand_over(request, sibling, body=body))
            except NoSibling:
                log.info("session moves here; its home is on another host or gone", home=record.process)
        if await self._store.take(record, process=self._process.name) is not None:
            self._bell.tell(record.process, "session", record.id)

    def _told(self, session_id: str) -> None:
        """Look whether a session has moved away."""
        if session_id in self._sessions:
            task = asyncio.create_task(self._look(session_id), name="session moved")
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def _look(self, session_id: str) -> None:
        try:
            if not await self._store.at_home([session_id], self._process.name):
                self._let_go(session_id)
        except Unavailable:
            log.info("session not looked at; it is with the next sweep")

    def _let_go(self, session_id: str) -> None:
        if (session := self._sessions.pop(session_id, None)) is not None:
            session.end()


def brought_home(handler: Handle) -> Handle:
    """Make a handler return what it has to when its request was handed to another process."""

    @wraps(handler)
    async def brought(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except HandedOver as handed:
            return handed.response

    return brought
