"""Plays a caller by a model, in good manners: asks it again when what it gives cannot be said."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.envelope import Usage
from schemas.evaluator_run import TranscriptItem
from server.engine.evaluator.callers.caller import EndCall, Turn
from server.engine.evaluator.callers.hearing import heard_since, said_by_us, turns_of
from server.engine.evaluator.callers.manners import EARLY, Again, SoFar, decide, is_greeting
from server.engine.evaluator.callers.voice import Voice
from server.errors import Upstream
from server.llm import ChatTurn, Models

TRIES = 3  # answers of the model for one turn
GAVE_NOTHING = (
    "The model that plays the caller gave nothing to say, {tries} times in a row; use a stronger one."
)
HUNG_UP = (
    "The model that plays the caller wanted to hang up before it had said what it calls for, {tries} times in"
    " a row; use a stronger one, or an action with <endcall/> where that is wanted."
)


@dataclass(frozen=True, slots=True)
class Cue:
    """What a caller's model answers: the conversation as it reads it, and who has said what."""

    turns: Sequence[ChatTurn]
    mine: Sequence[str] = ()
    heard: str = ""

    @classmethod
    def of(cls, transcript: Sequence[TranscriptItem]) -> "Cue":
        """Return the cue that a transcript gives."""
        return cls(turns_of(transcript), said_by_us(transcript), heard_since(transcript))

    @property
    def asked(self) -> bool:
        """Tell whether the caller has said more than a greeting, and was answered."""
        said = any(i or not is_greeting(text) for i, text in enumerate(self.mine))
        return said and bool(self.heard.strip())


class Player:
    """Speaks for a caller and decides when it may hang up; `usage` sums up the model's answers."""

    def __init__(self, models: Models) -> None:
        self._voice = Voice(models)
        self._deferred = 0

    @property
    def usage(self) -> Usage:
        """Return what the model's answers used so far."""
        return self._voice.usage

    def spent(self, usage: Usage | None) -> None:
        """Add what another answer used."""
        self._voice.spent(usage)

    async def turn(self, prompt: str, cue: Cue, *, may_end: bool = True, asked: bool | None = None) -> Turn:
        """Return what the caller does next; `asked` says whether it may hang up by now. Raises Upstream."""
        told, again = prompt, Again("", may_end=may_end)
        for _ in range(TRIES):
            spoken = await self._voice.speak(told, cue.turns, may_end=again.may_end)
            so_far = SoFar(
                mine=cue.mine,
                heard=cue.heard,
                asked=cue.asked if asked is None else asked,
                tools=self._voice.tools,
                deferred=self._deferred,
            )
            decided = decide(spoken, so_far)
            if not isinstance(decided, Again):
                put_off = spoken.ends and EndCall() not in decided
                self._deferred = self._deferred + 1 if put_off else 0
                return decided
            again = Again(decided.note, may_end=may_end and decided.may_end)
            told = f"{prompt}\n\n{again.note}"
        raise Upstream(
            (HUNG_UP if again.note == EARLY else GAVE_NOTHING).format(tries=TRIES), retryable=False
        )
