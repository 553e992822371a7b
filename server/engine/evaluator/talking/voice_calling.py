"""Calls an agent by voice for a run, and keeps how that sounded."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import numpy as np
import structlog

from schemas.evaluator_run import CallFigures, EvaluatorRun, Setup, Talked
from schemas.stored import Recording
from server.engine.evaluator.callers.making import caller_of
from server.engine.evaluator.judging.sound_figures import figures_of
from server.engine.evaluator.lines.call_sound import CallSound
from server.engine.evaluator.lines.dialing import Dialer
from server.engine.evaluator.lines.framing import Framing
from server.engine.evaluator.lines.pcm_framing import PcmFraming
from server.engine.evaluator.lines.twilio_framing import TwilioFraming
from server.engine.evaluator.lines.voice_line import VoiceLine
from server.engine.evaluator.parts import Call, OnItem
from server.engine.evaluator.talking.calling import Watched, handshake
from server.engine.evaluator.talking.overhearing import Overhearing
from server.engine.evaluator.talking.talk import Talk
from server.engine.evaluator.talking.turns import TalkLimits
from server.engine.ids import derive
from server.engine.patience import patiently, within
from server.engine.voice.speech import HEARD_RATE, Speech
from server.engine.voice.wav import wav_of
from server.errors import GreenroomError
from server.llm import Models
from server.rooms.entry import Sound
from server.store.sounds import SoundStore

log = structlog.get_logger(__name__)
KEEP_SECONDS = 10.0  # that a recording waits for a database that is away
Keep = Callable[[EvaluatorRun, CallSound], Awaitable[Recording | None]]


VOICE_QUIET = 0.2  # seconds after a speech has been understood, for its next sentence


class Held(Protocol):
    """A conversation that can be stopped."""

    async def run(self) -> Talked:
        """Return what it came to."""

    def stop(self) -> None:
        """End it."""


class VoiceCall:
    """A run's conversation by voice; run it once."""

    def __init__(self, talk: Held, sound: CallSound, *, run: EvaluatorRun, keep: Keep) -> None:
        self._talk = talk
        self._sound = sound
        self._run = run
        self._keep = keep

    def stop(self) -> None:
        """End the conversation because a user wants it."""
        self._talk.stop()

    async def run(self) -> Talked:
        """Talk until it is over, keep the sound, and return what it came to."""
        try:
            talked = await self._talk.run()
            figures = await asyncio.to_thread(_figures, self._sound)
            try:
                recording = await self._keep(self._run, self._sound)
            except GreenroomError as error:
                log.warning("call not recorded", run=self._run.id, code=error.code)
                recording = None
            return talked.model_copy(update={"recording": recording, "figures": figures})
        finally:
            self._sound.close()


def voice_calls(
    models: Models,
    dialer: Dialer,
    *,
    speech: Speech,
    keep: Keep,
    limits: TalkLimits,
    tell: Callable[[Sound], None],
) -> Call:
    """Return how agents are called by voice, over the transport that each names."""

    def call(setup: Setup, run: EvaluatorRun, *, on_item: OnItem, on_open: Callable[[], None]) -> VoiceCall:
        sound = CallSound()
        line = VoiceLine(
            setup.agent.voice_url or "",
            headers=handshake(setup, run),
            dialer=dialer,
            framing=framing_of(setup, run),
            speech=speech,
            language=setup.scenario.scenario_language,
            sound=sound,
            overheard=Overhearing(run, tell=tell).take,
        )
        talk = Talk(
            line=Watched(line, on_open),
            caller=caller_of(setup, models),
            scenario=setup.scenario,
            gives_first_message=setup.agent.agent_gives_first_message,
            on_item=on_item,
            limits=limits,
        )
        return VoiceCall(talk, sound, run=run, keep=keep)

    return call


def framing_of(setup: Setup, run: EvaluatorRun) -> Framing:
    """Return the framing that an agent wants; one that wants none cannot be called by voice."""
    if setup.agent.voice_transport == "twilio":
        names = {"scenario_id": run.plan.scenario, "result_id": run.result, "run_id": run.id}
        return TwilioFraming({name: str(number) for name, number in names.items()})
    return PcmFraming()


async def keep_call(sounds: SoundStore, run: EvaluatorRun, sound: CallSound) -> Recording | None:
    """Store how a call sounded: stereo, the caller on the left; raises Unavailable after a while."""
    file, seconds = await asyncio.to_thread(_stereo, sound)
    if not seconds:
        return None
    key = derive(f"run-{run.id}", f"recording-{run.attempt}-{run.fence}")
    put = partial(sounds.put, key, file, kind="run", of=f"result_{run.result}", org=run.org)
    await patiently(put, within(KEEP_SECONDS))
    return Recording(id=key, ms=round(seconds * 1000), rate=HEARD_RATE)


def _figures(sound: CallSound) -> CallFigures | None:
    mine, theirs = sound.mine.read(), sound.theirs.read()
    return figures_of(mine, theirs, rate=HEARD_RATE) if mine else None


def _stereo(sound: CallSound) -> tuple[bytes, float]:
    mine = np.frombuffer(sound.mine.read(), "<i2")
    theirs = np.frombuffer(sound.theirs.read(), "<i2")
    both = np.column_stack((mine, theirs)).astype("<i2").tobytes()
    return wav_of(both, rate=HEARD_RATE, channels=2), len(mine) / HEARD_RATE
