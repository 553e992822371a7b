"""A caller whom a model plays, by a scenario's instructions: the persona of attempts, on the telephone."""

from collections.abc import Iterator, Sequence

from schemas.envelope import Usage
from schemas.evaluator import TestProfile
from schemas.evaluator_run import Setup, TranscriptItem
from server.engine.conversation.parties import persona_prompt
from server.engine.evaluator.callers.caller import Say, Turn
from server.engine.evaluator.callers.player import Cue, Player
from server.engine.evaluator.callers.templating import written
from server.llm import ChatTurn, Models

NAME = "the caller"
BEGIN = "(Somebody has answered your call. Say what you begin with.)"
WHO = (
    "You call somebody and talk with whoever answers: a person or a machine whom you want something from."
    " You are the one who calls, never the one who was called: you do not offer help, you ask for it. Say a"
    " few words at a time, as people do, and give what you are asked for only when it is asked for."
)


class PersonaCaller:
    """Says the scenario's first message, then what a model says, until that calls end_call.

    It does not hang up before the agent has answered it, nor with a question, and it takes leave at most
    twice. A model without tools hangs up with its first goodbye after it was answered, or after 15 turns.
    """

    def __init__(self, setup: Setup, models: Models) -> None:
        """Take a setup whose texts are filled in."""
        self._player = Player(models)
        self._first = setup.scenario.first_message.strip()
        self._prompt = prompt_of(setup, setup.scenario.instructions)

    @property
    def usage(self) -> Usage:
        """Return what the model's answers used so far."""
        return self._player.usage

    async def opening(self) -> Turn | None:
        """Return the first message, or one that the model makes up where the scenario has none."""
        if self._first:
            return (Say(self._first),)
        cue = Cue([ChatTurn(role="user", content=BEGIN)])
        turn = await self._player.turn(self._prompt, cue, may_end=False)
        return tuple(step for step in turn if isinstance(step, Say))

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        """Return what the model says after the agent's turn; raises Upstream."""
        return await self._player.turn(self._prompt, Cue.of(transcript))


def prompt_of(setup: Setup, instructions: str) -> str:
    """Return the system prompt of a setup's caller, who acts by these instructions."""
    parts = [WHO]
    if instructions.strip():
        parts.append(f"What you call for, and how you act:\n{instructions.strip()}")
    if setup.personality is not None and setup.personality.prompt.strip():
        parts.append(f"How you are:\n{setup.personality.prompt.strip()}")
    parts.append(f"Speak this language, whatever the other side speaks: {language(setup)}.")
    return persona_prompt(NAME, "\n\n".join(parts), traits=list(facts_of(setup.profile)))


def language(setup: Setup) -> str:
    """Return the language that the caller speaks: the scenario's, or else the personality's."""
    if setup.scenario.scenario_language != "en" or setup.personality is None:
        return setup.scenario.scenario_language
    return setup.personality.language


def facts_of(profile: TestProfile | None) -> Iterator[tuple[str, str]]:
    """Yield what a test profile tells the caller about itself, each value by its name."""
    if profile is not None:
        for name, value in profile.information.testing_agent_variables.items():
            yield name, written(value)
