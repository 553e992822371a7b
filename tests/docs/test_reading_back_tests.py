"""Holds the examples of tests in docs/reading-back.md to what a server answers, field by field."""

from typing import Any

from schemas.content import RecordedMessage
from schemas.test import ReplayedMessage
from server.transports import keys
from tests.docs.test_reading_back import example, missing
from tests.support.rest import people_of
from tests.support.running import Server
from tests.support.stored_replays import (
    INVOCATION,
    TEST,
    make_grade,
    make_invocation,
    make_recording,
    make_run,
    make_test,
    put,
)


def both_ways(shown: Any, real: Any) -> list[str]:
    """Return the fields that only one of two objects has."""
    return missing(shown, real) + [f"not shown: {path}" for path in missing(real, shown)]


async def test_the_examples_have_exactly_the_fields_of_the_answers(server: Server) -> None:
    run = make_run("one", grades=[make_grade()])
    await put(server.app[keys.STORE], make_test(), make_invocation(), make_recording(), run)
    async with people_of(server) as people:
        author = people.a("author")
        test = await author.get(f"tests/{TEST}")
        assert both_ways({**example("A test"), "invocations": []}, {**test, "invocations": []}) == []
        shown, real = example("An invocation"), await author.get(f"invocations/{INVOCATION}")
        assert both_ways({**shown, "figures": {}}, {**real, "figures": {}}) == []
        assert missing(shown["figures"], real["figures"]) == []
        shown, real = example("A run"), await author.get(f"runs/{run.id}")
        parts = {"messages": [], "recording": {**shown["recording"], "rubric": None, "messages": []}}
        found = {"messages": [], "recording": {**real["recording"], "rubric": None, "messages": []}}
        assert both_ways({**shown, **parts}, {**real, **found, "grades": []}) == []
        for messages, model in (
            (shown["messages"], ReplayedMessage),
            (shown["recording"]["messages"], RecordedMessage),
        ):
            assert {name for message in messages for name in message} == set(model.model_fields)
