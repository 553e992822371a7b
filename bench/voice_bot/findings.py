"""What a call came to: what both sides understood, who fell silent when, and whether that is right."""

import io
import statistics
import wave
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from bench.fanout.tables import Rows
from bench.voice_bot.call import INTO, LAST
from bench.voice_bot.environment import Bot
from server.engine.evaluator.judging.sound_figures import Stretch, latencies, stretches
from tests.support.voices import words_of

UNDERSTOOD = 0.8  # of the words, at least: a telephone's sound, and small models on both sides
STOPS_SECONDS = 2.0  # in which the bot has to fall silent
Row = tuple[str, str, bool]


@dataclass(frozen=True)
class Understood:
    """How many of the words that were said stand in what was understood, in their order."""

    right: int
    of: int

    @classmethod
    def between(cls, said: list[str], heard: list[str]) -> "Understood":
        """Compare texts."""
        one, other = words_of(" ".join(said)), words_of(" ".join(heard))
        blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
        return cls(sum(block.size for block in blocks), len(one))

    def row(self, name: str) -> Row:
        """Return it for the table."""
        return name, f"{self.right} of {self.of}", self.right >= UNDERSTOOD * max(1, self.of)


def rows(run: dict[str, Any], recording: bytes, bot: Bot) -> list[Row]:
    """Return what was found: a name, a value, and whether it is as it should be."""
    items = run["transcript_object"]
    ours = [item["content"] for item in items if item["role"] == "Testing Agent"][
        :-1
    ]  # the last words end it
    asked = [text for text in ours if text != LAST]  # with that the caller hangs up
    theirs = [item["content"] for item in items if item["role"] == "Main Agent"]
    caller, agent, seconds = sides(recording)
    return [
        ("how it ended", ended(run), ended(run) == "completed, Testing agent-ended-call"),
        ("recorded", f"{seconds:.0f} s", bool(caller and agent)),
        Understood.between(asked, [one["text"] for one in bot.of("heard")]).row(
            "the caller's words, heard by the bot"
        ),
        Understood.between(in_full(bot), theirs).row("the bot's words, in the transcript"),
        *answers(caller, agent),
        *cut_off(ours, items, agent, bot),
        *marks(bot),
        *((m["name"], f"{m['value']}", m["error"] is None) for m in run["evaluation"]["metrics"]),
    ]


def table(found: list[Row]) -> Rows:
    """Return a table for people."""
    return [("figure", "value", ""), *((name, value, "" if fine else "wrong") for name, value, fine in found)]


def ended(run: dict[str, Any]) -> str:
    """Return how a run ended."""
    return f"{run['status']}, {run['metadata'].get('ended_reason')}"


def in_full(bot: Bot) -> list[str]:
    """Return what the bot has said without being cut off."""
    return [one["text"] for one in bot.of("said") if not one["interrupted"]]


def sides(recording: bytes) -> tuple[list[Stretch], list[Stretch], float]:
    """Return when the caller and the agent spoke, and how long the recording is."""
    with wave.open(io.BytesIO(recording)) as file:
        rate, count = file.getframerate(), file.getnframes()
        frames = np.frombuffer(file.readframes(count), "<i2").reshape(-1, 2)
    caller, agent = (stretches(frames[:, side].tobytes(), rate=rate) for side in (0, 1))
    return caller, agent, count / rate


def answers(caller: list[Stretch], agent: list[Stretch]) -> list[Row]:
    """Return how long the bot's answers took, as they sound."""
    waits = latencies(caller, agent) or [0.0]
    return [
        ("answers of the bot", f"{len(waits)}", len(waits) >= 2),
        ("answer after, median", f"{statistics.median(waits):.2f} s", min(waits) > 0),
        ("answer after, worst", f"{max(waits):.2f} s", True),
    ]


def cut_off(ours: list[str], items: list[dict[str, Any]], agent: list[Stretch], bot: Bot) -> list[Row]:
    """Return what became of the answer into which the caller spoke."""
    item = next((item for item in items if item["content"] == INTO), None)
    stops = None if item is None else silent_after(agent, item["start_time"], item["end_time"])
    return [
        ("the caller's interruption is said whole", "yes" if INTO in ours else "no", INTO in ours),
        (
            "the bot is silent after",
            "it was not speaking" if stops is None else f"{stops:.2f} s",
            stops is not None and stops < STOPS_SECONDS,
        ),
        ("clear, from the bot", f"{len(bot.of('clear'))}", bool(bot.of("clear"))),
        ("answers that the bot took as cut off", f"{cuts(bot)}", cuts(bot) > 0),
    ]


def silent_after(agent: list[Stretch], began: float, ended: float) -> float | None:
    """Return how long the bot spoke on beside the caller, None when it did not speak at all then."""
    return max((one.end - began for one in agent if one.start < ended and one.end > began), default=None)


def cuts(bot: Bot) -> int:
    """Return how many of its answers the bot was not let finish."""
    return sum(one["interrupted"] for one in bot.of("said"))


def marks(bot: Bot) -> list[Row]:
    """Return whether marks came back, and how long they took."""
    sent = {one["name"]: one["at"] for one in bot.of("mark sent")}
    back = {one["name"]: one["at"] for one in bot.of("mark reached")}
    waits = [back[name] - sent[name] for name in sent if name in back] or [0.0]
    return [
        ("marks that came back", f"{len(back)} of {len(sent)}", sent.keys() == back.keys() != set()),
        ("a mark came back after, worst", f"{max(waits):.2f} s", True),
    ]
