"""The line itself: pings both ways, an agent that does not read, one that does not stop, and closing."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from server.engine.evaluator.callers.caller import Say
from server.engine.evaluator.lines.dialing import Dialer
from server.engine.evaluator.lines.line import Gone, LineClosed, Said
from server.engine.evaluator.lines.text_line import LineLimits, TextLine
from tests.evaluator.agents import Call, agent, greeter, listening, mute
from tests.evaluator.talking import Lines, talked


@asynccontextmanager
async def line(url: str, limits: LineLimits) -> AsyncIterator[TextLine]:
    """Open a line and close it."""
    dialer = Dialer(private=True)
    one = TextLine(url, headers={}, dialer=dialer, limits=limits)
    try:
        await one.open()
        yield one
    finally:
        await one.close()
        await dialer.aclose()


async def say_all(one: TextLine, turn: Iterable[Say]) -> None:
    for step in turn:
        await one.say(step.text)


@asynccontextmanager
async def pinged(*, answers: int) -> AsyncIterator[str]:
    """Run an agent that answers so many pings, and then says how many."""

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        pings = 0
        async for message in ws:
            pings += message.type is WSMsgType.PING
            if pings <= answers:
                await ws.pong()
            if pings == answers:
                await ws.send_str('{"content": "enough"}')
        return ws

    async with listening(serve) as url:
        yield url


async def test_an_agent_that_answers_no_ping_is_gone() -> None:
    limits = LineLimits(ping=0.1, pong=0.1)
    async with pinged(answers=0) as url, line(url, limits) as one:
        heard = await one.hear()
        assert isinstance(heard, Gone)
        assert heard.reason == "it did not answer a ping"
        assert await one.hear() is heard


async def test_an_agent_that_answers_pings_may_be_quiet() -> None:
    async with pinged(answers=3) as url, line(url, LineLimits(ping=0.05, pong=2.0)) as one:
        heard = await one.hear()
        assert isinstance(heard, Said)
        assert heard.text == "enough"


async def test_pings_of_the_agent_are_answered_while_nobody_listens() -> None:
    ponged = asyncio.Event()

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        await ws.ping(b"there?")
        message = await ws.receive()
        assert (message.type, message.data) == (WSMsgType.PONG, b"there?")
        ponged.set()
        await ws.receive()
        return ws

    async with listening(serve) as url, line(url, LineLimits()):
        await ponged.wait()


async def test_an_agent_that_does_not_stop_is_held_up_and_hung_up_on() -> None:
    held_up = asyncio.Event()

    async def endless(call: Call) -> None:
        try:
            while True:
                async with asyncio.timeout(0.3):
                    await call.say("x" * 10_000)
        except TimeoutError:
            held_up.set()
        while True:
            await call.say("x" * 10_000)

    async with agent(endless) as running, line(running.url, LineLimits()) as one:
        await held_up.wait()
        heard = [await one.hear() for _ in range(100)]
        assert all(isinstance(item, Said) for item in heard)
        async with asyncio.timeout(4):
            await one.close()
        await running.left.wait()


async def test_an_agent_that_does_not_read_is_given_up() -> None:
    done = asyncio.Event()

    async def deaf(_: Call) -> None:
        await done.wait()

    turn = tuple(Say("x" * 1_000_000) for _ in range(30))
    async with agent(deaf) as running:
        async with line(running.url, LineLimits(say=0.2)) as one:
            with pytest.raises(LineClosed):
                await say_all(one, turn)
        result = await talked(running.url, Lines(first=turn), line=LineLimits(say=0.2))
        done.set()
    assert (result.status, result.ended_reason) == ("failed", "Main agent-call-not-connected")
    assert "it did not read what it was sent" in (result.error_message or "")


async def test_closing_twice_and_speaking_after() -> None:
    async with agent(greeter) as running, line(running.url, LineLimits()) as one:
        assert isinstance(await one.hear(), Said)
        await one.close()
        await one.close()
        assert isinstance(await one.hear(), Gone)
        with pytest.raises(LineClosed):
            await one.say("Hello?")


async def test_what_was_sent_before_a_close_is_heard() -> None:
    async def leaves(call: Call) -> None:
        for number in range(100):
            await call.say(str(number))
        await call.ws.close(code=4000, message=b"lunch\0time")

    async with agent(leaves) as running, line(running.url, LineLimits()) as one:
        heard = [await one.hear() for _ in range(101)]
        assert [item.text for item in heard if isinstance(item, Said)] == [str(n) for n in range(100)]
        gone = heard[-1]
        assert isinstance(gone, Gone)
        assert gone.reason == "it closed the connection (4000: lunch\ufffdtime)"


async def test_giving_up_on_hearing_loses_nothing() -> None:
    async with agent(mute) as running, line(running.url, LineLimits()) as one:
        hearing = asyncio.create_task(one.hear())
        await one.say("Hello")
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        await running.calls[0].say("Yes?")
        heard = await one.hear()
        assert isinstance(heard, Said)
        assert heard.text == "Yes?"
