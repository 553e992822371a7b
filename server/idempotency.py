"""Remembers what a client_event_id did, so that it acts once (core §14)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from server.errors import Conflict, Unavailable
from server.rooms.process import Process
from server.store.requests import Request, RequestStore

log = structlog.get_logger(__name__)
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.1
REMEMBER_TRIES = 60
REMEMBER_SECONDS = 1.0
CLOSE_SECONDS = 3.0


class Once:
    """Lets the first of equal requests run and gives the others its ack, in this process and in all."""

    def __init__(self, requests: RequestStore, process: Process) -> None:
        self._requests = requests
        self._process = process
        self._running: set[tuple[str, str]] = set()
        self._writing: set[asyncio.Task[None]] = set()

    async def first(self, identity: str, key: str, *, digest: str) -> bytes | None:
        """Return the ack of the request that came first, or None when this one is to run.

        Who is told to run calls `finish` or `forget`. Raises Conflict when the key was used for something
        else, Unavailable when the first one is still running after 10 s.
        """
        mine = (identity, key)
        alone = mine not in self._running  # before any await: a twin sees that one is running
        self._running.add(mine)
        try:
            ack = await self._first(identity, key, digest=digest, alone=alone)
        except BaseException:
            if alone:
                self._running.discard(mine)
            raise
        if ack is None:
            self._running.add(mine)
        elif alone:
            self._running.discard(mine)
        return ack

    def finish(self, identity: str, key: str, ack: bytes) -> None:
        """Remember the ack after it was given; derived ids cover a process that dies before."""
        self._later((identity, key), partial(self._requests.finish, identity, key, ack))

    def forget(self, identity: str, key: str) -> None:
        """Forget a request that may be tried again."""
        self._later((identity, key), partial(self._requests.forget, identity, key))

    async def close(self) -> None:
        """Finish writing, for some seconds."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=CLOSE_SECONDS)
        for task in self._writing:
            task.cancel()

    async def _first(self, identity: str, key: str, *, digest: str, alone: bool) -> bytes | None:
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            known = await self._requests.claim(identity, key, digest=digest, process=self._process.name)
            if known is None:
                return None
            if known.hash != digest:
                raise Conflict("client_event_id: it was used for another event or payload within 24 h.")
            if known.state == "done" and known.ack is not None:
                return known.ack
            if await self._inherits(known, identity, key, alone=alone):
                return None
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("The same request is still running; ask again soon.")
            await asyncio.sleep(POLL_SECONDS)

    async def _inherits(self, known: Request, identity: str, key: str, *, alone: bool) -> bool:
        """Tell whether a running request is ours to run: its process died, or our claim's reply was lost."""
        if known.process == self._process.name:
            return alone
        if known.process in await self._process.living():
            return False
        return await self._requests.take_over(identity, key, old=known.process, process=self._process.name)

    def _later(self, mine: tuple[str, str], write: Callable[[], Awaitable[None]]) -> None:
        async def until_written() -> None:
            for _ in range(REMEMBER_TRIES):
                try:
                    await write()
                    return
                except Unavailable:
                    await asyncio.sleep(REMEMBER_SECONDS)
            log.warning("request not remembered")

        def written(task: asyncio.Task[None]) -> None:
            self._writing.discard(task)
            self._running.discard(mine)

        task = asyncio.create_task(until_written())
        self._writing.add(task)
        task.add_done_callback(written)
