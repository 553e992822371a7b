"""What an attempt needs of whoever generates the content of its chats."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.attempt import Attempt, ChatEntry
from schemas.envelope import Id
from schemas.generation import Generation, GenerationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What is to be generated for a chat, and why some of it cannot be made here."""

    types: Sequence[str]
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who hears how runs for attempts end; both may be called again for the same run."""

    prepared: Callable[[Generation], Awaitable[None]]
    failed: Callable[[Generation, GenerationError], Awaitable[None]]


class Contents(Protocol):
    """Generates what a scenario's flags ask for; the result or the failure is told to the attempt."""

    def makeable(self, types: Sequence[str]) -> Needed:
        """Tell what of it can be made here."""

    async def prepare(self, attempt: Attempt, entry: ChatEntry, types: Sequence[str]) -> Id:
        """Store the run that makes it, once; raises RateLimited or Unavailable. It is not started yet."""

    async def start(self, run_id: Id) -> None:
        """Start a run whose attempt waits for it."""

    def tell(
        self,
        *,
        prepared: Callable[[Generation], Awaitable[None]],
        failed: Callable[[Generation, GenerationError], Awaitable[None]],
    ) -> None:
        """Have these called at the end of such runs; once, before any is started."""
