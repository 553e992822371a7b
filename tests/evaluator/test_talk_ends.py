"""Talks that something ends: a user, the time, the caller's model, the agent while the caller thinks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from schemas.evaluator_run import Talked, TranscriptItem
from server.engine.evaluator.callers.caller import Silence, Turn
from server.engine.evaluator.lines.text_line import LineLimits
from server.engine.evaluator.talking.talk import Talk
from server.errors import Unavailable, Upstream
from tests.evaluator.agents import Agent, Call, agent, listening, mute, patient
from tests.evaluator.talking import BYE, HELLO, QUICK, Lines, said, talk, talked


class Thinking(Lines):
    """A caller whose model takes its time: it answers when `may_answer` is set, or not at all."""

    def __init__(self) -> None:
        super().__init__(then=[HELLO])
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.given_up = asyncio.Event()

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return await super().answer(transcript)


class Failing(Lines):
    """A caller whose model is away."""

    async def answer(self, transcript: Sequence[TranscriptItem]) -> Turn:
        raise Upstream("The model is away.")


@asynccontextmanager
async def under_way(one: Talk) -> AsyncIterator[asyncio.Task[Talked]]:
    task = asyncio.create_task(one.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def said_hello(running: Agent) -> None:
    """Wait until an agent was greeted."""
    async with asyncio.timeout(60):
        while not (running.calls and running.calls[0].got):
            await asyncio.sleep(0)


async def test_a_user_ends_a_call_while_the_agent_is_waited_for() -> None:
    async with agent(mute) as running, talk(running.url) as one, under_way(one) as task:
        await said_hello(running)
        one.stop()
        result = await task
        await running.left.wait()
    assert (result.status, result.ended_reason) == ("cancelled", "run-cancelled-by-user")
    assert running.got[-1] == {"content": "", "type": "end_call"}
    assert result.error_message is None


async def test_a_user_ends_a_call_while_the_caller_thinks() -> None:
    caller = Thinking()
    async with agent(patient) as running, talk(running.url, caller) as one, under_way(one) as task:
        await caller.asked.wait()
        one.stop()
        one.stop()
        result = await task
    assert (result.status, result.ended_reason) == ("cancelled", "run-cancelled-by-user")
    assert caller.given_up.is_set()


async def test_a_call_that_is_stopped_before_it_begins_is_not_made() -> None:
    async with agent(patient) as running, talk(running.url) as one:
        one.stop()
        result = await one.run()
    assert (result.status, result.ended_reason) == ("cancelled", "run-cancelled-by-user")
    assert running.calls == []


async def test_a_user_ends_a_call_that_is_being_dialled() -> None:
    dialled, never = asyncio.Event(), asyncio.Event()

    async def hesitates(_: web.Request) -> web.StreamResponse:
        dialled.set()
        await never.wait()
        return web.Response()

    async with listening(hesitates) as url:
        async with talk(url, line=LineLimits(dial=60)) as one, under_way(one) as task:
            await dialled.wait()
            one.stop()
            async with asyncio.timeout(30):
                result = await task
            assert (result.status, result.ended_reason) == ("cancelled", "run-cancelled-by-user")
            assert result.transcript == []
        dialled.clear()
        async with talk(url, line=LineLimits(dial=60)) as one:
            async with under_way(one) as task:
                await dialled.wait()
            assert task.cancelled()
        never.set()


async def test_the_time_is_up_whatever_is_done() -> None:
    for caller in (Lines(), Thinking(), Lines(then=[(Silence(60),)])):
        async with agent(mute if type(caller) is Lines and not caller.then else patient) as running:
            result = await talked(running.url, caller, max_duration=0.3)
            await running.left.wait()
        assert (result.status, result.ended_reason) == ("timeout", "exceeded-max-duration")
        assert result.error_message == "The call took longer than its max_duration of 0.3 seconds."
        assert 0.3 <= result.duration < 2
        assert running.got[-1] == {"content": "", "type": "end_call"}


async def test_a_caller_whose_model_fails_ends_the_call() -> None:
    async with agent(patient) as running:
        result = await talked(running.url, Failing())
        await running.left.wait()
    assert (result.status, result.ended_reason) == ("failed", "Testing agent-failed")
    assert result.error_message == "The model is away."
    assert said(result) == ["T: Hello", "A: Yes?"]
    assert running.got[-1] == {"content": "", "type": "end_call"}


async def test_what_is_said_while_the_caller_thinks_is_heard_by_the_next_answer() -> None:
    caller = Thinking()

    async def adds(call: Call) -> None:
        await call.hear()
        await call.say("Let me look.")
        await caller.asked.wait()
        await call.say("Found it.")
        caller.may_answer.set()
        await call.hear()
        await call.say("Anything else?")
        await call.hear()

    async with agent(adds) as running:
        result = await talked(running.url, caller)
    assert sorted(said(result)[:4]) == sorted(["T: Hello", "A: Let me look.", "A: Found it.", "T: Hello"])
    assert said(result)[4:] == ["A: Anything else?", "T: Bye"]
    assert caller.heard[-1][-1] == "Anything else?"


@pytest.mark.parametrize("how", ["message", "close", "reset"])
async def test_an_agent_that_ends_while_the_caller_thinks_is_not_answered(how: str) -> None:
    caller = Thinking()

    async def leaves(call: Call) -> None:
        await call.hear()
        await call.say("Yes?")
        await caller.asked.wait()
        match how:
            case "message":
                await call.send({"type": "end_call"})
                await call.hear()
            case "close":
                await call.ws.close()
            case _:
                call.drop()

    async with agent(leaves) as running:
        result = await talked(running.url, caller)
    assert (result.status, result.ended_reason) == ("completed", "Main agent-ended-call")
    assert said(result) == ["T: Hello", "A: Yes?"]
    assert caller.given_up.is_set()


async def test_a_cancelled_talk_closes_the_line() -> None:
    async with agent(mute) as running, talk(running.url) as one:
        async with under_way(one) as task:
            await said_hello(running)
        assert task.cancelled()
        await running.left.wait()
    assert running.got == [{"content": "Hello"}]


async def test_who_follows_the_talk_may_end_it() -> None:
    """An item that cannot be told is not the caller's failure: the fence may be lost."""

    def refuse(_index: int, _item: TranscriptItem) -> None:
        raise Unavailable("The lease is lost.")

    async with agent(patient) as running, talk(running.url, on_item=refuse) as one:
        with pytest.raises(Unavailable):
            await one.run()
        await running.left.wait()


async def test_silence_counts_from_the_last_word() -> None:
    async def once(call: Call) -> None:
        await call.hear()
        await call.say("Yes?")
        while await call.hear():
            await call.ws.send_str("still thinking")

    async with agent(once) as running:
        result = await talked(running.url, Lines(then=[HELLO, BYE]), limits=replace(QUICK, silence=0.2))
    assert (result.status, result.ended_reason) == ("timeout", "Main agent-silence-timed-out")
    assert said(result) == ["T: Hello", "A: Yes?", "T: Hello"]
