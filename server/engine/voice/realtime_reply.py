"""A reply of a realtime endpoint: its words and sound as they come, said by a party of the chat."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from schemas.envelope import Usage
from server.engine.voice.engine import Play
from server.engine.voice.pacing import seconds_of
from server.errors import Upstream

T = TypeVar("T")
BEGIN_SECONDS = 20.0  # for the endpoint to begin a reply
SILENT_SECONDS = 30.0  # for its next part


@dataclass(eq=False)
class RealtimeReply:
    """What the endpoint answers; None in `parts` is its end."""

    parts: "asyncio.Queue[str | bytes | Upstream | None]" = field(default_factory=asyncio.Queue)
    id: str | None = None
    item_id: str | None = None
    played: float = 0.0  # seconds
    over: bool = False  # nothing more comes
    usage: Usage | None = None

    def add(self, part: str | bytes) -> None:
        """Take words, or sound."""
        self.parts.put_nowait(part)

    def end(self, failure: Upstream | None = None) -> None:
        """Take the end; of several the first counts."""
        if not self.over:
            self.over = True
            self.parts.put_nowait(failure)


class RealtimeParty:
    """Says the next reply of the endpoint; whatever the chat's own model would say is not asked for."""

    def __init__(
        self,
        replies: "asyncio.Queue[RealtimeReply]",
        *,
        play: Play,
        cut: Callable[[RealtimeReply], Awaitable[None]],
    ) -> None:
        self._replies = replies
        self._play = play
        self._cut = cut
        self.usage: Usage | None = None

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield the words as they are spoken; closing it has the endpoint stop. Raises Upstream."""
        reply = await _within(self._replies.get(), BEGIN_SECONDS)
        try:
            while (part := await _within(reply.parts.get(), SILENT_SECONDS)) is not None:
                if isinstance(part, Upstream):
                    raise part
                if isinstance(part, str):
                    yield part
                else:
                    await self._play(part)
                    reply.played += seconds_of(part)
            self.usage = reply.usage
        finally:
            if not reply.over or not reply.parts.empty():
                await self._cut(reply)


async def _within(waited: Awaitable[T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await waited
    except TimeoutError as error:
        raise Upstream("The voice endpoint said nothing for too long.") from error
