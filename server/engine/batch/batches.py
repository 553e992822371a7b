"""What people do with batch jobs: start, look, follow and cancel them (batch-job §1)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

import orjson

from schemas.batch import BatchEnded, BatchRequest, JobState, JobView
from schemas.batch_job import BatchJob
from schemas.envelope import Id, utc_now
from schemas.stored import Owner
from server.engine.access import Identity
from server.engine.batch.checking import LARGE, checked
from server.engine.batch.ending import MAX_DETAILS
from server.engine.batch.parts import Parts
from server.engine.batch.rooms import batch_room, ops
from server.engine.batch.runner import BATCH, BatchRunner
from server.engine.ids import derive, new
from server.errors import Conflict, Forbidden, NotFound, Unavailable
from server.rooms.entry import Entry
from server.rooms.room import Room
from server.store.packing import pack, unpack
from server.store.pages import Page

POLL_SECONDS = 1.0
MAX_PAGE = 500  # results that one read returns
MAX_DETAIL_BYTES = 4 * 1024 * 1024  # of all results of a summary; it waits in memory for who reads slowly


class Changes:
    """Hears that something of a job is new: results, or its end."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()
        self._ended = False

    def push(self, room: Room, entries: list[Entry]) -> None:
        """Take note of entries just released."""
        self._ended = self._ended or any(entry.name == BatchEnded.event for entry in entries)
        self._heard.set()

    async def wait(self) -> bool:
        """Return when something is new since the last call, or soon anyway: read the store then.

        Tells whether the job is to be read too, because it has ended, or because nothing was heard.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._heard.wait()
        heard = self._heard.is_set()
        self._heard.clear()
        return self._ended or not heard


class Batches:
    """The requests of people; durable when they return."""

    def __init__(self, parts: Parts, runner: BatchRunner) -> None:
        self._store = parts.store
        self._hub = parts.hub
        self._outboxes = parts.outboxes
        self._jobs = parts.jobs
        self._bell = parts.bell
        self._sealing = parts.sealing
        self._runner = runner

    async def start(self, caller: Identity, raw: object) -> BatchJob:
        """Check and store a job, and have it done; raises BadRequest whose details list every problem.

        `raw` is the job's JSON text, or what it holds. A job that the caller has started before with the same
        `client_event_id` is returned as it is now; raises Conflict when it was another one.
        """
        if not caller.is_author:
            raise Forbidden("Only authors may start batch jobs.")
        request = await checked(raw)
        large = not isinstance(raw, str | bytes) or len(raw) > LARGE
        written, digest = await asyncio.to_thread(_written, request) if large else _written(request)
        job_id = new()
        if request.client_event_id is not None:
            job_id = derive("batch", caller.org, caller.key, request.client_event_id)
            if await self._store.jobs.org(job_id) is not None:
                return await self._started(job_id, digest)
        keys = self._sealing.close(request.config)
        job = BatchJob(
            id=job_id,
            digest=digest,
            org=caller.org,
            owner=Owner(kind=caller.kind, id=caller.id),
            name=request.name,
            version=request.version,
            total_runs=request.total_runs,
            created_at=utc_now(),
            keys=keys,
            sealed_by=self._sealing.seal if keys else None,
        )
        packed = await asyncio.to_thread(pack, written) if len(written) > LARGE else pack(written)
        await self._store.jobs.save_request(job.id, packed, digest=digest)
        begun = [ops(job, "started")]
        if not await self._store.jobs.create(job, begun):  # the same was started at the same time
            return await self._was_first(job.id, digest)
        self._outboxes.publish("jobs", job.id, begun)
        await self._jobs.wake(BATCH, job.id)
        with suppress(Unavailable):  # it is found out later
            await self._store.jobs.keep_request(job.id, digest=digest)
        return job

    async def _was_first(self, job_id: Id, digest: str | None) -> BatchJob:
        """Return a job that was stored by somebody else meanwhile; raises Conflict when it is another one."""
        jobs = self._store.jobs
        try:
            job = await self._started(job_id, digest)
        except Conflict:
            with suppress(Unavailable):  # it is loose
                await jobs.drop_request(job_id, digest=digest)
            raise
        with suppress(Unavailable):  # it is found out later
            await jobs.keep_request(job_id, digest=digest)
        return job

    async def _started(self, job_id: Id, digest: str | None) -> BatchJob:
        job = await self._store.jobs.get(job_id)
        if job is None or job.digest != digest:
            raise Conflict("Another job was started with this client_event_id; give each job one of its own.")
        return job

    async def get(self, caller: Identity, job_id: Id) -> BatchJob:
        """Return a job that a caller may see; raises NotFound."""
        job = await self._store.jobs.get(job_id) if caller.sees_all else None
        if job is None or job.org != caller.org:
            raise NotFound("There is no such job, or you may not see it.")
        return job

    async def page(
        self, caller: Identity, *, limit: int, cursor: str | None, status: JobState | None = None
    ) -> Page[BatchJob]:
        """Return jobs of the caller's organisation, newest first, without their summaries."""
        if not caller.sees_all:
            raise Forbidden("Only authors and operators may list batch jobs.")
        return await self._store.jobs.listed(caller.org, state=status, limit=limit, cursor=cursor)

    async def cancel(self, caller: Identity, job_id: Id) -> BatchJob:
        """Have a job stopped, its results kept. One that waits ends at once, an ended one stays so."""
        await self.get(caller, job_id)
        if not caller.is_author:
            raise Forbidden("Your role may follow this job, not cancel it.")
        open_ = {"state": {"$in": ["queued", "running"]}}
        await self._store.jobs.change(job_id, when=open_, update={"$set": {"cancel": True}})
        job = await self.get(caller, job_id)
        if job.state == "queued":
            await self._runner.run(job_id)
            job = await self.get(caller, job_id)
        if job.state == "queued":
            await self._jobs.wake(BATCH, job_id)  # this process is just about to claim it, or stops
        if job.state == "running" and job.process is not None:
            self._bell.tell(job.process, "stop_batch", job_id)
        return job

    def view(self, job: BatchJob) -> JobView:
        """Return a job as lists show it."""
        shared = job.model_dump(
            include={"name", "version", "created_at", "started_on", "completed_on", "total_runs", "results"}
            | {"passed", "failed", "errors"}
        )
        ended = job.completed_on is not None
        return JobView(
            job_id=job.id,
            status=job.state,
            cancelling=job.cancel and not ended,
            room=batch_room(job.id),
            **shared,
        )

    async def lines(self, job_id: Id, *, from_: int, limit: int) -> list[bytes]:
        """Return stored results, each as the JSON that clients get, of a job that the caller may see.

        There are fewer than the limit when there are no more, or as many as a page of the store holds.
        """
        rows = await self._store.results.page(job_id, from_=from_, limit=min(limit, MAX_PAGE))
        return [row.j for row in rows if row.end is None]

    async def request(self, job: BatchJob) -> bytes:
        """Return a job as it was sent, without its keys and `client_event_id`, as JSON; raises NotFound."""
        packed = await self._store.jobs.request(job.id, digest=job.digest)
        if packed is None:
            raise NotFound("The job's request is gone.")
        if len(packed) > LARGE:
            return await asyncio.to_thread(_as_sent, packed)
        return _as_sent(packed)

    async def summary(self, job: BatchJob) -> bytes:
        """Return the summary of an ended job as JSON, with its results when they are few and small enough."""
        if job.summary is None:
            raise Conflict("The job has not ended; its summary is not made yet.", retryable=True)
        details = await self._details(job.id, job.summary.details)
        if details is None:
            return job.summary.model_dump_json().encode()
        parts = job.summary.model_dump(mode="json")
        return orjson.dumps({**parts, "details": [orjson.Fragment(line) for line in details]})

    async def _details(self, job_id: Id, count: object) -> list[bytes] | None:
        """Return the results of a summary, None when there are too many or they are too large."""
        if not isinstance(count, int) or count > MAX_DETAILS:
            return None
        details: list[bytes] = []
        size = 0
        while len(details) < count and (page := await self.lines(job_id, from_=len(details), limit=MAX_PAGE)):
            details += page
            size += sum(map(len, page))
            if size > MAX_DETAIL_BYTES:
                return None
        return details

    @asynccontextmanager
    async def changes(self, job_id: Id) -> AsyncIterator[Changes]:
        """Hear of a job, whichever process does it; what is new is to be read from the store."""
        changes = Changes()
        room: Room | None = None
        with suppress(Unavailable):  # else the poll finds what is new
            room = await self._hub.room(batch_room(job_id))
            room.live[changes] = None
        try:
            yield changes
        finally:
            if room is not None:
                room.live.pop(changes, None)


def _written(request: BatchRequest) -> tuple[bytes, str | None]:
    """Return a job's request as it is stored, without its keys, and its digest if it may come again."""
    keys = {"config": {"openplugin_api_key", "openai_api_key"}}
    written = request.model_dump_json(exclude=keys, exclude_none=True).encode()
    return written, sha256(written).hexdigest() if request.client_event_id is not None else None


def _as_sent(packed: bytes) -> bytes:
    """Return a stored request without the name under which it was sent: another job needs another one."""
    request = orjson.loads(unpack(packed))
    request.pop("client_event_id", None)
    return orjson.dumps(request)
