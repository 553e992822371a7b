"""One run before the judge: every question about it, and what the answers cost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel

from schemas.envelope import Usage
from schemas.evaluator_run import TranscriptItem
from server.engine.evaluator.judging.evidence import Evidence, quote_run
from server.engine.grading.transcript import Budget
from server.llm import ChatTurn, Models
from server.llm.providers import is_small

T = TypeVar("T", bound=BaseModel)
MAX_TOKENS = 4_000  # more than the longest answer that a schema allows
SMALL_TOKENS = 1_000  # the embedded model's context holds 4,096 with the prompt


@dataclass(kw_only=True)
class Inquiry:
    """Asks the judge's model about one conversation; `gate` bounds the questions of all runs at once."""

    models: Models
    transcript: Sequence[TranscriptItem]
    budget: Budget
    gate: asyncio.Semaphore
    usages: list[Usage] = field(default_factory=list)
    reliable: bool = True
    model: str | None = None

    @cached_property
    def evidence(self) -> Evidence:
        """Return the conversation as the model is shown it; made only when there is a question."""
        return quote_run(self.transcript, budget=self.budget.transcript)

    async def ask(self, schema: type[T], task: str) -> T:
        """Return the answer; a wrong one may be mended once. Raises Upstream."""
        turns: list[ChatTurn] = [
            {"role": "system", "content": f"{task}\n{self.evidence.rules}"},
            {"role": "user", "content": self.evidence.text},
        ]
        limit = SMALL_TOKENS if is_small(self.models.judge_name) else MAX_TOKENS
        async with self.gate:
            parsed = await self.models.parse(
                schema, turns, model=self.models.judge_name, repairs=1, max_tokens=limit
            )
        self.usages.append(parsed.usage)
        self.model = parsed.model
        self.reliable = self.reliable and parsed.reliable and not self.evidence.left_out
        return parsed.value
