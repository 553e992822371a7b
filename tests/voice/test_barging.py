"""Both sides speak at once: who falls silent, and how much of a text stands in the transcript."""

import time
from typing import Any

import pytest

from server.engine.evaluator.lines.saying import BARGE_SECONDS, YIELD_SECONDS, Saying
from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES
from server.transports import keys
from tests.evaluator.lab import Lab
from tests.support.voices import word_errors
from tests.voice.agents import TwilioWire, spoken, voice_agent

LIST = (
    "We have white bread, brown bread, bread with olives, bread with walnuts, and rolls with many seeds. "
    "Then there are rolls with cheese, rolls with poppy seeds, plain rolls, and a sweet braid with raisins."
)
GOODBYE = "All right, goodbye."
INTO = "Please stop there, because one loaf of bread with olives is enough for me and for my family."
GREETS = "Good morning, I am calling because I would like to know what kinds of bread you have got today."


def acts(first: str) -> dict[str, Any]:
    """Return a caller who begins so, and hangs up at the agent's goodbye, or at the end of its list."""
    return {
        "role": "A customer.",
        "conditions": [
            {"id": 0, "condition": "FIRST_MESSAGE", "action": first, "fixed_message": True},
            {
                "id": 1,
                "condition": 'contains "goodbye" OR contains "raisins"',
                "action": "<endcall/>",
                "fixed_message": True,
            },
        ],
    }


async def call(lab: Lab, first: str, *lines: str, **how: Any) -> tuple[list[str], list[bytes]]:
    """Call an agent; return what the transcript has of the caller, and the sound that the agent heard."""
    speech = lab.server.app[keys.SPEECH]
    await speech.open()
    said = [await spoken(speech, line) for line in lines]
    async with voice_agent(TwilioWire, lines=said, **how) as called:
        agent = await lab.agent("ws://127.0.0.1:1/", voice_transport="twilio", voice_url=called.url)
        scenario = await lab.scenario(agent, conditional_actions=acts(first), max_duration=40)
        answer = await lab.evaluators.start(lab.author, {"scenarios": [scenario]}, as_text=False)
        view = await lab.ended(int(answer["id"]), within=100)
    (run,) = view["runs"].values()
    assert run["metadata"]["ended_reason"] == "Testing agent-ended-call", run
    items = [item["content"] for item in run["transcript_object"] if item["role"] == "Testing Agent"]
    return items, called.heard


async def test_a_caller_speaks_into_an_agent_that_stops(lab: Lab) -> None:
    items, heard = await call(lab, f'Hello. <silence time="2s"/> {INTO}', LIST, GOODBYE, yields=True)
    assert items == ["Hello.", INTO]
    words = await lab.server.app[keys.SPEECH].recogniser.text_of(heard[1], language="en")
    assert word_errors(INTO, words) < 0.3


async def test_a_caller_gives_way_to_an_agent_that_does_not_stop(lab: Lab) -> None:
    items, heard = await call(lab, f'Hello. <silence time="2s"/> {INTO}', LIST, GOODBYE)
    assert items[0] == "Hello."
    assert INTO.startswith(items[1])
    assert 0 < len(items[1]) < len(INTO)
    seconds = len(heard[1]) / (HEARD_RATE * SAMPLE_BYTES)
    assert seconds < YIELD_SECONDS + 2  # with the quiet by which the agent knows that it is over


async def test_an_agent_cuts_a_caller_off(lab: Lab) -> None:
    items, _ = await call(lab, GREETS, GOODBYE, interrupts=True)
    assert len(items) == 1
    assert GREETS.startswith(items[0])
    assert 0 < len(items[0]) < len(GREETS)


@pytest.mark.parametrize(
    ("since", "until", "gives_way"),
    [
        (9.0, 9.0 + BARGE_SECONDS / 2, False),  # a cough
        (9.0, 9.0 + 2 * BARGE_SECONDS, True),
        (1.0, 5.0 + BARGE_SECONDS * 2, False),  # it was spoken into
        (1.0, 5.0 + YIELD_SECONDS * 2, True),
        (1.0, 4.0, False),  # it had ended before
    ],
)
def test_who_speaks_later_has_less_time(since: float, until: float, gives_way: bool) -> None:
    saying = Saying("One two three.")
    assert not saying.gives_way(since, until=until)  # nothing was said yet
    saying.made(1.0, at=5.0)
    assert saying.gives_way(since, until=until) is gives_way


@pytest.mark.parametrize(("complete", "text"), [(True, "one two"), (False, "one")])
def test_what_was_not_made_was_not_heard(complete: bool, text: str) -> None:
    saying = Saying("one two three four" + " " * 46)  # four seconds as speech goes
    saying.made(2.0, at=0.0)
    saying.complete = complete
    saying.barged = True
    assert not saying.made(0.0, at=1.0)
    span = saying.span(unsent=1.0)
    assert (span.text, span.cut) == (text, True)


def test_it_begins_with_its_first_sound() -> None:
    saying = Saying("One two three.")
    asked = saying.span(unsent=0.0).ended
    while time.monotonic() == asked:
        pass  # else the two times could not be told apart
    saying.made(1.0, at=0.0)
    assert saying.span(unsent=0.0).began > asked
