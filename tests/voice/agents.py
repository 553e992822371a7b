"""Somebody's agents that are called by voice: one for each framing, which hear by loudness alone."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from aiohttp import WSMsgType, web

from server.engine.voice.offline.resampling import Resampler, resampled, ulaw_decode, ulaw_encode
from server.engine.voice.speech import HEARD_RATE, Speech
from tests.evaluator.agents import listening

FRAME = 640  # 20 ms of PCM at 16 kHz
QUIET_FRAMES = 40  # of 20 ms: what is said is over then
LOUD = 300  # the mean of a frame's samples, without signs


async def spoken(speech: Speech, text: str) -> bytes:
    """Return a text as sound at 16 kHz."""
    sound = b"".join([piece async for piece in speech.synthesiser.speak(text)])
    return resampled(sound, speech.synthesiser.rate, HEARD_RATE)


class Wire(Protocol):
    """How an agent's frames look."""

    async def send(self, pcm: bytes) -> None:
        """Send sound at 16 kHz."""

    def read(self, message: Any) -> bytes | None:
        """Return the sound of a message, None when it is a sign."""


class PcmWire:
    """Raw PCM, from the agent's side."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self.ws = ws
        self.signs: list[dict[str, Any]] = []

    async def send(self, pcm: bytes) -> None:
        """Send frames of 20 ms."""
        for at in range(0, len(pcm), FRAME):
            await self.ws.send_bytes(pcm[at : at + FRAME])

    async def sign(self, name: str, **data: Any) -> None:
        """Send a text frame."""
        await self.ws.send_str(json.dumps({"type": name, "id": "x", "ts_ms": 0, "data": data}))

    def read(self, message: Any) -> bytes | None:
        """Return the sound of a binary frame."""
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        self.signs.append(json.loads(message.data))
        return None


class TwilioWire:
    """Media streams, from the agent's side."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self.ws = ws
        self.signs: list[dict[str, Any]] = []
        self.media: list[dict[str, Any]] = []
        self._in = Resampler(8_000, HEARD_RATE)

    @property
    def stream(self) -> str:
        """Return the stream's id."""
        return str(self.signs[1]["streamSid"])

    async def send(self, pcm: bytes) -> None:
        """Send one frame with all of it, as bots do."""
        payload = base64.b64encode(ulaw_encode(resampled(pcm, HEARD_RATE, 8_000))).decode()
        await self.tell("media", media={"payload": payload})

    async def tell(self, event: str, **what: Any) -> None:
        """Send a frame."""
        await self.ws.send_str(json.dumps({"event": event, "streamSid": self.stream, **what}))

    def read(self, message: Any) -> bytes | None:
        """Return the sound of a media frame."""
        fields = json.loads(message.data)
        if fields["event"] != "media":
            self.signs.append(fields)
            return None
        self.media.append(fields)
        return self._in.feed(ulaw_decode(base64.b64decode(fields["media"]["payload"])))


@dataclass
class VoiceAgent:
    """An agent that runs; it greets, then says its next line whenever the caller has spoken."""

    greeting: bytes
    lines: list[bytes]
    url: str = ""
    wires: list[Any] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)  # what callers said, as sound
    interrupts: bool = False  # says its line in the middle of what the caller says
    yields: bool = False  # falls silent once the caller speaks, over media streams

    async def serve(self, wire: Any) -> None:
        """Talk to one caller."""
        self.wires.append(wire)
        talk = _Talk(self, wire, list(self.lines))
        async for message in wire.ws:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                await talk.take(wire.read(message))


class _Talk:
    """One call of an agent."""

    def __init__(self, agent: VoiceAgent, wire: Any, lines: list[bytes]) -> None:
        self._agent = agent
        self._wire = wire
        self._lines = lines
        self._greeted = False
        self._speech = bytearray()
        self._quiet = 0
        self._yielded = False

    async def take(self, sound: bytes | None) -> None:
        """Take 20 ms of the caller, or a sign of it."""
        if not self._greeted and (sound is not None or len(self._wire.signs) >= 2):
            self._greeted = True
            if self._agent.greeting:
                await self._wire.send(self._agent.greeting)
        if sound is None:
            return
        self._quiet = 0 if _loud(sound) else self._quiet + 1
        if self._speech or not self._quiet:
            self._speech += sound
        if self._agent.yields and self._speech and not self._yielded:
            self._yielded = True
            await self._wire.tell("clear")
        if self._agent.interrupts and len(self._speech) > 2 * HEARD_RATE:
            await self._say_next()
        if self._speech and self._quiet >= QUIET_FRAMES:
            self._agent.heard.append(bytes(self._speech))
            self._speech.clear()
            self._yielded = False
            await self._say_next()

    async def _say_next(self) -> None:
        if self._lines:
            await self._wire.send(self._lines.pop(0))


def _loud(sound: bytes) -> bool:
    samples = np.frombuffer(sound[: len(sound) // 2 * 2], "<i2").astype(np.int32)
    return bool(samples.size) and float(np.abs(samples).mean()) > LOUD


@asynccontextmanager
async def voice_agent(
    make: Callable[[web.WebSocketResponse], Any], *, greeting: bytes = b"", lines: list[bytes], **how: Any
) -> AsyncIterator[VoiceAgent]:
    """Run an agent on a free port."""
    agent = VoiceAgent(greeting=greeting, lines=lines, **how)

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        await agent.serve(make(ws))
        return ws

    async with listening(serve) as url:
        agent.url = url
        yield agent
