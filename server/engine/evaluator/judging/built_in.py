"""Built-in metrics: computed from what a run's transcript holds, without any model."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from schemas.evaluator import BuiltIn
from schemas.evaluator_run import Talked
from server.engine.evaluator.judging.facts import SpokenTurn, functions, spoken_turns, waits

NAMES: tuple[str, ...] = get_args(BuiltIn)
FLAGS = frozenset({"appropriate_termination"})  # the others are numbers
_ENDED = ("Testing agent-ended-call", "Main agent-ended-call")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Computed:
    """A value and what it means, for people; None where there is nothing to compute it from."""

    value: float | bool | None
    explanation: str


_NOT_BY_VOICE = Computed(None, "This was no call by voice, so there is no sound to compute it from.")


def compute(name: BuiltIn, talked: Talked) -> Computed:
    """Return what a built-in metric comes to in a run."""
    return _METRICS[name](talked)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least so many percent of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def _latency(percent: int) -> Callable[[Talked], Computed]:
    def measure(talked: Talked) -> Computed:
        heard = talked.figures
        found = waits(spoken_turns(talked.transcript)) if heard is None else heard.latencies
        if not found:
            return Computed(None, "The agent answered nothing, so no answer was timed.")
        value = round(percentile(found, percent) * 1000, 1)
        return Computed(value, f"Milliseconds to the first words of an answer: p{percent} of {len(found)}.")

    return measure


def _turns(talked: Talked) -> Computed:
    turns = spoken_turns(talked.transcript)
    mine = sum(not turn.agent for turn in turns)
    return Computed(float(len(turns) - mine), f"Turns of the agent; the caller had {mine}.")


def _silence(talked: Talked) -> Computed:
    """Return the longest time in which the agent owed a word; what our caller thinks about is not its own."""
    turns = spoken_turns(talked.transcript)
    quiet = waits(turns)
    if turns and turns[0].agent:
        quiet.append(turns[0].start)
    if not turns or not turns[-1].agent:
        quiet.append(talked.duration - (turns[-1].end if turns else 0.0))
    value = max(quiet, default=0.0)
    return Computed(round(max(0.0, value), 3), "Seconds: the longest time in which the agent owed a word.")


def _repetition(talked: Talked) -> Computed:
    said = [_plain(turn.text) for turn in spoken_turns(talked.transcript) if turn.agent]
    if not said:
        return Computed(None, "The agent said nothing.")
    repeated = len(said) - len(set(said))
    return Computed(
        round(repeated / len(said), 4),
        f"Share of the agent's turns that say what an earlier one said: {repeated} of {len(said)}.",
    )


def _tool_call_success(talked: Talked) -> Computed:
    used = functions(talked.transcript)
    if not used:
        return Computed(1.0, "The agent called no function, so none failed.")
    failed = [use.name for use in used if use.failed]
    named = f"; failed or without a result: {', '.join(dict.fromkeys(failed))[:300]}" if failed else ""
    return Computed(
        round(1 - len(failed) / len(used), 4),
        f"Share of function calls that succeeded: {len(used) - len(failed)} of {len(used)}{named}.",
    )


def _talk_ratio(talked: Talked) -> Computed:
    if (heard := talked.figures) is not None:
        both = heard.agent_seconds + heard.caller_seconds
        if not both:
            return Computed(None, "Nobody said a word.")
        told = f"The agent's share of all speech: {heard.agent_seconds:g} of {both:g} seconds."
        return Computed(round(heard.agent_seconds / both, 4), told)
    turns = spoken_turns(talked.transcript)
    words = sum(_words(turn) for turn in turns)
    if not words:
        return Computed(None, "Nobody said a word.")
    agent = sum(_words(turn) for turn in turns if turn.agent)
    return Computed(round(agent / words, 4), f"The agent's share of all words: {agent} of {words}.")


def _overlap(talked: Talked) -> Computed:
    if talked.figures is None:
        return _NOT_BY_VOICE
    return Computed(talked.figures.overlap_seconds, "Seconds in which both sides spoke.")


def _interruptions(talked: Talked) -> Computed:
    if talked.figures is None:
        return _NOT_BY_VOICE
    told = "How often the agent began while the caller spoke, and went on for more than 0.2 s."
    return Computed(float(talked.figures.interruptions), told)


def _words_per_minute(talked: Talked) -> Computed:
    if talked.figures is None:
        return _NOT_BY_VOICE
    seconds = talked.figures.agent_seconds
    words = sum(_words(turn) for turn in spoken_turns(talked.transcript) if turn.agent)
    if not words or not seconds:
        return Computed(None, "The agent said nothing.")
    told = f"The agent's words in a minute of its speech: {words} in {seconds:g} seconds."
    return Computed(round(60 * words / seconds, 1), told)


def _appropriate_termination(talked: Talked) -> Computed:
    """Return whether a side ended the call when the agent owed the caller nothing."""
    if talked.ended_reason not in _ENDED:
        return Computed(False, f"Nobody ended the call: {talked.ended_reason}.")
    open_calls = [use.name for use in functions(talked.transcript) if not use.answered]
    if open_calls:
        return Computed(False, f"The call ended before a result of {open_calls[0][:100]} was told.")
    turns = spoken_turns(talked.transcript)
    if not any(turn.agent for turn in turns):
        return Computed(False, "The call ended before the agent said anything.")
    if talked.ended_reason == "Main agent-ended-call" and not turns[-1].agent:
        return Computed(False, "The agent ended the call without an answer to the caller's last words.")
    return Computed(True, "A side ended the call when the agent owed no answer.")


def _words(turn: SpokenTurn) -> int:
    return len(_WORD.findall(turn.text))


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold())) or text.strip()


_METRICS: dict[BuiltIn, Callable[[Talked], Computed]] = {
    "latency_p50": _latency(50),
    "latency_p90": _latency(90),
    "latency_p95": _latency(95),
    "latency_p99": _latency(99),
    "turns": _turns,
    "silence": _silence,
    "repetition": _repetition,
    "tool_call_success": _tool_call_success,
    "talk_ratio": _talk_ratio,
    "overlap": _overlap,
    "interruptions": _interruptions,
    "words_per_minute": _words_per_minute,
    "appropriate_termination": _appropriate_termination,
}
