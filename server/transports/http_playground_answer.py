"""One answer of a playground chat, followed in the room of its session until it has ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, web

from schemas.envelope import ErrorCode, Id
from schemas.playground import (
    PlaygroundComplete,
    PlaygroundError,
    PlaygroundForgotten,
    PlaygroundProgress,
    PlaygroundSources,
)
from server.errors import Gone, GreenroomError, Unavailable
from server.rooms.entry import Entry, Sound
from server.transports.doors import SHUTDOWN, settled
from server.transports.http_playground_kept import WHOLE
from server.transports.http_stream import EventStream

LOOK_SECONDS = 1.0  # at a client that may have gone
SHOWN = frozenset(
    event.event for event in (PlaygroundSources, PlaygroundProgress, PlaygroundComplete, PlaygroundError)
)


class Answer:
    """The sink of a follower: takes what is told of one answer, for a stream if there is one.

    `over` is set when it has ended, or cannot be followed any more (`lost`); then either `complete` is what
    was told of its text, or `failure` says what went wrong.
    """

    def __init__(self, message_id: Id, stream: EventStream | None = None) -> None:
        self.message_id = message_id
        self.over = asyncio.Event()
        self.lost: str | None = None
        self.complete: dict[str, Any] | None = None
        self.failure: GreenroomError | None = None
        self._stream = stream

    @property
    def size(self) -> int:
        """Return the bytes that wait for the client."""
        return 0 if self._stream is None else self._stream.size

    def write(self, entries: Sequence[Entry]) -> None:
        """Take entries of the room; those of other answers are left out."""
        for entry in entries:
            if self.over.is_set():
                return
            if self._is_told(entry):
                self.tell(entry)

    def tell(self, entry: Entry) -> None:
        """Take an entry of this answer."""
        if self._stream is not None:
            self._stream.write((entry,))
        self._note(entry.name, orjson.loads(entry.data))

    def show(self, *events: PlaygroundSources | PlaygroundComplete | PlaygroundError) -> None:
        """Take what is known of an answer whose entries are not kept any more."""
        for event in events:
            if self.over.is_set():
                return
            if self._stream is not None:
                self._stream.answer(event.event, event.encode())
            self._note(event.event, event.model_dump(mode="json", exclude_none=True))

    def answer(self, event: str, data: bytes) -> None:
        """Send nothing: this follower asks for no markers."""

    def sound(self, sound: Sound) -> None:
        """Send nothing: this follower does not listen."""

    def abort(self, reason: str) -> None:
        """Follow no more, and cut the stream; the answer goes on."""
        self._lose(reason)
        if self._stream is not None:
            self._stream.abort(reason)

    def end(self, reason: str) -> None:
        """Follow no more, and end the stream after what was written; the answer goes on."""
        self._lose(reason)
        if self._stream is not None:
            self._stream.finish(reason)

    async def drained(self) -> None:
        """Return once little waits for the client, or it is gone. Cancelling is safe."""
        if self._stream is not None:
            await self._stream.drained()

    async def wait(self, request: web.Request) -> None:
        """Return when the answer is over; raises ClientConnectionResetError when nobody waits for it."""
        while not self.over.is_set():
            if request.transport is None or request.transport.is_closing():
                raise ClientConnectionResetError("The client left before the answer had ended.")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self.over.wait()

    def _lose(self, reason: str) -> None:
        if not self.over.is_set():
            self.lost = reason
            self.over.set()

    def _is_told(self, entry: Entry) -> bool:
        if entry.name == PlaygroundForgotten.event:
            return True
        return entry.name in SHOWN and orjson.loads(entry.data).get("message_id") == self.message_id

    def _note(self, name: str, data: dict[str, Any]) -> None:
        if name == PlaygroundComplete.event:
            self.complete = data
            if data.get("state", "complete") not in WHOLE:
                return  # what went wrong is told next
        elif name == PlaygroundError.event:
            self.failure = failure_of(data["code"], data["message"])
        elif name == PlaygroundForgotten.event:
            self.failure = Gone("The session was deleted while it was being answered.")
        else:
            return
        self.over.set()
        if self._stream is not None:
            self._stream.finish("answered")


class Answers:
    """The answers that clients wait for; the door through which they leave when the process stops."""

    def __init__(self) -> None:
        self._open: set[Answer] = set()

    @asynccontextmanager
    async def following(self, message_id: Id, stream: EventStream | None = None) -> AsyncIterator[Answer]:
        """Give an answer that is counted as long as it is followed."""
        answer = Answer(message_id, stream)
        self._open.add(answer)
        try:
            yield answer
        finally:
            self._open.discard(answer)

    def announce(self) -> None:
        """Tell nobody: answers that are under way are given, or ended with the words they have."""

    async def close(self) -> None:
        """End what is waited for yet, once clients have what was written, or a second later."""
        await settled(lambda: any(answer.size for answer in self._open))
        await self.cut()

    async def cut(self, app: web.Application | None = None) -> None:
        """End what is waited for yet."""
        for answer in list(self._open):
            answer.end(SHUTDOWN)


def failure_of(code: ErrorCode, message: str) -> GreenroomError:
    """Return the error that an event tells of."""
    found = next((kind for kind in GreenroomError.__subclasses__() if kind.code == code), Unavailable)
    return found(message)
