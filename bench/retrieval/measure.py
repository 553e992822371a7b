"""Indexing and asking on our server and on the bare one, with what their processes spent."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.batch.processes import Bench, cpu, resident
from bench.batch.server import SECRET
from bench.retrieval.asking import Asked, Door, asked
from bench.retrieval.work import CUT
from server.engine.access import mint
from server.engine.ids import new

AT_ONCE = 1_000  # documents of a request
LOOK_SECONDS = 0.05
WARM = 50  # questions that are not measured
TO_INDEX = ("NOT_STARTED", "IN_PROGRESS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """Seconds from the first request until everything is searchable, CPU seconds, MiB over idle."""

    wall: float
    server: float
    mongod: float
    grown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How answers were, CPU milliseconds of each, and MiB over idle after all of them."""

    asked: Asked
    server: float
    mongod: float
    grown: float


class Ours:
    """A pipeline of our server; it is deleted and made anew in each round."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        token = mint(SECRET, role="author", profile_id=new(), seconds=3600)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._idle = resident(bench.server.pid)
        self._pipeline = ""

    async def index(self, documents: Sequence[dict[str, str]]) -> Indexed:
        """Put all documents and wait until they are indexed."""
        if self._pipeline:
            await self._call("DELETE", f"/{self._pipeline}")
        self._pipeline = (await self._call("PUT", "", {"name": "bench", "transform_config": CUT}))["id"]
        before, began = self._used(), time.perf_counter()
        for at in range(0, len(documents), AT_ONCE):
            await self._call("PUT", f"/{self._pipeline}/documents", documents[at : at + AT_ONCE])
        await self._indexed()
        wall, after = time.perf_counter() - began, self._used()
        grown = resident(self._bench.server.pid) - self._idle
        return Indexed(wall=wall, server=after[0] - before[0], mongod=after[1] - before[1], grown=grown)

    async def search(self, queries: Sequence[str]) -> tuple[float, Searched]:
        """Ask; return also the milliseconds of the first answer, for which the index is built."""
        url = f"{self._bench.server.url}/api/v1/pipelines/{self._pipeline}/retrieve"
        door = Door(url=url, headers=self._headers, http=self._bench.http)
        first = await door.ask(queries[0])
        for query in queries[:WARM]:
            await door.ask(query)
        before = self._used()
        found = await asked(door, queries)
        each = [
            (late - early) * 1e3 / (2 * len(queries))
            for late, early in zip(self._used(), before, strict=True)
        ]
        grown = resident(self._bench.server.pid) - self._idle
        return first, Searched(asked=found, server=each[0], mongod=each[1], grown=grown)

    async def _indexed(self) -> None:
        while (status := await self._call("GET", f"/{self._pipeline}/status"))["status"] in TO_INDEX:
            await asyncio.sleep(LOOK_SECONDS)
        if status["status"] != "SUCCESS":
            raise RuntimeError(f"not everything was indexed: {status}")

    def _used(self) -> tuple[float, float]:
        return cpu(self._bench.server.pid), cpu(self._bench.mongod)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._bench.server.url}/api/v1/pipelines{path}"
        async with self._bench.http.request(method, url, json=body, headers=self._headers) as response:
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {(await response.text())[:1000]}")
            return await response.json() if response.status != 204 else None


class Bare:
    """The process with the libraries alone."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._idle = resident(bench.endpoint.pid)

    async def index(self, texts: Sequence[str]) -> Indexed:
        """Index all texts."""
        pid, http = self._bench.endpoint.pid, self._bench.http
        before, began = cpu(pid), time.perf_counter()
        async with http.post(f"{self._bench.endpoint.url}/index", json=list(texts)) as response:
            response.raise_for_status()
        wall, grown = time.perf_counter() - began, resident(pid) - self._idle
        return Indexed(wall=wall, server=cpu(pid) - before, mongod=0, grown=grown)

    async def search(self, queries: Sequence[str]) -> Searched:
        """Ask."""
        pid = self._bench.endpoint.pid
        door = Door(url=f"{self._bench.endpoint.url}/retrieve", headers={}, http=self._bench.http)
        for query in queries[:WARM]:
            await door.ask(query)
        before = cpu(pid)
        found = await asked(door, queries)
        each = (cpu(pid) - before) * 1e3 / (2 * len(queries))
        return Searched(asked=found, server=each, mongod=0, grown=resident(pid) - self._idle)
