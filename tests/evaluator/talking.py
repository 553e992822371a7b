"""Talks for tests: a caller with fixed lines, short limits, and what came of it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from schemas.envelope import Usage
from schemas.evaluator import EvaluatorScenario
from schemas.evaluator_run import Talked, TranscriptItem
from server.engine.evaluator.callers.caller import Caller, EndCall, Say, Turn
from server.engine.evaluator.lines.dialing import Dialer
from server.engine.evaluator.lines.text_line import LineLimits, TextLine
from server.engine.evaluator.talking.talk import Talk
from server.engine.evaluator.talking.turns import TalkLimits

QUICK = TalkLimits(quiet=0.05, greeting=0.2, silence=2.0, drain=0.1)
HELLO: Turn = (Say("Hello"),)
BYE: Turn = (Say("Bye"), EndCall())


@dataclass
class Lines:
    """A caller with fixed turns: the opening, then one for each of the agent's; at their end it hangs up."""

    first: Turn | None = HELLO
    then: Sequence[Turn] = ()
    usage: Usage = field(default_factory=Usage)
    heard: list[list[str]] = field(default_factory=list)

    async def opening(self) -> Turn | None:
        return self.first

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        self.heard.append([item.content for item in transcript])
        asked = len(self.heard)
        return self.then[asked - 1] if asked <= len(self.then) else BYE


def scenario(**fields: object) -> EvaluatorScenario:
    """Return a scenario."""
    return EvaluatorScenario.model_validate({"name": "A call", "agent": 1, **fields})


@asynccontextmanager
async def talk(
    url: str,
    caller: Caller | None = None,
    *,
    first: bool | None = False,
    limits: TalkLimits = QUICK,
    line: LineLimits | None = None,
    max_duration: float = 10,
    on_item: Callable[[int, TranscriptItem], None] = lambda _index, _item: None,
) -> AsyncIterator[Talk]:
    """Make a talk with an agent, not yet running."""
    dialer = Dialer(private=True)

    async def told(index: int, item: TranscriptItem) -> None:
        on_item(index, item)

    try:
        yield Talk(
            line=TextLine(
                url, headers={"X-VOCERA-RUN-ID": "7"}, dialer=dialer, limits=line or LineLimits(dial=2.0)
            ),
            caller=caller or Lines(),
            scenario=scenario().model_copy(update={"max_duration": max_duration}),
            gives_first_message=first,
            on_item=told,
            limits=limits,
        )
    finally:
        await dialer.aclose()


async def talked(
    url: str,
    caller: Caller | None = None,
    *,
    first: bool | None = False,
    limits: TalkLimits = QUICK,
    line: LineLimits | None = None,
    max_duration: float = 10,
) -> Talked:
    """Talk with an agent to the end; what was told item by item is what the transcript holds."""
    told: list[tuple[int, TranscriptItem]] = []
    async with talk(
        url,
        caller,
        first=first,
        limits=limits,
        line=line,
        max_duration=max_duration,
        on_item=lambda index, item: told.append((index, item)),
    ) as one:
        result = await one.run()
    assert told == list(enumerate(result.transcript))
    return result


def said(talked: Talked) -> list[str]:
    """Return a transcript as short lines: who (A the agent, T the caller, F functions) and what."""
    short = {"Main Agent": "A", "Testing Agent": "T", "Function Call": "F", "Function Call Result": "R"}
    return [f"{short[item.role]}: {item.content}" for item in talked.transcript]
