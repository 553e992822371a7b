"""One socket of a batch job, from who opens it to how it is closed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from aiohttp import web

from server.engine.access import Identity
from server.engine.batch.batches import Batches
from server.engine.patience import patiently, within
from server.errors import Forbidden, GreenroomError, Internal, Unauthenticated
from server.store.results import is_cut
from server.transports.admission import Admission
from server.transports.doors import reconnect_in
from server.transports.expiry import Expiry
from server.transports.http_requests import identify
from server.transports.uploads import Uploads
from server.transports.ws_batch_ears import TOO_BIG, Ears
from server.transports.ws_batch_limits import Limits
from server.transports.ws_batch_socket import CLOSE_SECONDS, JobSocket, hang_up, quiet
from server.transports.ws_batch_words import Begun, Farewell, close_code, resumed, written

log = structlog.get_logger(__name__)
T = TypeVar("T")
PAGE = 100
DRAINING = 1001
GATHER_SECONDS = 0.02  # so that what comes in quick succession is read at once
AWAY_SECONDS = 30.0  # for the database to come back


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkParts:
    """What a socket needs of the process."""

    batches: Batches
    admission: Admission
    uploads: Uploads


class JobLink:
    """Serves one socket; the job does not depend on it."""

    def __init__(
        self,
        request: web.Request,
        ws: JobSocket,
        wire: asyncio.Transport,
        *,
        parts: LinkParts,
        limits: Limits,
    ) -> None:
        self._request = request
        self._ws = ws
        self._wire = wire
        self._batches = parts.batches
        self._admission = parts.admission
        self._uploads = parts.uploads
        self.job_id: str | None = None
        self._told: str | None = None  # the job, once it is known that the caller may see it
        self._leaving: asyncio.Future[Farewell] = asyncio.get_running_loop().create_future()
        self._ears = Ears(ws, wire, limits=limits)
        self._expiry = Expiry(tell=_nothing, end=self._expired, grace=0.0)

    async def run(self) -> None:
        """Return when the socket is closed."""
        try:
            farewell = await self._serve()
        except ConnectionError:
            farewell = Farewell(1000)
        except GreenroomError as error:
            farewell = Farewell(close_code(error), error=error)
        except Exception:  # a bug of ours: the client gets an answer, the operator the traceback
            log.exception("socket of a batch job broke")
            farewell = Farewell(1011, error=Internal())
        finally:
            self._expiry.stop()
            self._leaving.cancel()
        if farewell.code == DRAINING:
            farewell = Farewell(DRAINING, self._what_next())
        await self._close(farewell)

    # --- for the door, and for admission --------------------------------------------------------------------

    def drain(self) -> None:
        """Have the client resume elsewhere, once a job that is being stored is so."""
        self._leave(Farewell(DRAINING))

    @property
    def waiting(self) -> int:
        """Return the bytes that wait for the client in this process."""
        return self._wire.get_write_buffer_size()

    def probe(self) -> None:
        """Ask the client for a sign of life."""
        self._ears.signs.probe()

    @property
    def silent(self) -> bool:
        """Tell whether the client owes a sign of life."""
        return self._ears.signs.owed

    def abort(self, reason: str) -> None:
        """Cut the socket; the client may resume."""
        log.info("socket of a batch job cut", reason=reason)
        self._wire.abort()

    def _what_next(self) -> str:
        what = f"resume {self.job_id}" if self.job_id else "send the job again"
        return f"server draining; {what} in {reconnect_in():g} s"

    def _expired(self, reason: str) -> None:
        error = Unauthenticated("The token has expired; connect with a newer one and resume.")
        self._leave(Farewell(close_code(error), error=error))

    def _leave(self, farewell: Farewell) -> None:
        if not self._leaving.done():
            self._leaving.set_result(farewell)

    # --- the course of a socket -----------------------------------------------------------------------------

    async def _serve(self) -> Farewell:
        caller = await self._caller()
        place = await self._admission.of_identity(caller.key, self)
        try:
            self._expiry.at(caller.expires)
            begun = await self._begin(caller)
            if isinstance(begun, Farewell):
                return begun
            self.job_id = begun.job_id
            return await self._first_of(
                self._follow(caller, begun),
                self._ears.listen(partial(self._batches.cancel, caller, begun.job_id), job_id=begun.job_id),
                self._ears.watch(None),
            )
        finally:
            place.leave()

    async def _caller(self) -> Identity:
        try:
            caller = await identify(self._request)
        except Unauthenticated:
            raise Unauthenticated("Unauthenticated") from None  # in the words of the contract
        if not caller.sees_all:
            raise Forbidden("Batch jobs are for authors.")
        return caller

    async def _begin(self, caller: Identity) -> Begun | Farewell:
        upload = self._uploads.enter()
        try:
            first = await self._first_of(self._ears.first(), self._ears.watch(upload))
            if isinstance(first, Farewell):
                return first
            if (begun := resumed(first)) is not None:
                return begun
            job = await self._batches.start(caller, first)
            return Begun(job.id, 0)
        finally:
            upload.leave()

    async def _first_of(self, *work: Coroutine[Any, Any, T]) -> T | Farewell:
        """Return what comes first: the end of something, or the wish to leave."""
        tasks = [asyncio.create_task(one) for one in work]
        try:
            ends: list[asyncio.Future[Any]] = [*tasks, self._leaving]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            first: T | Farewell = next(end for end in ends if end.done()).result()
            return first
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self, farewell: Farewell) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if farewell.error is not None:
                    await self._ws.send_text(written(farewell.error, job_id=self._told))
                if farewell.code == TOO_BIG:
                    await quiet(self._wire)
        except (ConnectionError, TimeoutError):
            self._wire.abort()
        await hang_up(self._ws, self._wire, code=farewell.code, reason=farewell.reason)

    # --- what the server says -------------------------------------------------------------------------------

    async def _follow(self, caller: Identity, begun: Begun) -> Farewell:
        """Send results from the store, page by page, and the summary behind the last."""
        job_id, index = begun.job_id, begun.from_
        async with self._batches.changes(job_id) as changes:
            job = await self._patiently(partial(self._batches.get, caller, job_id))
            self._told = job_id
            while True:
                ended = job.completed_on is not None  # before the look: what comes later is not missed
                lines = await self._patiently(partial(self._batches.lines, job_id, from_=index, limit=PAGE))
                for line in lines:
                    await self._ws.send_text(line)
                index += len(lines)
                if is_cut(lines, limit=PAGE):
                    continue
                if ended:
                    break
                if await changes.wait():
                    job = await self._patiently(partial(self._batches.get, caller, job_id))
                else:
                    await asyncio.sleep(GATHER_SECONDS)
        summary = await self._patiently(partial(self._batches.summary, job))
        await self._ws.send_text(summary)
        return Farewell(1000)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what is asked of the database, also when it is away for some seconds."""
        return await patiently(ask, within(AWAY_SECONDS))


def _nothing(event: str, data: bytes) -> None:
    """Tell nothing: there is no event for it here, the end says why."""
