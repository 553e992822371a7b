"""A learner's microphone: its sound goes to a voice session in frames of 40 ms, at the pace of speech."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES
from tests.support.attempts import Talk
from tests.support.clients import Socket
from tests.support.passing import passes

FRAME_SECONDS = 0.04
FRAME = round(FRAME_SECONDS * CHAT_RATE) * SAMPLE_BYTES


class Microphone:
    """Sends what is said, and else silence."""

    def __init__(self, talk: Talk) -> None:
        assert isinstance(talk.client, Socket)
        self._talk = talk
        self._socket = talk.client
        self._sound = bytearray()
        self._silent = asyncio.Event()
        self.began = asyncio.Event()  # the first frame of what is said was sent

    def say(self, sound: bytes) -> None:
        """Say something after what is said already."""
        self.began.clear()
        self._silent.clear()
        self._sound += sound

    async def spoken(self) -> None:
        """Wait until all that was said is sent."""
        await self._silent.wait()

    async def run(self) -> None:
        """Send until cancelled; a machine that is late catches up."""
        clock = asyncio.get_running_loop().time
        began, number = clock(), 0
        while True:
            frame = bytes(self._sound[:FRAME])
            del self._sound[:FRAME]
            data = {"chat_id": self._talk.chat_id, "audio": frame.ljust(FRAME, b"\0")}
            await self._socket.client.emit("attempt_audio_frame", data)
            (self.began if frame else self._silent).set()
            number += 1
            await passes(began + number * FRAME_SECONDS - clock(), because="speech has a pace")


@asynccontextmanager
async def speaking(talk: Talk) -> AsyncIterator[Microphone]:
    """Begin a voice session, and keep its microphone open until the block ends."""
    before = len(talk.client.named("attempt_audio_ready"))
    await talk.client.send("attempt_audio_start", chat_id=talk.chat_id)
    told = await talk.client.until("attempt_audio_ready", chat_id=talk.chat_id, count=before + 1)
    assert told["success"], told
    microphone = Microphone(talk)
    running = asyncio.create_task(microphone.run())
    try:
        yield microphone
    finally:
        running.cancel()
        await asyncio.wait([running])
