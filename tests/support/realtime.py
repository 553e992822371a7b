"""A Realtime endpoint for tests: it hears by loudness, and answers what it is told to."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from server.engine.voice.speech import CHAT_RATE
from tests.support.passing import passes

Event = dict[str, Any]
PIECE = b"\x00\x20" * (CHAT_RATE // 25)  # 40 ms of what it says
BYTES_PER_MS = 2 * CHAT_RATE // 1000


@dataclass
class Turn:
    """What the next speech is understood as, and how it is answered: word by word, 40 ms each if not told."""

    heard: str
    answer: str = ""
    hints: list[str] = field(default_factory=list)
    fails: bool = False
    slow: float = 0.0  # seconds between the parts of the answer
    sound: bytes = PIECE  # of a word


@dataclass
class RealtimeServer:
    """The endpoint; `got` is what clients sent, session by session."""

    turns: list[Turn] = field(default_factory=list)
    old_names: bool = False
    transcribes: bool = True
    url: str = ""
    got: list[list[Event]] = field(default_factory=list)
    lines: list[web.WebSocketResponse] = field(default_factory=list)
    refuses: int | None = None

    def sent(self, kind: str, session: int = -1) -> list[Event]:
        """Return the events of a kind that a session's client sent."""
        return [event for event in self.got[session] if event["type"] == kind]

    def drop(self) -> None:
        """Cut the newest session off."""
        transport = self.lines[-1]._req.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one session."""
        if self.refuses is not None:
            return web.Response(status=self.refuses)
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.got.append([])
        self.lines.append(line)
        session = _Session(self, line)
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    event = json.loads(message.data)
                    self.got[-1].append(event)
                    await session.take(event)
        finally:
            session.stop()
        return line


class _Session:
    def __init__(self, server: RealtimeServer, line: web.WebSocketResponse) -> None:
        self._server = server
        self._line = line
        self._bytes = 0
        self._item = 0
        self._speaking = False
        self._answering: asyncio.Task[None] | None = None

    def stop(self) -> None:
        if self._answering is not None:
            self._answering.cancel()

    async def tell(self, kind: str, **fields: Any) -> None:
        await self._line.send_str(json.dumps({"type": kind, "event_id": "e", **fields}))

    async def take(self, event: Event) -> None:
        steps: dict[str, Callable[[Event], Any]] = {
            "input_audio_buffer.append": self.hear,
            "response.cancel": self.cancel,
            "response.create": self.create,
        }
        if (step := steps.get(event["type"])) is not None:
            await step(event)

    async def hear(self, event: Event) -> None:
        sound = base64.b64decode(event["audio"])
        at = self._bytes // BYTES_PER_MS
        self._bytes += len(sound)
        if any(sound) and not self._speaking:
            self._speaking = True
            self._item += 1
            await self.tell(
                "input_audio_buffer.speech_started", audio_start_ms=at, item_id=f"user-{self._item}"
            )
        elif not any(sound) and self._speaking:
            self._speaking = False
            await self.tell(
                "input_audio_buffer.speech_stopped", audio_end_ms=at, item_id=f"user-{self._item}"
            )
            self._answering = asyncio.create_task(self.answer(f"user-{self._item}"))

    async def cancel(self, event: Event) -> None:
        if self._answering is not None and not self._answering.done():
            self._answering.cancel()
            await self.tell("response.done", response={"id": "r", "status": "cancelled"})

    async def create(self, event: Event) -> None:
        self._answering = asyncio.create_task(self.say(Turn(heard="", answer="After the hint.")))

    async def answer(self, item_id: str) -> None:
        turn = self._server.turns.pop(0)
        if turn.hints:
            await self.tell("response.created", response={"id": "r"})
            await self.tell(
                "response.function_call_arguments.done",
                name="show_hints",
                call_id="c",
                arguments=json.dumps({"hints": turn.hints}),
            )
            await self.tell("response.done", response={"id": "r", "status": "completed"})
        heard = "conversation.item.input_audio_transcription"
        if self._server.transcribes:
            for word in turn.heard.split():
                await self.tell(f"{heard}.delta", item_id=item_id, delta=f"{word} ")
            await self.tell(f"{heard}.completed", item_id=item_id, transcript=turn.heard)
        if turn.answer:
            await self.say(turn)

    async def say(self, turn: Turn) -> None:
        audio, words = "response.output_audio", "response.output_audio_transcript"
        if self._server.old_names:
            audio, words = "response.audio", "response.audio_transcript"
        await self.tell("response.created", response={"id": "r"})
        await self.tell("response.output_item.added", item={"id": f"answer-{self._item}", "type": "message"})
        for word in turn.answer.split(" "):
            await self.tell(f"{words}.delta", delta=f"{word} ")
            await self.tell(f"{audio}.delta", delta=base64.b64encode(turn.sound).decode())
            if turn.slow:
                await passes(turn.slow, because="an endpoint takes its time for each part")
        await self.tell(f"{words}.done", transcript=turn.answer)
        usage = {"input_tokens": 5, "output_tokens": 7}
        status = "failed" if turn.fails else "completed"
        await self.tell("response.done", response={"id": "r", "status": status, "usage": usage})


@asynccontextmanager
async def realtime_server(*turns: Turn, **how: Any) -> AsyncIterator[RealtimeServer]:
    """Run an endpoint on a free port; its `url` is the base of an API."""
    server = RealtimeServer(turns=list(turns), **how)
    app = web.Application()
    app.router.add_get("/v1/realtime", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()
