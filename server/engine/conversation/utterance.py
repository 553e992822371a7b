"""One thing that somebody says: a party's words, streamed into a room as they come."""

import asyncio
from contextlib import aclosing

import structlog

from server.engine.conversation.deltas import Deltas
from server.engine.conversation.parties import Party
from server.errors import GreenroomError, Upstream

log = structlog.get_logger(__name__)
MAX_LENGTH = 64_000  # characters; what a model says beyond is cut off


class Utterance:
    """Streams a party's words into deltas until it ends, fails or is stopped; `text` is what was said."""

    def __init__(self, party: Party, deltas: Deltas) -> None:
        self._party = party
        self._deltas = deltas
        self._speaking: asyncio.Task[None] | None = None
        self.stopped = False

    @property
    def text(self) -> str:
        """Return everything that was said so far."""
        return self._deltas.text

    def stop(self) -> None:
        """End with what was said; whatever produces the words is closed."""
        self.stopped = True
        if self._speaking is not None:
            self._speaking.cancel()

    async def run(self) -> GreenroomError | None:
        """Speak until the last word is in the log; return why the party failed, if it did.

        Raises what a publish raised, such as Unavailable when the lease is lost. Cancelling loses the words
        that are not in the log.
        """
        failure: GreenroomError | None = None
        if not self.stopped:
            self._speaking = asyncio.create_task(self._speak())
            try:
                await asyncio.wait([self._speaking])
            finally:
                self._speaking.cancel()
            if not self._speaking.cancelled() and (error := self._speaking.exception()) is not None:
                failure = _ours(error)
        await self._deltas.close()
        return failure

    async def _speak(self) -> None:
        length = 0
        async with aclosing(self._party.speak()) as parts:
            async for text in parts:
                room_left = MAX_LENGTH - length
                length += len(text)
                self._deltas.add(text[:room_left])
                if length >= MAX_LENGTH:
                    log.warning("utterance cut", characters=length)
                    return
                if self._deltas.failed is not None:
                    return


def _ours(error: BaseException) -> GreenroomError:
    if isinstance(error, GreenroomError):
        return error
    log.error("utterance broke", exc_info=error)
    return Upstream("The reply failed; try again.")
