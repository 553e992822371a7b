"""What the sound of a call says: who spoke when, how long answers took, who spoke into whom.

All of it is computed from both sides' sound, not from when words were understood: understanding comes later,
and by a time that nobody knows.
"""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from schemas.evaluator_run import CallFigures

FRAME_SECONDS = 0.01
LEAST_LOUDNESS = 25.0  # of 32,768: a line without any noise has no floor
ABOVE_FLOOR = 2.0
FLOOR_PERCENT = 20  # so much of a call is silence, on each side
MOST_FLOOR = 200.0  # where more of it is speech, that is not its floor
BEGIN_FRAMES = 3  # fewer are a click, or a plosive beside speech
PLOSIVE_FRAMES = 20  # between speech and the release of its last sound, as in "week"
PAUSE_SECONDS = 0.35  # shorter ones belong to speech: before a plosive, between words
INTERRUPTION_SECONDS = 0.2  # of both speaking; less is how turns are taken


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech of one side, in seconds since the connection."""

    start: float
    end: float


def figures_of(caller: bytes, agent: bytes, *, rate: int) -> CallFigures:
    """Return what two aligned tracks of PCM say."""
    ours, theirs = stretches(caller, rate=rate), stretches(agent, rate=rate)
    return CallFigures(
        caller_seconds=_sum(ours),
        agent_seconds=_sum(theirs),
        latencies=[round(wait, 3) for wait in latencies(ours, theirs)],
        overlap_seconds=round(sum(_overlap(one, other) for one in ours for other in theirs), 3),
        interruptions=sum(_interrupts(one, ours) for one in theirs),
    )


def stretches(sound: bytes, *, rate: int) -> list[Stretch]:
    """Return when somebody spoke: what is louder than the noise, short pauses included."""
    loud = _loud(np.frombuffer(sound, "<i2"), rate)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.view(np.int8), [0]))))
    found: list[Stretch] = []
    for start, end in _without_clicks(edges.reshape(-1, 2)).tolist():
        stretch = Stretch(start * FRAME_SECONDS, end * FRAME_SECONDS)
        if found and stretch.start - found[-1].end < PAUSE_SECONDS:
            stretch = Stretch(found.pop().start, stretch.end)
        found.append(stretch)
    return found


def latencies(caller: list[Stretch], agent: list[Stretch]) -> list[float]:
    """Return how long the caller waited for each answer: from the end of its speech to the agent's next one.

    Where the agent begins before the caller has ended nothing was waited for. What the caller says in several
    stretches is one turn.
    """
    found = []
    for one, following in zip_longest(caller, caller[1:]):
        answer = next((other for other in agent if other.start >= one.end), None)
        talked_into = any(other.start < one.end < other.end for other in agent)
        if answer is None or talked_into or (following is not None and following.start < answer.start):
            continue
        found.append(answer.start - one.end)
    return found


def _loud(samples: NDArray[np.int16], rate: int) -> NDArray[np.bool_]:
    size = round(rate * FRAME_SECONDS)
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float32)
    loudness = np.sqrt(np.mean(frames * frames, axis=1))
    if not loudness.size:
        return np.zeros(0, dtype=np.bool_)
    floor = min(MOST_FLOOR, float(np.percentile(loudness, FLOOR_PERCENT)))
    found: NDArray[np.bool_] = loudness > max(LEAST_LOUDNESS, ABOVE_FLOOR * floor)
    return found


def _without_clicks(spans: NDArray[np.intp]) -> NDArray[np.intp]:
    """Leave out what is too short to be speech and not beside it; spans are frames, in order."""
    sure = spans[spans[:, 1] - spans[:, 0] >= BEGIN_FRAMES]
    far = 2 * PLOSIVE_FRAMES
    at = np.searchsorted(sure[:, 0], spans[:, 0], side="right")
    since = spans[:, 0] - np.concatenate(([-far], sure[:, 1]))[at]
    until = np.concatenate((sure[:, 0], spans[-1:, 1] + far))[at] - spans[:, 1]
    return spans[(since <= PLOSIVE_FRAMES) | (until <= PLOSIVE_FRAMES)]


def _interrupts(agent: Stretch, caller: list[Stretch]) -> bool:
    """Tell whether the agent begins while the caller speaks, and goes on beside it."""
    return any(
        one.start < agent.start < one.end and _overlap(one, agent) > INTERRUPTION_SECONDS for one in caller
    )


def _overlap(one: Stretch, other: Stretch) -> float:
    return max(0.0, min(one.end, other.end) - max(one.start, other.start))


def _sum(found: list[Stretch]) -> float:
    return round(sum(one.end - one.start for one in found), 3)
