"""A reply of a realtime endpoint: its words and sound as they come, said by a party of the chat."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from schemas.envelope import Usage
from server.engine.voice.engine import Play
from server.engine.voice.pacing import pieces_of, seconds_of
from server.errors import Upstream

T = TypeVar("T")
BEGIN_SECONDS = 20.0  # for the endpoint to begin a reply
SILENT_SECONDS = 30.0  # for its next part


@dataclass(eq=False)
class Words:
    """What was said in a session, as far as it was said."""

    role: Literal["user", "assistant"]
    text: str = ""


@dataclass(eq=False)
class RealtimeReply:
    """What the endpoint answers; None in `parts` is its end."""

    parts: "asyncio.Queue[str | bytes | Upstream | None]" = field(default_factory=asyncio.Queue)
    id: str | None = None
    asked: str | None = None  # the speech that it answers
    item_id: str | None = None
    said: Words = field(default_factory=lambda: Words("assistant"))
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
    """Says the endpoint's reply to a speech; whatever the chat's own model would say is not asked for.

    `ended` is called once with the reply, said or cut off.
    """

    def __init__(
        self,
        answer: Callable[[], Awaitable[RealtimeReply]],
        *,
        play: Play,
        ended: Callable[[RealtimeReply], None],
    ) -> None:
        self._answer = answer
        self._play = play
        self._ended = ended
        self.usage: Usage | None = None

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield the words as they are spoken; closing it has the endpoint stop. Raises Upstream."""
        reply = await _within(self._answer(), BEGIN_SECONDS)
        try:
            while (part := await _within(reply.parts.get(), SILENT_SECONDS)) is not None:
                if isinstance(part, Upstream):
                    raise part
                if isinstance(part, str):
                    reply.said.text += part
                    yield part
                else:
                    await self._say(reply, part)
            self.usage = reply.usage
        finally:
            self._ended(reply)

    async def _say(self, reply: RealtimeReply, sound: bytes) -> None:
        for piece in pieces_of(sound):
            await self._play(piece)
            reply.played += seconds_of(piece)


async def _within(waited: Awaitable[T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await waited
    except TimeoutError as error:
        raise Upstream("The voice endpoint said nothing for too long.") from error
