"""Questions to a retrieve endpoint: how long answers take, one after the other and several at once."""

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Milliseconds of one question after the other, and how many a second when several are asked at once."""

    p50: float
    p99: float
    rate: float
    p99_at_once: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where questions are sent, and what goes with each."""

    url: str
    headers: Mapping[str, str]
    http: aiohttp.ClientSession

    async def ask(self, query: str) -> float:
        """Ask; return the milliseconds until the answer is read. Raises RuntimeError for an empty one."""
        began = time.perf_counter()
        async with self.http.post(self.url, json={"query": query}, headers=self.headers) as response:
            body = await response.json()
            if response.status != 200 or not body["retrieval_nodes"]:
                raise RuntimeError(f"nothing found: {response.status} {str(body)[:1000]}")
        return (time.perf_counter() - began) * 1e3


async def asked(door: Door, queries: Sequence[str]) -> Asked:
    """Ask all of them one after the other, then all of them again, several at once."""
    alone = [await door.ask(query) for query in queries]
    left, together = iter(queries), list[float]()
    began = time.perf_counter()
    await asyncio.gather(*(_worker(door, left, together) for _ in range(AT_ONCE)))
    rate = len(queries) / (time.perf_counter() - began)
    return Asked(p50=rank(alone, 50), p99=rank(alone, 99), rate=rate, p99_at_once=rank(together, 99))


async def _worker(door: Door, left: Iterator[str], took: list[float]) -> None:
    for query in left:
        took.append(await door.ask(query))


def rank(values: Sequence[float], percent: int) -> float:
    """Return a value that was measured, by nearest rank."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]
