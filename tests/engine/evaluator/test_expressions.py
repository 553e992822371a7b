"""Expressions of custom metrics: what they read, and what hostile ones cannot do."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from schemas.evaluator_run import Talked
from server.engine.evaluator.judging.expressions import (
    CHILD,
    NOT_REACHED,
    SPENT,
    TOO_MUCH,
    Evaluated,
    Expressions,
    problem,
)
from tests.engine.evaluator.judging import AGENT, CALLER, answered, called, talked

RUN = talked(
    called("book", arguments='{"guests": 2, "day": "Friday"}'),
    answered('{"id": 9}'),
    metadata={"ü": [None, 2**70], "nan": float("nan"), "text": "a\u2028b", "half": "\ud800"},
)
LONG = "data.transcript[0].content"
DOUBLED = f'[1].map(a, "{"x" * 40}")' + 9 * ".map(a, a+a+a+a+a+a+a+a)" + ".size()"


async def values(*codes: str, run: Talked = RUN) -> list[Evaluated]:
    return await Expressions().evaluate(codes, run)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("data.turns > 2 && data.duration < 6.0", True),
        ('data.tools.exists(t, t.name == "book" && t.arguments.guests == 2 && t.result.id == 9)', True),
        ("size(data.tools.filter(t, t.failed))", 0.0),
        (f'data.transcript.exists(t, t.role == "{AGENT}" && t.content.contains("booked"))', True),
        (f'data.transcript.all(t, t.role != "{CALLER}" || !t.content.matches("(?i)please.*please"))', True),
        ("has(data.metadata.missing)", False),
        ("data.metadata['ü'][1] > 1e21", True),
        ("data.metadata.text", "a\u2028b"),
        ("data.ended_reason", "Testing agent-ended-call"),
        ("data.metadata.half", "?"),
        ("data.duration", 5.0),
        ("9223372036854775807", float(2**63)),
    ],
)
async def test_expressions_read_a_run(code: str, value: Any) -> None:
    [found] = await values(code)
    assert found == Evaluated(value=value)
    assert type(found.value) is type(value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("data.transcript", "gives LIST"),
        ("null", "gives NULL"),
        ("data.metadata.nan", "finite number"),
        ("data.metadata.missing", "missing"),
        ("data.transcript[100]", "100"),
        ("data.turns + data.duration", "No matching overloads"),
        ("1 / 0", "divide by zero"),
        ("9223372036854775807 + 1", "overflow"),
        ("nothing.here", "undeclared reference"),
        ("data.turns >", "Syntax error"),
        ("", "Syntax error"),
        (f"'{'x' * 3000}' + '{'x' * 3000}'", "too long"),
    ],
)
async def test_an_expression_without_a_value_says_why_and_leaves_the_others_alone(
    code: str, says: str
) -> None:
    first, second = await values(code, "data.turns")
    assert first.value is None
    assert says in (first.error or "")
    assert "\n" not in (first.error or "")
    assert second.value == 3


def test_nothing_but_data_can_be_named() -> None:
    for name in ("open('/etc/passwd')", "__import__('os')", "data.exec()", "env", "import", "x = 1"):
        assert problem(name) is not None
    assert problem("data.anything.may.be.there[0]") is None


@pytest.mark.parametrize(
    "code",
    ["(" * 4000, "[" * 4000, "!" * 3999 + "data", "1+" * 1999 + "1", "a?" * 2000, "data" + ".x" * 1900],
)
def test_expressions_that_exhaust_a_parser_are_refused_or_compiled(code: str) -> None:
    assert "\n" not in (problem(code) or "")


# --- hostile ones ------------------------------------------------------------------------------------------


def large() -> Talked:
    """Return a transcript of 2 MB in 4,000 items, the first one of 64 KB."""
    lines = [(AGENT if n % 2 else CALLER, "hello " * 80, n / 10) for n in range(4_000)]
    return talked(lines=[(AGENT, "h" * 64_000, 0.0), *lines])


async def test_loops_in_loops_end_soon() -> None:
    inner = "data.transcript.all(c, a.time == b.time || c.role != 'x')"
    found = await values(
        f"data.transcript.all(a, data.transcript.all(b, {inner}))", "data.turns", run=large()
    )
    assert "too many items" in (found[0].error or "")
    assert found[1].value == 2_001


async def test_a_text_that_doubles_does_not_fill_the_memory() -> None:
    first, second = await values(DOUBLED, "data.turns")
    assert "memory" in (first.error or "") or first.error == TOO_MUCH
    assert second.value == 3


@pytest.mark.parametrize(
    "pattern", ["(h+)+$", "(h|hh)+x", "(.*)*x", "((((h{100}){100}){100}){100})", "(?=h)", "(h)\\\\1"]
)
async def test_patterns_that_blow_up_elsewhere_are_quick_or_refused(pattern: str) -> None:
    first, second = await values(f'{LONG}.matches("{pattern}")', "data.turns", run=large())
    assert (first.value is None) is (first.error is not None)
    assert first.error != TOO_MUCH
    assert second.value == 2_001


async def test_an_expression_that_takes_all_the_time_is_ended_and_the_others_are_done() -> None:
    text = f"[{LONG}].map(a, a + a + a + a + a).map(a, a + a + a + a + a)"
    busy = f'{text}.all(long, data.transcript.all(t, !long.matches("[g-i]{{3}}[0-9]")))'
    expressions = Expressions()
    first, second = await expressions.evaluate([busy, "data.turns"], large(), batch=7)
    assert (first.error, first.spent) == (TOO_MUCH, True)
    again, _ = await expressions.evaluate([busy, "data.turns"], large(), batch=7)
    assert (again.error, second.value) == (SPENT, 2_001)


async def test_many_that_take_all_the_time_do_not_take_it_for_ever() -> None:
    found = await values(*[DOUBLED] * 3, *["data.turns"] * 2)
    assert len(found) == 5
    assert {e.error for e in found[3:]} <= {None, NOT_REACHED}


async def test_cancelling_leaves_no_process() -> None:
    task = asyncio.create_task(values(DOUBLED, DOUBLED, DOUBLED))
    async with asyncio.timeout(10):
        while not children():
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []
    assert (await values("data.turns"))[0].value == 3


def children() -> list[int]:
    """Return the processes that evaluate expressions for this one."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and CHILD.name in (status.parent / "cmdline").read_text():
                found.append(int(status.parent.name))
    return found


async def test_runs_are_evaluated_at_the_same_time_without_mixing() -> None:
    expressions = Expressions()
    runs = [talked(metadata={"n": n}) for n in range(6)]
    found = await asyncio.gather(*(expressions.evaluate(["data.metadata.n"], run) for run in runs))
    assert [e.value for [e] in found] == [float(n) for n in range(6)]
