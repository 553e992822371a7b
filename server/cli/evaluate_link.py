"""Starts a result and follows its room, however often the connection breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from schemas.envelope import JsonObject
from server.cli.chat_link import Event, Link, Refused
from server.cli.evaluate_making import API, asked, problems_of
from server.cli.failure import Failure
from server.cli.where import Reached

PATIENCE = 60.0  # seconds of silence until a server that is away is given up, or else asked
PAUSE = 1.0  # before the server is asked again that has said it can not now
TRIES = 3
PAGE = 50  # runs that are read at once
ENDED = frozenset({"completed", "failed", "cancelled"})


class EvaluateLink:
    """One result on a server."""

    def __init__(self, server: Reached) -> None:
        self.is_cancelling = False
        self.result_id = 0
        self._server = server
        self._run_ids: list[int] = []
        self._offset = 0

    @property
    def address(self) -> str:
        """Return where the result is read."""
        return f"{API}/results/{self.result_id}"

    async def start(self, body: JsonObject) -> list[JsonObject]:
        """Start a result and return its runs; raises Failure. Sent again it is the same one."""
        key = {"Idempotency-Key": str(uuid4())}
        status, answer = await self._post(f"{API}/scenarios/run_scenarios_text/", body, headers=key)
        if status != 201:
            raise Failure(f"the server does not start it: {'; '.join(problems_of(answer, status))}")
        self.result_id = answer["id"]
        runs: list[JsonObject] = answer["runs"]
        self._run_ids = [run["id"] for run in runs]
        return runs

    async def follow(self, heard: Callable[[Event], None]) -> JsonObject:
        """Return the result once it has ended; what happens in between is heard. Raises Failure."""
        link = Link(self._server.url, self._server.http)
        await link.open(self._server.token)
        try:
            await self._until_ended(link, heard)
        finally:
            await link.close()
        return await self._result()

    async def cancel(self) -> None:
        """Have the server end the runs."""
        self.is_cancelling = True
        status, answer = await self._post(f"{self.address}/end_calls/")
        if status >= 400:
            raise Failure(f"the server does not end the calls: {'; '.join(problems_of(answer, status))}")

    async def runs(self) -> AsyncIterator[JsonObject]:
        """Yield all runs with their transcripts, as the server tells them; raises Failure."""
        for n in range(0, len(self._run_ids), PAGE):
            ids = ",".join(map(str, self._run_ids[n : n + PAGE]))
            for run in await self._read(f"{API}/runs/bulk/?run_ids={ids}"):
                # of a page that would be too large only the figures come
                yield run if "evaluation" in run else await self._read(f"{API}/runs/{run['id']}/")

    async def _until_ended(self, link: Link, heard: Callable[[Event], None]) -> None:
        if await self._join(link):
            return
        connected = True
        while True:
            event = await self._next(link)
            if event is None:
                if not connected:
                    raise Failure(f"the server does not answer any more; see GET {self.address}/")
                if await self._join(link) or await self._has_ended():
                    return
            elif event.name in ("disconnected", "reconnected"):
                connected = event.name == "reconnected"
                if connected and await self._join(link):
                    return
            elif event.data.get("room") == self._room:
                self._offset = event.data.get("offset", self._offset)
                if event.name == "result_ended" or (event.name == "room_reset" and await self._has_ended()):
                    return
                heard(event)

    async def _next(self, link: Link) -> Event | None:
        """Return what is heard next, None when there was nothing for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await link.events.get()
        return None

    async def _join(self, link: Link) -> bool:
        """Follow the room from where it was heard last; tell whether the result has ended meanwhile.

        What cannot be heard again is not missed but as progress: figures are read when all has ended.
        """
        while True:
            try:
                ack = await link.call("room_join", room=self._room, after=self._offset)
                return not ack.get("recovered") and await self._has_ended()
            except Refused as refused:
                if not refused.code:
                    return False  # the connection broke: it is joined again when there is one
                if not refused.retryable:
                    raise Failure(f"the result cannot be followed: {refused}") from refused
            await asyncio.sleep(PAUSE)

    async def _has_ended(self) -> bool:
        return (await self._result())["status"] in ENDED

    async def _result(self) -> JsonObject:
        found: JsonObject = await self._read(f"{self.address}/")
        return found

    async def _post(
        self, address: str, body: JsonObject | None = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Post what may be posted again, until it is answered; raises Failure."""
        for _ in range(TRIES - 1):
            with suppress(Failure):
                return await asked(self._server.http, "POST", address, body, headers=headers)
            await asyncio.sleep(PAUSE)
        return await asked(self._server.http, "POST", address, body, headers=headers)

    async def _read(self, address: str) -> Any:
        status, answer = await asked(self._server.http, "GET", address)
        if status != 200:
            raise Failure(f"GET {address} is refused: {'; '.join(problems_of(answer, status))}")
        return answer

    @property
    def _room(self) -> str:
        return f"result_{self.result_id}"
