"""How far the figures of a call's sound are from its true timings.

The calls are made up: sentences of the offline voice, trimmed to what is heard of them, are put at known
places on two tracks, with interruptions, at several levels of noise, quietly, and as a telephone has them.
"""

import argparse
import asyncio
import random
import statistics
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.evaluator_run import CallFigures
from server.engine.evaluator.judging.sound_figures import figures_of
from server.engine.voice.offline.resampling import resampled, ulaw_decode, ulaw_encode
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.speech import HEARD_RATE
from tests.support.voices import SENTENCES, said

GOAL_MS = 50.0
TURNS = 8  # of each side in a call
FRAME = HEARD_RATE // 100
AUDIBLE = 0.01  # of the loudest 10 ms of a sentence: 40 dB below it
INTERRUPTED = 4  # every so many turns
Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """What a line does to sound."""

    name: str
    noise: float = 0.0  # RMS, of 32,768
    volume: float = 1.0
    telephone: bool = False


LINES = (
    Line("clean"),
    Line("noise of 15", noise=15),
    Line("noise of 60", noise=60),
    Line("at a quarter of the volume, noise of 5", noise=5, volume=0.25),
    Line("telephone, noise of 30", noise=30, telephone=True),
)


@dataclass
class Truth:
    """A call, and what is true of it; seconds."""

    caller: Samples
    agent: Samples
    latencies: list[float] = field(default_factory=list)
    overlap: float = 0.0
    interruptions: int = 0
    talked: list[float] = field(default_factory=lambda: [0.0, 0.0])


def trimmed(sound: bytes) -> Samples:
    """Return a sentence without the silence around it."""
    samples = np.frombuffer(sound, "<i2").astype(float)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    loudness = np.sqrt((frames**2).mean(axis=1))
    heard = np.flatnonzero(loudness > AUDIBLE * loudness.max())
    return samples[heard[0] * FRAME : (heard[-1] + 1) * FRAME]


def a_call(sentences: list[Samples], rng: random.Random) -> Truth:
    """Put sentences on two tracks in turn; now and then the agent begins before the caller has ended."""
    size = sum(2 * len(s) for s in sentences) * TURNS
    truth = Truth(np.zeros(size), np.zeros(size))
    at = HEARD_RATE // 2
    for turn in range(TURNS):
        mine, theirs = rng.choice(sentences), rng.choice(sentences)
        interrupts = turn % INTERRUPTED == INTERRUPTED - 1
        wait = -rng.uniform(0.4, 1.0) if interrupts else rng.uniform(0.2, 2.5)
        begin = at + len(mine) + round(wait * HEARD_RATE)
        truth.caller[at : at + len(mine)] += mine
        truth.agent[begin : begin + len(theirs)] += theirs
        if interrupts:
            truth.interruptions += 1
            truth.overlap -= wait
        else:
            truth.latencies.append((begin - at - len(mine)) / HEARD_RATE)
        truth.talked[0] += len(mine) / HEARD_RATE
        truth.talked[1] += len(theirs) / HEARD_RATE
        at = begin + len(theirs) + round(rng.uniform(0.6, 1.5) * HEARD_RATE)
    truth.caller, truth.agent = truth.caller[:at], truth.agent[:at]
    return truth


def over(line: Line, sound: Samples, *, seed: int) -> bytes:
    """Return a track as a line carries it."""
    noise = np.random.default_rng(seed).normal(0, line.noise, sound.size) if line.noise else 0.0
    pcm = (sound * line.volume + noise).clip(-32_768, 32_767).astype("<i2").tobytes()
    if not line.telephone:
        return pcm
    narrow = ulaw_decode(ulaw_encode(resampled(pcm, HEARD_RATE, 8_000)))
    return resampled(narrow, 8_000, HEARD_RATE)


@dataclass
class Errors:
    """How far the figures of some calls were from the truth: ms, or of the count itself."""

    latency: list[float] = field(default_factory=list)
    overlap: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)
    miscounted: int = 0

    def note(self, truth: Truth, found: CallFigures) -> None:
        """Compare a call."""
        self.miscounted += found.interruptions != truth.interruptions
        self.miscounted += len(found.latencies) != len(truth.latencies)
        pairs = zip(truth.latencies, found.latencies, strict=False)
        self.latency += [abs(wanted - got) * 1e3 for wanted, got in pairs]
        self.overlap.append(abs(truth.overlap - found.overlap_seconds) * 1e3 / truth.interruptions)
        wanted = truth.talked[1] / sum(truth.talked)
        heard = found.caller_seconds + found.agent_seconds
        self.ratio.append(abs(wanted - found.agent_seconds / heard))


def row(line: Line, errors: Errors) -> str:
    """Return a line of the table."""
    latency = sorted(errors.latency)
    p95 = latency[int(0.95 * (len(latency) - 1))]
    missed = sum(error > GOAL_MS for error in (*latency, *errors.overlap))
    return (
        f"{line.name:40} {statistics.median(latency):6.1f} {p95:6.1f} {latency[-1]:6.1f} "
        f"{statistics.median(errors.overlap):8.1f} {max(errors.overlap):6.1f} "
        f"{max(errors.ratio):7.1%} {errors.miscounted:7}  {missed or 'none'} missed"
    )


async def sentences() -> list[Samples]:
    """Return the sentences of the offline voice."""
    speech = OfflineSpeech()
    await speech.open()
    try:
        return [trimmed(await said(speech.synthesiser, text)) for text in SENTENCES]
    finally:
        await speech.aclose()


def main() -> None:
    """Make calls, and print how far their figures are from the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=40, help="of each kind of line")
    calls = parser.parse_args().calls
    spoken = asyncio.run(sentences())
    print(f"{calls} calls of {2 * TURNS} turns for each line; errors in ms; goal {GOAL_MS:g} ms\n")
    print(f"{'':40} {'latency':>20} {'overlap':>15} {'talk':>7} {'counts':>7}")
    columns = f"{'median':>6} {'p95':>6} {'worst':>6} {'median':>8} {'worst':>6} {'ratio':>7} {'wrong':>7}"
    print(f"{'line':40} {columns}")
    for line in LINES:
        errors = Errors()
        for number in range(calls):
            truth = a_call(spoken, random.Random(number))
            caller = over(line, truth.caller, seed=2 * number)
            agent = over(line, truth.agent, seed=2 * number + 1)
            errors.note(truth, figures_of(caller, agent, rate=HEARD_RATE))
        print(row(line, errors))


if __name__ == "__main__":
    main()
