"""How long a learner waits for the first sound of a reply, by stage, and how many sessions one core carries.

The learner is the offline voice, heard in real time; the model is scripted and says a word every 20 ms. The
sessions have an engine that hears two seconds, and says two, without any model of speech: what is left is our
own work, with sockets, database and recordings.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from itertools import pairwise

import numpy as np
import uvloop

from bench._parts import PRACTICE, Bench, Client, connect, running
from bench._voices import FRAME, FRAME_SECONDS
from server.engine.conversation.parties import ModelParty
from server.engine.voice.engine import UserSaid
from server.engine.voice.offline.detecting import SpeechDetector
from server.engine.voice.offline.engine import OfflineEngine
from server.engine.voice.offline.resampling import resampled
from server.engine.voice.offline.speaking import PiperSynthesiser
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.speech import CHAT_RATE, SAMPLE_BYTES, SpeechChange, SpeechEnded
from server.llm.models import Models
from tests.support.chats import a_chat

LOUD = 300  # of 32,768: speech ends there
QUESTIONS = (
    "Good morning, I would like to talk about my contract.",
    "Could you tell me what is included in the yearly fee?",
    "I need an answer before the end of the week.",
)
REPLY = "I am glad that you ask. Let me look at what we have for you, and then we can talk about the price."
WARM_SECONDS = 4.0
STAGES = ("end noticed", "understood", "first token", "first sentence", "first sound")


class Marks:
    """When each stage was first reached, since the learner fell silent."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def reached(self, stage: str) -> None:
        """Take note of a stage."""
        self.at.setdefault(stage, time.perf_counter())

    def waits(self) -> list[float]:
        """Return the milliseconds that each stage took."""
        times = [self.at[stage] for stage in ("silent", *STAGES)]
        return [(after - before) * 1e3 for before, after in pairwise(times)]


class WatchedDetector(SpeechDetector):
    """Notes when speech has ended."""

    marks: Marks

    def feed(self, audio: bytes) -> list[SpeechChange]:
        """Take sound."""
        changes = super().feed(audio)
        if any(isinstance(change, SpeechEnded) for change in changes):
            self.marks.reached("end noticed")
        return changes


