"""Agents that send without end: the time limit holds, and a run takes bounded memory, whatever is sent."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, repeat

import pytest

from schemas.envelope import JsonObject
from server.engine.evaluator.lines.frames import MAX_TEXT
from server.engine.evaluator.talking.transcript import LEFT_OUT, MAX_BYTES, MAX_ITEMS
from tests.evaluator.agents import Call, Temperament, agent
from tests.evaluator.talking import BYE, QUICK, Lines, said, talked

MEGABYTES = 48  # of which the agent, in the same process, takes some
SECONDS = 0.6
LIMITS = replace(QUICK, quiet=0.5)


def sending(frames: Iterator[str | bytes]) -> Temperament:
    """Return an agent that sends frames as fast as they are taken."""

    async def send(call: Call) -> None:
        for frame in frames:
            if isinstance(frame, bytes):
                await call.ws.send_bytes(frame)
            else:
                await call.ws.send_str(frame)
            await asyncio.sleep(0)  # sending need not wait

    return send


def each(make: Callable[[int], JsonObject]) -> Iterator[str]:
    """Return one frame after another, each by its number."""
    return (json.dumps(make(number)) for number in count())


def called(**data: str) -> JsonObject:
    return {"role": "Function Call", "data": data}


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """Hold what is done inside to so much memory at any time."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
        assert peak < megabytes * 1_000_000
    finally:
        tracemalloc.stop()


FLOODS: dict[str, Callable[[], Iterator[str | bytes]]] = {
    "words": lambda: repeat('{"content": "ha"}'),
    "megabytes": lambda: repeat(json.dumps({"content": "x" * 1_000_000})),
    "plain text": lambda: repeat("Error! " * 10),
    "binary": lambda: repeat(b"\x00" * 1_000_000),
    "functions": lambda: each(lambda n: called(id=str(n), name="f", arguments="x" * 60_000)),
    "function names": lambda: each(lambda n: called(id="i" * 400 + str(n), name="n" * 400)),
    "metadata": lambda: each(lambda n: {"metadata": {f"key {n}": "x" * 1_000}}),
    "large metadata": lambda: each(lambda n: {"metadata": {f"key {n}": "x" * 1_000_000}}),
    "many values": lambda: repeat('{"metadata": [' + "[]," * 45_000 + "[]]}"),
    "many keys": lambda: repeat(json.dumps({"metadata": dict.fromkeys(map(str, range(100_000)), 0)})),
    "deep values": lambda: repeat('{"metadata": {"a": ' + "[" * 900 + "]" * 900 + "}}"),
    "broken JSON": lambda: repeat('{"content": ' + "[" * 90_000),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_bounded_in_time_and_memory(flood: str) -> None:
    with at_most(MEGABYTES):
        async with agent(sending(FLOODS[flood]())) as running:
            result = await talked(running.url, max_duration=SECONDS, limits=LIMITS)
            await running.left.wait()
    assert (result.status, result.ended_reason) == ("timeout", "exceeded-max-duration")
    assert result.duration < SECONDS + 1
    assert len(result.transcript) <= MAX_ITEMS + 2
    sizes = [len(item.content) + len(json.dumps(item.data)) for item in result.transcript]
    assert sum(sizes) < MAX_BYTES + 2 * MAX_TEXT
    assert len(json.dumps(result.metadata)) <= MAX_TEXT + 1_000
    assert len(result.ignored) <= 20


async def test_a_transcript_that_is_full_says_so_once() -> None:
    async with agent(sending(each(lambda _: {"content": "x" * 60_000}))) as running:
        result = await talked(running.url, max_duration=SECONDS, limits=LIMITS)
    assert [item.content for item in result.transcript].count(LEFT_OUT) == 1
    assert said(result)[-1] == f"A: {LEFT_OUT}"
    assert 30 < len(result.transcript) < 40


async def test_who_hangs_up_on_a_flood_is_soon_done() -> None:
    async with agent(sending(each(lambda _: {"content": "ha"}))) as running:
        result = await talked(running.url, Lines(first=BYE))
        await running.left.wait()
    assert result.ended_reason == "Testing agent-ended-call"
    assert said(result)[-1] == "T: Bye"
    assert result.duration < 1
