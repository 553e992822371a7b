"""One result of our server, and what its processes spent on it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from bench.batch.processes import Bench, cpu, resident
from bench.batch.server import SECRET
from bench.evaluator.work import TURNS, scenario
from server.engine.access import mint
from server.engine.ids import new

SCENARIOS = 10
ENDED = ("completed", "failed", "cancelled")
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Wall seconds from the request to the end, CPU seconds, and the server's MiB over what it had at first.

    `starts` are connections a second while the first `most_at_once` were opened, `first` the seconds from
    the request to the first of them.
    """

    wall: float
    server: float
    mongod: float
    agent: float
    starts: float
    first: float
    most_at_once: int
    grown: float


class Author:
    """Somebody who has an agent and scenarios on our server."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._headers = {
            "Authorization": f"Bearer {mint(SECRET, role='author', profile_id=new(), seconds=3600)}"
        }
        self._agent = 0
        self._idle = 0.0

    async def prepare(self) -> None:
        """Store what is needed."""
        url = self._bench.endpoint.url.replace("http", "ws", 1)
        agent = await self._ask(
            "POST",
            "aiagents/",
            {"agent_name": "stub", "websocket_url": url, "agent_gives_first_message": False},
        )
        self._agent = agent["id"]
        metric = await self._ask(
            "POST", "metrics/", {"name": "latency_p50", "type": "built_in", "eval_type": "numeric"}
        )
        for number in range(SCENARIOS):
            body = {**scenario(self._agent, number), "metrics": [metric["id"]]}
            await self._ask("POST", "scenarios/", body)

    async def run(self, *, runs: int, at_once: int) -> Spent:
        """Run scenarios until all have ended; raises RuntimeError when one did not succeed."""
        bench = self._bench
        self._idle = self._idle or resident(bench.server.pid)
        async with bench.http.post(f"{bench.endpoint.url}/reset"):
            before, sent = self._used(), time.monotonic()
        body = {
            "agent_id": self._agent,
            "scenarios": "all",
            "freq": runs // SCENARIOS,
            "concurrency_limit": at_once,
        }
        result = await self._ask("POST", "scenarios/run_scenarios_text/", body)
        most, shown = self._idle, result
        while shown["status"] not in ENDED:
            await asyncio.sleep(LOOK_SECONDS)
            most = max(most, resident(bench.server.pid))
            shown = (await self._ask("GET", "results/?page_size=1"))["results"][0]
        wall, after = time.monotonic() - sent, self._used()
        if shown["success_rate"] != 100 or shown["total_runs_count"] != runs:
            raise RuntimeError(f"not every run succeeded: {shown}")
        async with bench.http.get(f"{bench.endpoint.url}/seen") as response:
            seen = await response.json()
        if seen["messages"] != runs * (TURNS + 1) or seen["calls"] != runs:
            raise RuntimeError(f"the agent heard something else: {seen}")
        used = [late - early for late, early in zip(after, before, strict=True)]
        return Spent(
            wall=wall,
            server=used[0],
            mongod=used[1],
            agent=used[2],
            starts=_rate(seen, runs),
            first=seen["first"] - sent,
            most_at_once=seen["most_at_once"],
            grown=most - self._idle,
        )

    def _used(self) -> tuple[float, float, float]:
        bench = self._bench
        return cpu(bench.server.pid), cpu(bench.mongod), cpu(bench.endpoint.pid)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        url = f"{self._bench.server.url}/test_framework/v1/{path}"
        async with self._bench.http.request(method, url, json=body, headers=self._headers) as response:
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {(await response.text())[:1000]}")
            return await response.json()


def _rate(seen: dict[str, Any], runs: int) -> float:
    return (runs - 1) / float(seen["last"] - seen["first"])
