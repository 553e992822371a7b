"""The demo agent on a port, and a scripted model that plays callers and judges, whatever is planted."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from content.evaluator.demo_agent import app_of
from tests.imports import ROOT

FILE = ROOT / "content" / "evaluator" / "scenarios.yaml"
MARY = "A talkative guest with an allergy"
GRACE = "Grace in a hurry"
END = [{"name": "end_call", "arguments": {"all_answered": True}}]
BYE = {"reply": "No, thank you. Goodbye.", "tool_calls": END}
Rule = dict[str, Any]


@asynccontextmanager
async def trattoria(*bugs: str) -> AsyncIterator[str]:
    """Serve the demo agent with bugs, and yield its address."""
    runner = web.AppRunner(app_of(frozenset(bugs)), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def script(*, forgetful: bool = False) -> list[Rule]:
    """Return the judge's rules and the callers'; a forgetful one says nothing of its allergy."""
    return [*_judge(), *_grace(), *_mary(forgetful=forgetful)]


def _judge() -> Iterator[Rule]:
    """Look for what the conversation itself shows; nobody tells the judge what is planted."""
    outcomes = {"schema": "OutcomesVerdict"}
    yield _outcome({**outcomes, "system_contains": "peanut", "last_contains": "allergy: peanut"}, met=True)
    yield _outcome({**outcomes, "system_contains": "peanut"}, met=False)
    yield _outcome({**outcomes, "last_contains": "book_table"}, met=True)
    yield _outcome(outcomes, met=False)
    caller = {"schema": "SimulatorVerdict"}
    yield _mistake({**caller, "system_contains": "Mary Shelley", "last_contains": "allergic to"}, made=False)
    yield _mistake({**caller, "system_contains": "Mary Shelley"}, made=True)
    yield _mistake(caller, made=False)
    yield {"match": {"schema": "RatingAnswer"}, "json": {"explanation": "It is polite.", "value": 4}}


def _outcome(match: Rule, *, met: bool) -> Rule:
    explanation = "The conversation shows it." if met else "Nothing in the conversation shows it."
    found = {"outcome": "What was expected", "explanation": explanation, "met": met}
    return {"match": match, "json": {"outcomes": [found]}}


def _mistake(match: Rule, *, made: bool) -> Rule:
    explanation = "The caller did not speak of its allergy." if made else "It did what it was told."
    return {"match": match, "json": {"explanation": explanation, "mistake": made}}


def _grace() -> Iterator[Rule]:
    asks = {"system_contains": "Grace Hopper"}
    said = "A table for two on Friday at 7 pm under the name Grace Hopper, please."
    yield {"match": {**asks, "last_contains": "How can I help"}, "reply": said}
    yield {"match": {**asks, "last_contains": "Shall I book"}, "reply": "Yes, please."}
    yield {"match": {**asks, "last_contains": "anything else"}, **BYE}


def _mary(*, forgetful: bool) -> Iterator[Rule]:
    asks = {"system_contains": "Mary Shelley"}
    allergy = "" if forgetful else " I am allergic to peanuts."
    yield {"match": {**asks, "last_contains": "How can I help"}, "reply": "I would like a table for two."}
    yield {"match": {**asks, "last_contains": "which day"}, "reply": "On Sunday."}
    yield {"match": {**asks, "last_contains": "what time"}, "reply": "At 19:30."}
    yield {"match": {**asks, "last_contains": "your name"}, "reply": f"My name is Mary Shelley.{allergy}"}
    yield {"match": {**asks, "last_contains": "Shall I book"}, "reply": "Yes, please."}
    yield {"match": {**asks, "last_contains": "anything else"}, **BYE}