class WatchedSynthesiser(PiperSynthesiser):
    """Notes when a sentence is asked for."""

    marks: Marks

    async def speak(self, text: str, *, speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Say something."""
        self.marks.reached("first sentence")
        async with aclosing(super().speak(text, speed=speed)) as pieces:
            async for piece in pieces:
                yield piece


class WatchedSpeech(OfflineSpeech):
    """The offline speech, with notes."""

    def __init__(self) -> None:
        super().__init__()
        self._synthesiser: WatchedSynthesiser = WatchedSynthesiser()
        self.marks = Marks()

    def watch(self) -> Marks:
        """Begin new notes."""
        self.marks = self._synthesiser.marks = Marks()
        return self.marks

    def detector(self, *, quiet: float = 0.6) -> WatchedDetector:
        """Return what tells speech from silence."""
        detector = WatchedDetector(quiet=quiet)
        detector.marks = self.marks
        return detector


class WatchedParty(ModelParty):
    """Notes when the model's first words come."""

    marks: Marks

    async def speak(self) -> AsyncGenerator[str, None]:
        """Yield the model's answer."""
        async with aclosing(super().speak()) as parts:
            async for part in parts:
                self.marks.reached("first token")
                yield part


async def first_sound(speech: WatchedSpeech, models: Models, question: bytes) -> list[float]:
    """Ask something in real time, and return how long each stage took."""
    marks = speech.watch()
    engine = OfflineEngine(speech)
    await engine.open(a_chat())
    talking = asyncio.create_task(_talk(engine, question, marks))
    async for event in engine.events():
        if isinstance(event, UserSaid):
            marks.reached("understood")
            break
    heard = asyncio.Event()

    async def play(audio: bytes) -> None:
        marks.reached("first sound")
        heard.set()
        await asyncio.sleep(len(audio) / FRAME * FRAME_SECONDS)

    party = WatchedParty(models, [{"role": "user", "content": "Go on."}])
    party.marks = marks
    async with aclosing(engine.party(party, play=play).speak()) as parts:
        async for _ in parts:
            if heard.is_set():
                break
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    await engine.aclose()
    return marks.waits()


async def _talk(engine: OfflineEngine, question: bytes, marks: Marks) -> None:
    """Say something in frames, at the pace of speech, and then nothing."""
    sound = bytes(FRAME * 12) + question + bytes(FRAME * 1_000)
    ends = FRAME * 12 + len(question)
    began = time.perf_counter()
    for number, at in enumerate(range(0, len(sound), FRAME)):
        await asyncio.sleep(began + number * FRAME_SECONDS - time.perf_counter())
        engine.hear(sound[at : at + FRAME])
        if at + FRAME >= ends:
            marks.reached("silent")


async def stages_bench(bench: Bench, *, rounds: int) -> None:
    """Print the stages between the end of what is said and the first sound of the reply."""
    await bench.script(reply=REPLY, delay_ms=20)
    models = Models(base_url=f"{bench.model_url}/v1", api_key=None, model="scripted")
    speech = WatchedSpeech()
    speech.watch()
    await speech.open()
    questions = [await _said(speech, question) for question in QUESTIONS]
    waits = [await first_sound(speech, models, q) for q in [questions[0], *questions * rounds]][1:]
    await speech.aclose()
    await models.aclose()
    for stage, took in zip(STAGES, zip(*waits, strict=True), strict=True):
        print(f"{stage:16} {statistics.median(took):6.0f} ms   (worst {max(took):.0f})")
    wholes = [sum(wait) for wait in waits]
    print(
        f"{'end to sound':16} {statistics.median(wholes):6.0f} ms   (worst {max(wholes):.0f}, "
        f"{len(wholes)} questions, nothing else in the process)",
        flush=True,
    )


async def _said(speech: OfflineSpeech, text: str) -> bytes:
    """Return the sound of a text until it is silent."""
    pieces = [piece async for piece in speech.synthesiser.speak(text)]
    sound = resampled(b"".join(pieces), speech.synthesiser.rate, CHAT_RATE)
    loud = np.nonzero(np.abs(np.frombuffer(sound, "<i2").astype(int)) > LOUD)[0]
    return sound[: int(loud[-1]) * SAMPLE_BYTES]


class Talker:
    """One session of a client that sends sound all the time, and counts what it hears."""

    def __init__(self, client: Client, chat_id: str) -> None:
        self._client = client
        self._chat_id = chat_id
        self.heard = 0

    async def start(self) -> None:
        """Begin the session."""
        await self._client.call("attempt_audio_start", chat_id=self._chat_id)
        ready = await self._client.event("attempt_audio_ready")
        if not ready["success"]:
            raise RuntimeError(str(ready))

    async def talk(self) -> None:
        """Send frames at the pace of speech, until cancelled."""
        began, number = time.perf_counter(), 0
        while True:
            await self._client.send_sound("attempt_audio_frame", chat_id=self._chat_id, audio=bytes(FRAME))
            number += 1
            await asyncio.sleep(began + number * FRAME_SECONDS - time.perf_counter())

    async def listen(self) -> None:
        """Count what is heard, until cancelled."""
        while True:
            self.heard += len(await self._client.attachment())


async def sessions_bench(bench: Bench, *, sessions: int, seconds: float) -> None:
    """Print what a session costs the server, and so how many one core carries."""
    await bench.script(reply="Go on, please.", delay_ms=20)
    async with AsyncExitStack() as stack:
        talkers = []
        for _ in range(sessions):
            client = await connect(bench)
            stack.push_async_callback(client.close)
            ack = await client.call("attempt_start", practice_id=PRACTICE)
            talkers.append(Talker(client, ack["chat_id"]))
        await asyncio.gather(*(talker.start() for talker in talkers))
        tasks = [asyncio.create_task(part()) for talker in talkers for part in (talker.talk, talker.listen)]
        await asyncio.sleep(WARM_SECONDS)
        before, began, heard = bench.cpu(), time.perf_counter(), sum(t.heard for t in talkers)
        await asyncio.wait(tasks, timeout=seconds)
        spent, took = bench.cpu() - before, time.perf_counter() - began
        spoken = (sum(t.heard for t in talkers) - heard) / FRAME * FRAME_SECONDS / took / sessions
        broken = [task.exception() for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if broken:
        raise RuntimeError(f"{len(broken)} sessions broke: {broken[0]}")
    share = spent / took / sessions
    print(
        f"{sessions} sessions: {share * 100:.2f} % of a core each, so {1 / share:.0f} a core; "
        f"each hears 25 frames a second and was spoken to for {spoken * 100:.0f} % of the time",
        flush=True,
    )


async def compare(*, rounds: int, sessions: int, seconds: float) -> None:
    """Run both."""
    async with running() as bench:
        await stages_bench(bench, rounds=rounds)
        await sessions_bench(bench, sessions=sessions, seconds=seconds)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20)
    uvloop.run(compare(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
