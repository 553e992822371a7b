"""The voice connection to somebody's agent: speech both ways in real time (evaluators §5)."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing

import aiohttp
import structlog
from aiohttp import WSMsgType

from server.engine.evaluator.lines.call_sound import TICK_SECONDS, CallSound, Tick
from server.engine.evaluator.lines.dialing import Dialer, Socket, hang_up
from server.engine.evaluator.lines.framing import (
    Arrived,
    Clear,
    Frames,
    Framing,
    Mark,
    Over,
    Sound,
    SpeechSign,
    Trouble,
)
from server.engine.evaluator.lines.line import (
    Gone,
    Heard,
    HungUp,
    Hushed,
    Ignored,
    LineClosed,
    NotConnected,
    Said,
    Span,
    Speaks,
)
from server.engine.evaluator.lines.saying import Saying
from server.engine.voice.offline.resampling import Resampler
from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES, Speech, SpeechBegan, SpeechEnded
from server.errors import GreenroomError

log = structlog.get_logger(__name__)
TRIES = 3
RETRY_SECONDS = 1.0
SEND_SECONDS = 10.0
MAX_PROBLEMS = 100  # of the agent's frames that are noted


class VoiceLine:
    """One call; see AgentLine. Make one for each, and `close` it also when it did not open.

    What the agent sends is played in real time, whenever it came: that tells when it speaks and when its
    marks are reached. While it interrupts us we fall silent. `sound` keeps both sides until `close`, and
    `overheard` is called with each 20 ms of them.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        dialer: Dialer,
        framing: Framing,
        speech: Speech,
        language: str,
        sound: CallSound,
        overheard: Callable[[Tick], None],
    ) -> None:
        self._url = url
        self._headers = headers
        self._dialer = dialer
        self._framing = framing
        self._speech = speech
        self._language = language
        self._sound = sound
        self._overheard = overheard
        self._socket: Socket | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._heard: asyncio.Queue[Heard] = asyncio.Queue()
        self._spoken: asyncio.Queue[SpeechEnded] = asyncio.Queue()
        self._gone: Gone | None = None
        self._begun = 0.0
        self._saying: Saying | None = None
        self._quiet = asyncio.Event()  # nothing is left to be sent
        self._problems = 0
        self._played = 0.0  # seconds of the agent's sound
        self._spoken_since: float | None = None  # of these, when what it speaks began

    async def open(self) -> None:
        """Load what hears and speaks, and connect; raises NotConnected."""
        try:
            await self._speech.open()
        except GreenroomError as error:
            raise NotConnected(error.message) from error
        self._socket = await self._dial()
        self._detector = self._speech.detector()
        self._begun = time.monotonic()
        try:
            await self._send(self._framing.opening())
        except LineClosed as error:
            raise NotConnected("The agent closed the connection at once.") from error
        for part in (self._receive, self._keep_time, self._understand):
            task = asyncio.create_task(part(), name="voice line")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def hear(self) -> Heard:
        """Return what is heard next; after Gone it is Gone again. Cancelling loses nothing."""
        if self._gone is not None and self._heard.empty():
            return self._gone
        return await self._heard.get()

    async def say(
        self, text: str, *, end: bool = False, speed: float = 1.0, volume: float = 1.0
    ) -> Span | None:
        """Say something, and return when it was heard, or cut off; raises LineClosed and Unavailable."""
        span = await self._say(text, speed=speed, volume=volume) if text else None
        if end:
            await self._send(self._framing.closing())
        return span

    async def press(self, digits: str) -> None:
        """Press keys; raises LineClosed."""
        await self._send(self._framing.press(digits))

    async def close(self) -> None:
        """Close the connection, within seconds; may be called twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await hang_up(self._socket)

    # --- connecting -----------------------------------------------------------------------------------------

    async def _dial(self) -> Socket:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._dialer.dial(self._url, headers=self._headers)
            except NotConnected as error:
                if error.final or attempt == TRIES:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
        raise AssertionError("the last try raises")

    # --- saying ---------------------------------------------------------------------------------------------

    async def _say(self, text: str, *, speed: float, volume: float) -> Span:
        synthesiser = self._speech.synthesiser
        resampler = Resampler(synthesiser.rate, HEARD_RATE)
        self._saying = saying = Saying(text)
        unsent = 0.0
        try:
            await self._send(self._framing.speech(began=True))
            async with aclosing(synthesiser.speak(text, speed=speed)) as pieces:
                async for piece in pieces:
                    self._say_sound(saying, _louder(resampler.feed(piece), volume))
                    if saying.barged or self._gone is not None:
                        break
                else:
                    saying.complete = True
            self._say_sound(saying, _louder(resampler.feed(b"", last=True), volume))
            await self._until_said(saying)
            if saying.barged:
                unsent = self._sound.hush()
            await self._send(self._framing.speech(began=False))
        except GreenroomError:
            self._sound.hush()
            await self._send(self._framing.speech(began=False))
            raise
        finally:
            self._saying = None
        return saying.span(unsent=unsent)

    def _say_sound(self, saying: Saying, sound: bytes) -> None:
        if saying.made(len(sound) / (HEARD_RATE * SAMPLE_BYTES), at=self._played):
            self._quiet.clear()
            self._sound.say(sound)

    async def _until_said(self, saying: Saying) -> None:
        if self._sound.saying and not saying.barged and self._gone is None:
            await self._quiet.wait()
        if self._gone is not None:
            raise LineClosed

    def _barge_in(self) -> None:
        """Fall silent, because the agent speaks."""
        if self._saying:
            self._saying.barged = True
            self._quiet.set()

    # --- the clock ------------------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        """Send and play 20 ms of sound every 20 ms; after a stall it makes up for what it missed."""
        loop = asyncio.get_running_loop()
        start, ticks = loop.time(), 0
        while True:
            ticks += 1
            late = loop.time() - (start + ticks * TICK_SECONDS)
            if late < 0:
                await asyncio.sleep(-late)
            await self._tick(self._sound.tick())

    async def _tick(self, tick: Tick) -> None:
        self._overheard(tick)
        frames = self._framing.sound(tick.mine)
        for mark in tick.marks:
            frames += self._framing.reached(mark)
        await self._send(frames)
        if not self._sound.saying:
            self._quiet.set()
        for change in self._detector.feed(tick.theirs):
            self._changed(change)
        self._played += TICK_SECONDS
        saying, since = self._saying, self._spoken_since
        if saying and since is not None and saying.gives_way(since, until=self._detector.until):
            self._barge_in()

    def _changed(self, change: SpeechBegan | SpeechEnded) -> None:
        if isinstance(change, SpeechBegan):
            self._spoken_since = change.at
            self._heard.put_nowait(Speaks(at=self._begun + change.at))
        else:
            self._spoken_since = None
            self._spoken.put_nowait(change)

    async def _understand(self) -> None:
        """Turn what the agent has spoken into words, one after the other."""
        while True:
            speech = await self._spoken.get()
            text = await self._speech.recogniser.text_of(speech.audio, language=self._language)
            at = self._begun + speech.began
            if text.strip():
                self._heard.put_nowait(Said(text=text.strip(), at=at, ended=self._begun + speech.at))
            else:
                self._heard.put_nowait(Hushed(at=at))

    # --- the connection -------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        assert self._socket is not None
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                data = message.data
                if message.type is WSMsgType.TEXT and isinstance(data, bytes):
                    data = data.decode("utf-8", "replace")
                for arrived in self._framing.read(data):
                    await self._take(arrived)
            elif message.type is not WSMsgType.PONG:
                self._hung_up(f"it closed the connection ({self._socket.close_code or 1006})")
                return

    async def _take(self, arrived: Arrived) -> None:
        match arrived:
            case Sound(pcm):
                self._sound.play(pcm)
            case Mark(name):
                self._sound.mark(name)
            case Clear():
                for mark in self._sound.clear():
                    await self._send(self._framing.reached(mark))
            case SpeechSign(began):
                if began:
                    self._barge_in()
            case Over():
                self._heard.put_nowait(HungUp(at=time.monotonic()))
            case Trouble():
                await self._trouble(arrived)

    async def _trouble(self, trouble: Trouble) -> None:
        self._problems += 1
        if self._problems <= MAX_PROBLEMS:
            self._heard.put_nowait(Ignored(size=len(trouble.text), at=time.monotonic(), text=trouble.text))
            if not trouble.told:
                await self._send(self._framing.problem(trouble.text))
        if trouble.fatal:
            self._hung_up(f"it told an error: {trouble.text}")

    async def _send(self, frames: Frames) -> None:
        """Send frames; raises LineClosed, also when nobody takes them in time."""
        assert self._socket is not None
        try:
            async with asyncio.timeout(SEND_SECONDS):
                for frame in frames:
                    if isinstance(frame, str):
                        await self._socket.send_str(frame)
                    else:
                        await self._socket.send_bytes(frame)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise LineClosed from error

    def _hung_up(self, reason: str) -> None:
        if self._gone is None:
            self._gone = Gone(at=time.monotonic(), reason=reason)
            self._heard.put_nowait(self._gone)
            self._quiet.set()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, LineClosed):
            self._hung_up("it did not read what it was sent")
        else:
            if not isinstance(error, GreenroomError):
                log.error("voice line broke", exc_info=error)
            told = error.message if isinstance(error, GreenroomError) else "our side of the line broke"
            self._hung_up(told)


def _louder(sound: bytes, volume: float) -> bytes:
    if volume == 1.0 or not sound:
        return sound
    import numpy as np

    samples = np.frombuffer(sound, "<i2").astype(np.float32) * volume
    return bytes(np.clip(samples, -32_768, 32_767).astype("<i2").tobytes())
