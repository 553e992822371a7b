"""One conversation of a caller with somebody's agent: whose turn it is, and how it ends (evaluators §2)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from itertools import zip_longest
from typing import Any, TypeVar, assert_never

from schemas.evaluator import EvaluatorScenario
from schemas.evaluator_run import Talked, TranscriptItem
from server.engine.evaluator.callers.caller import Caller, EndCall, Press, Say, Silence, Turn
from server.engine.evaluator.lines.line import (
    AgentLine,
    Called,
    Gone,
    Heard,
    HungUp,
    Hushed,
    LineClosed,
    NotConnected,
    Said,
    Span,
    Speaks,
)
from server.engine.evaluator.talking.record import Record
from server.engine.evaluator.talking.turns import (
    DEFAULT_LIMITS,
    Over,
    TalkLimits,
    caller_failed,
    cancelled,
    ended_by_agent,
    ended_by_us,
    never_spoken,
    not_connected,
    silent,
    too_long,
    too_many_turns,
)
from server.errors import GreenroomError

T = TypeVar("T")


class Talk:
    """A conversation; run it once.

    `gives_first_message`: true waits for the agent's greeting, false greets it, None waits a little.
    `on_item` is told every item of the transcript and its index as soon as it is there.
    """

    def __init__(
        self,
        *,
        line: AgentLine,
        caller: Caller,
        scenario: EvaluatorScenario,
        gives_first_message: bool | None,
        on_item: Callable[[int, TranscriptItem], Awaitable[None]],
        limits: TalkLimits = DEFAULT_LIMITS,
    ) -> None:
        self._line = line
        self._caller = caller
        self._max_duration = scenario.max_duration
        self._gives_first_message = gives_first_message
        self._on_item = on_item
        self._limits = limits
        self._record = Record(begun=time.monotonic())
        self._turns = 0  # of the agent, to which the caller was asked for an answer
        self._unanswered = False  # whether the agent has said something since the caller last spoke
        self._speaking = 0  # what the agent speaks, or has spoken and is not understood yet
        self._we_spoke_at = 0.0  # when that was heard, if it was spoken
        self._active_at = 0.0  # when what the agent last said or called was taken
        self._dialling: asyncio.Task[None] | None = None
        self._waking: asyncio.Timeout | None = None
        self._stopped = False

    def stop(self) -> None:
        """End the conversation because a user wants it; what is being said or told is finished first."""
        self._stopped = True
        if self._dialling:
            self._dialling.cancel()
        self._wake()

    async def run(self) -> Talked:
        """Talk until it is over, and return what it came to. Raises only what `on_item` raises.

        Cancelling closes the line.
        """
        try:
            over = cancelled(connected=False) if self._stopped else await self._connected()
            if over is None:
                over = await self._conversed()
                await self._finish(over)
            return self._record.talked(over, self._caller)
        finally:
            await self._line.close()

    async def _connected(self) -> Over | None:
        """Open the line; return how the call ended if it did not come about."""
        self._dialling = asyncio.create_task(self._line.open(), name="dialling")
        try:
            await self._dialling
        except NotConnected as error:
            return not_connected(str(error), time.monotonic())
        except asyncio.CancelledError:
            if not self._stopped or _is_cancelled():
                raise
            return cancelled(connected=False)
        self._record = Record(begun=time.monotonic())
        return None

    async def _conversed(self) -> Over:
        try:
            if not await self._agent_begins():
                opening = await self._thought(self._caller.opening())
                await self._perform(opening or ())
            while True:
                await self._agents_turn()
                turn = await self._thought(self._caller.answer(self._record.transcript.items))
                await self._perform(turn)
        except Over as over:
            return over

    async def _agent_begins(self) -> bool:
        """Tell whether the agent speaks first; where that is unsaid, give it some time to."""
        if self._gives_first_message is not None:
            return self._gives_first_message
        await self._listen_for(self._limits.greeting, until_spoken=True)
        return self._unanswered

    async def _agents_turn(self) -> None:
        """Listen until the agent has said something and is quiet. Raises Over."""
        waited_since = time.monotonic()
        while True:
            if self._speaking:
                until = self._deadline
            elif self._unanswered:
                until = self._active_at + self._limits.quiet
            else:
                until = max(waited_since, self._record.spoken_at or 0.0) + self._limits.silence
            if not await self._listen(until) and time.monotonic() >= until:
                break
        if not self._unanswered:
            raise silent(self._limits.silence)
        self._turns += 1
        if self._turns >= self._limits.max_turns:
            raise too_many_turns()
        self._unanswered = False

    async def _perform(self, turn: Turn) -> None:
        """Do what the caller wants. Raises Over."""
        for step, following in zip_longest(turn, turn[1:]):
            match step:
                case Say(text) if isinstance(following, EndCall):
                    raise ended_by_us(text)
                case Say():
                    await self._say(step)
                case Silence(seconds):
                    await self._listen_for(seconds)
                case Press(digits):
                    await self._line.press(digits)
                case EndCall():
                    raise ended_by_us()
                case _:
                    assert_never(step)

    async def _say(self, step: Say) -> None:
        self._check()
        at = time.monotonic()  # before it is sent: the answer may be there before sending is done
        try:
            span = await self._line.say(step.text, speed=step.speed, volume=step.volume)
        except GreenroomError as error:
            raise caller_failed(error.message) from error
        except LineClosed:
            await self._listen_for(self._limits.drain)  # until the end is heard, and what was said before it
            raise self._gone(Gone(at=at, reason="it did not read what it was sent")) from None
        self._we_spoke_at = at if span is None else span.ended
        self._unanswered = False
        await self._said(step.text, at, span)

    async def _said(self, text: str, at: float, span: Span | None) -> None:
        """Note what the caller has said, as it was heard where it was spoken."""
        said = self._record.transcript.caller_said
        if span is None:
            await self._told(said(text, at))
        else:
            await self._told(said(span.text, span.began, ended=span.ended))

    async def _thought(self, thinking: Coroutine[Any, Any, T]) -> T:
        """Return what the caller decides, listening meanwhile. Raises Over."""
        task = asyncio.create_task(thinking, name="caller")
        task.add_done_callback(lambda _: self._wake())
        try:
            while not task.done():
                await self._listen(self._deadline)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        try:
            return task.result()
        except GreenroomError as error:
            raise caller_failed(error.message) from error

    @property
    def _deadline(self) -> float:
        return self._record.begun + self._max_duration

    async def _listen_for(self, seconds: float, *, until_spoken: bool = False) -> None:
        """Take what is heard for so long. Raises Over."""
        until = time.monotonic() + seconds
        while (time.monotonic() < until or (until_spoken and self._speaking)) and not (
            until_spoken and self._unanswered
        ):
            await self._listen(self._deadline if until_spoken and self._speaking else until)

    async def _listen(self, until: float) -> bool:
        """Take one thing that is heard by then, and tell whether there was one; woken, it returns earlier.

        Raises Over.
        """
        self._check()
        heard = await self._hear(min(until, self._deadline))
        if heard is None:
            self._check()
            return False
        if isinstance(heard, HungUp):
            raise ended_by_agent(heard.at)
        if isinstance(heard, Gone):
            raise self._gone(heard)
        if isinstance(heard, Speaks | Hushed):
            self._speaking = max(0, self._speaking + (1 if isinstance(heard, Speaks) else -1))
            return True
        await self._told(self._record.heard(heard))
        if isinstance(heard, Said):
            self._speaking = max(0, self._speaking - 1)
            # Who speaks on after we have spoken has to be answered, whenever that speech began.
            last = heard.at if heard.ended is None else heard.ended
            self._unanswered = self._unanswered or last > self._we_spoke_at
        if isinstance(heard, Said | Called):
            self._active_at = time.monotonic()
        return True

    async def _hear(self, until: float) -> Heard | None:
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(until - time.monotonic()) as self._waking:
                    return await self._line.hear()
            finally:
                self._waking = None
        return None

    def _wake(self) -> None:
        """Have hearing return now, if it is under way."""
        if self._waking and not self._waking.expired():
            self._waking.reschedule(asyncio.get_running_loop().time())

    def _check(self) -> None:
        if self._stopped:
            raise cancelled()
        if time.monotonic() >= self._deadline:
            raise too_long(self._max_duration)

    async def _told(self, item: TranscriptItem | None) -> None:
        if item is not None:
            await self._on_item(len(self._record.transcript.items) - 1, item)

    def _gone(self, gone: Gone) -> Over:
        if self._record.spoken_at is not None:
            return ended_by_agent(gone.at, closed=True)
        return never_spoken(gone, next(iter(self._record.ignored), None))

    async def _finish(self, over: Over) -> None:
        """Say that the call is over if that is on us, and listen for a moment to what still comes."""
        if over.ours:
            try:
                span = await self._line.say(over.said, end=True)
            except (LineClosed, GreenroomError):
                return
            if over.said:
                await self._said(over.said, over.at, span)
        if not over.closed:
            await self._drain(counting=not over.ours)

    async def _drain(self, *, counting: bool) -> None:
        """Hear what comes after an end; what comes after our own does not count, and its answer is enough."""
        until = time.monotonic() + self._limits.drain
        while time.monotonic() < until:
            heard = await self._hear(until)
            if isinstance(heard, Gone) or (isinstance(heard, HungUp) and not counting):
                return
            if counting and heard is not None and not isinstance(heard, HungUp | Speaks | Hushed):
                await self._told(self._record.heard(heard))


def _is_cancelled() -> bool:
    """Tell whether it is this task that is cancelled, not only one that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
