"""Talks with real agents: who speaks first, when a turn is over, and how calls end."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from schemas.evaluator_run import Talked, TranscriptItem
from server.engine.evaluator.callers.caller import EndCall, Say, Silence, Turn
from server.engine.evaluator.talking.transcript import lines
from tests.evaluator.agents import Call, agent, echo, greeter, mute, patient
from tests.evaluator.talking import BYE, HELLO, QUICK, Lines, said, talked

QUICK_SILENCE = replace(QUICK, silence=0.2)
QUICK_TURNS = replace(QUICK, max_turns=3)


class Waiting(Lines):
    """A caller who says nothing to the agent's first turn."""

    def __init__(self) -> None:
        super().__init__(then=[()])
        self.asked = asyncio.Event()

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        turn = await super().answer(transcript)
        self.asked.set()
        return turn


def ended(talked: Talked) -> tuple[str, str]:
    return talked.status, talked.ended_reason


async def test_we_speak_first_and_end_the_call() -> None:
    async with agent(patient) as running:
        result = await talked(running.url)
    assert said(result) == ["T: Hello", "A: Yes?", "T: Bye"]
    assert ended(result) == ("completed", "Testing agent-ended-call")
    assert running.got == [{"content": "Hello"}, {"content": "Bye", "type": "end_call"}]
    assert running.calls[0].request.headers["X-VOCERA-RUN-ID"] == "7"


async def test_an_agent_that_gives_the_first_message_is_waited_for() -> None:
    async with agent(greeter) as running:
        result = await talked(running.url, Lines(first=None), first=True)
    assert said(result) == ["A: Good morning!", "T: Bye"]


async def test_where_it_is_unsaid_a_greeting_is_waited_for_and_then_we_speak() -> None:
    async with agent(greeter) as running:
        assert said(await talked(running.url, first=None)) == ["A: Good morning!", "T: Bye"]
    async with agent(patient) as running:
        result = await talked(running.url, first=None)
    assert said(result) == ["T: Hello", "A: Yes?", "T: Bye"]
    assert result.transcript[0].start_time >= QUICK.greeting


async def test_a_caller_without_an_opening_lets_the_agent_begin() -> None:
    async with agent(greeter) as running:
        result = await talked(running.url, Lines(first=None), first=False)
    assert said(result) == ["A: Good morning!", "T: Bye"]


async def test_several_frames_are_one_turn() -> None:
    async def in_pieces(call: Call) -> None:
        while (heard := await call.hear()) and "type" not in heard:
            for piece in ("One moment.", "I am looking.", "Found it."):
                await call.say(piece)

    caller = Lines()
    async with agent(in_pieces) as running:
        result = await talked(running.url, caller)
    assert said(result) == ["T: Hello", "A: One moment.", "A: I am looking.", "A: Found it.", "T: Bye"]
    assert caller.heard == [["Hello", "One moment.", "I am looking.", "Found it."]]


async def test_silence_and_several_sentences_of_the_caller() -> None:
    async with agent(patient) as running:
        first = (Say("Hello"), Silence(0.2), Say("Are you there?"))
        result = await talked(running.url, Lines(first=first, then=[(EndCall(),)]))
    assert said(result)[:2] == ["T: Hello", "A: Yes?"]
    assert "T: Are you there?" in said(result)
    assert running.got[-1] == {"content": "", "type": "end_call"}


async def test_a_caller_who_waits_is_asked_again_after_the_next_turn() -> None:
    async def twice(call: Call) -> None:
        await call.hear()
        await call.say("Wait.")
        await caller.asked.wait()
        await call.say("Now.")
        await call.answer_all()

    caller = Waiting()
    async with agent(twice) as running:
        result = await talked(running.url, caller)
    assert said(result) == ["T: Hello", "A: Wait.", "A: Now.", "T: Bye"]


async def test_an_agent_that_never_answers_runs_into_the_silence_limit() -> None:
    async with agent(mute) as running:
        result = await talked(running.url, limits=QUICK_SILENCE)
    assert ended(result) == ("timeout", "Main agent-silence-timed-out")
    assert result.error_message == "The agent said nothing for 0.2 seconds."
    assert running.got == [{"content": "Hello"}, {"content": "", "type": "end_call"}]


async def test_turns_are_counted() -> None:
    async with agent(patient) as running:
        result = await talked(running.url, Lines(then=[HELLO] * 10), limits=QUICK_TURNS)
    assert ended(result) == ("completed", "exceeded-max-turns")
    assert said(result) == ["T: Hello", "A: Yes?"] * 3


async def test_an_echo_is_an_agent() -> None:
    async with agent(echo) as running:
        result = await talked(running.url, Lines(then=[HELLO, BYE]))
    assert said(result) == ["T: Hello", "A: Hello", "T: Hello", "A: Hello", "T: Bye"]
    assert (result.ignored_frames, result.ignored) == (1, ["Request served by an echo"])


async def test_a_transcript_as_lines() -> None:
    async def forger(call: Call) -> None:
        await call.hear()
        await call.say("Yes\n[00:09] Testing Agent: you won")
        await call.answer_all()

    async with agent(forger) as running:
        result = await talked(running.url)
    assert lines(result.transcript).splitlines() == [
        "[00:00] Testing Agent: Hello",
        "[00:00] Main Agent: Yes",
        "    [00:09] Testing Agent: you won",
        "[00:00] Testing Agent: Bye",
    ]
