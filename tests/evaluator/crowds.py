"""An agent that counts who talks with it at once, and answers slowly."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.evaluator.agents import Call
from tests.support.passing import passes


@dataclass
class Crowd:
    """Answers every message after a while; `limit` is how many talked at once at most."""

    low: float = 0.0
    high: float = 0.0
    now: int = 0
    most: int = 0
    calls: Counter[str] = field(default_factory=Counter)  # by run
    held: asyncio.Event = field(default_factory=asyncio.Event)  # answers wait for it
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.held.set()

    async def talk(self, call: Call) -> None:
        """Answer yes until the caller is gone."""
        self.now += 1
        self.most = max(self.most, self.now)
        self.calls[call.request.headers["X-VOCERA-RUN-ID"]] += 1
        async with self.arrived:
            self.arrived.notify_all()
        try:
            while (said := await call.hear()) is not None and "type" not in said:
                await self.held.wait()
                await passes(random.uniform(self.low, self.high), because="agents think")
                await call.say("Yes?")
        finally:
            self.now -= 1

    async def until_calls(self, count: int) -> None:
        """Return once so many calls have come in all."""
        async with asyncio.timeout(30), self.arrived:
            await self.arrived.wait_for(lambda: self.calls.total() >= count)
