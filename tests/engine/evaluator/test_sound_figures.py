"""What the sound of a call says, against calls whose timings are known."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from schemas.evaluator_run import Talked
from server.engine.evaluator.judging.built_in import compute
from server.engine.evaluator.judging.sound_figures import figures_of, stretches

RATE = 16_000
ERROR = 0.05  # seconds, at most


def voice(seconds: float, *, seed: int) -> np.ndarray:
    """Return something like speech: syllables of a buzz with formants, and short gaps between words."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * t + rng.uniform(0, 6)) / k for k in range(1, 20))
    syllables = 0.35 + 0.65 * np.abs(np.sin(2 * np.pi * 2.5 * t))
    edges = np.minimum(1, np.minimum(t, t[::-1]) / 0.01)
    return np.asarray(2_500 * buzz * syllables * edges + rng.normal(0, 20, t.size))


def track(spans: Sequence[tuple[float, float]], seconds: float, *, noise: float, seed: int) -> bytes:
    """Return a track with speech in some spans, and noise all the time."""
    sound = (
        np.random.default_rng(seed).normal(0, noise, round(seconds * RATE))
        if noise
        else np.zeros(round(seconds * RATE))
    )
    for index, (start, end) in enumerate(spans):
        said = voice(end - start, seed=seed + index)
        at = round(start * RATE)
        sound[at : at + said.size] += said
    return sound.clip(-32_768, 32_767).astype("<i2").tobytes()


@pytest.mark.parametrize("noise", [0.0, 15.0, 60.0])
def test_speech_is_found_where_it_is(noise: float) -> None:
    spans = [(0.5, 2.0), (3.1, 3.6), (5.0, 9.25)]
    found = stretches(track(spans, 10.0, noise=noise, seed=3), rate=RATE)
    assert [one.start for one in found] == [pytest.approx(start, abs=ERROR) for start, _ in spans]
    assert [one.end for one in found] == [pytest.approx(end, abs=ERROR) for _, end in spans]


def test_who_speaks_nearly_all_the_time_is_heard() -> None:
    sound = track([(0.5, 9.5)], 10.0, noise=10, seed=2)
    assert figures_of(bytes(len(sound)), sound, rate=RATE).agent_seconds == pytest.approx(9.0, abs=2 * ERROR)


def test_the_release_of_a_plosive_belongs_to_a_word_and_a_click_to_nobody() -> None:
    spans = [(1.0, 2.0), (2.13, 2.15), (3.5, 3.52), (4.98, 5.0), (5.1, 6.0)]
    found = stretches(track(spans, 7.0, noise=10, seed=4), rate=RATE)
    assert [one.start for one in found] == [pytest.approx(start, abs=ERROR) for start in (1.0, 4.98)]
    assert [one.end for one in found] == [pytest.approx(end, abs=ERROR) for end in (2.15, 6.0)]


@pytest.mark.parametrize("seed", range(5))
def test_latencies_are_those_of_the_sound(seed: int) -> None:
    rng = random.Random(seed)
    caller, agent, waits, at = [], [], [], 0.3
    for _ in range(6):
        said, wait, answer = rng.uniform(0.5, 3), rng.uniform(0.4, 2.5), rng.uniform(0.5, 3)
        caller.append((at, at + said))
        agent.append((at + said + wait, at + said + wait + answer))
        waits.append(wait)
        at += said + wait + answer + rng.uniform(0.5, 1.5)
    figures = figures_of(
        track(caller, at, noise=10, seed=seed), track(agent, at, noise=30, seed=seed + 50), rate=RATE
    )
    assert figures.latencies == [pytest.approx(wait, abs=ERROR) for wait in waits]
    assert (figures.interruptions, figures.overlap_seconds) == (0, 0)
    assert figures.caller_seconds == pytest.approx(sum(b - a for a, b in caller), abs=6 * ERROR)
    assert figures.agent_seconds == pytest.approx(sum(b - a for a, b in agent), abs=6 * ERROR)


def test_who_speaks_into_whom_is_told_apart_from_taking_turns() -> None:
    caller = track([(0.5, 3.0), (5.0, 7.0), (9.0, 10.0)], 12.0, noise=5, seed=1)
    agent = track([(2.0, 4.0), (6.9, 8.0), (10.8, 11.5)], 12.0, noise=5, seed=9)
    figures = figures_of(caller, agent, rate=RATE)
    assert figures.interruptions == 1
    assert figures.overlap_seconds == pytest.approx(1.1, abs=2 * ERROR)
    assert figures.latencies == [pytest.approx(0.8, abs=ERROR)]


def test_of_silence_and_of_texts_there_is_nothing_to_compute() -> None:
    silence = bytes(2 * RATE * 3)
    figures = figures_of(silence, silence, rate=RATE)
    assert (figures.latencies, figures.agent_seconds) == ([], 0)
    assert figures_of(b"", b"", rate=RATE).caller_seconds == 0
    text = Talked(status="completed", ended_reason="Testing agent-ended-call")
    spoken = text.model_copy(update={"figures": figures})
    assert [compute(name, text).value for name in ("overlap", "interruptions", "words_per_minute")] == [
        None
    ] * 3
    assert compute("interruptions", spoken).value == 0
    assert compute("talk_ratio", spoken).value is None
