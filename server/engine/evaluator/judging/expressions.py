"""Custom metrics: expressions in CEL, which cannot loop for ever, read files or call anything."""

import asyncio
import contextlib
import json
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cel_expr_python import cel

from schemas.evaluator_run import Talked
from server.engine.evaluator.judging.facts import facts
from server.engine.fair_gate import FairGate

CHILD = Path(__file__).with_name("expression_child.py")
MEGABYTES = 512
CPU_SECONDS = 2
WAIT_SECONDS = 10.0  # a busy machine may give a child little of its time
AT_ONCE = 2
MAX_LINE = 64 * 1024
TOO_MUCH = f"it needs more than {CPU_SECONDS} s or {MEGABYTES} MB; make it simpler"
SPENT = f"in another run of this result it needed more than {CPU_SECONDS} s: it was not tried again"
MAX_SPENT = 1_000  # that are known
NOT_REACHED = "those before it took all the time; make them simpler"
_STATUS = re.compile(r"^([A-Z_]+: )+|\s*\[[A-Z_]+\]$")
# It only compiles: a value is never made here, since the library has faults that may end its process.
_ENVIRONMENT = cel.NewEnv(variables={"data": cel.Type.DYN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """An expression's value, or why there is none."""

    value: bool | float | str | None = None
    error: str | None = None
    spent: bool = False  # it used up its time


def problem(code: str) -> str | None:
    """Return what is wrong with an expression before it sees any data, or None."""
    try:
        _ENVIRONMENT.compile(code)
    except (RuntimeError, ValueError, TypeError) as error:  # the latter for half a surrogate pair
        return _readable(str(error))
    return None


class Expressions:
    """Evaluates expressions over a run's data in child processes, a few at once, batch by batch in turn."""

    def __init__(self) -> None:
        self._gate = FairGate(AT_ONCE)
        self._spent: OrderedDict[tuple[Hashable, str], None] = OrderedDict()

    async def evaluate(
        self, codes: Sequence[str], talked: Talked, *, batch: Hashable = None
    ) -> list[Evaluated]:
        """Return the value of each over `facts(talked)`; one that takes too much does not spoil the others.

        What used up its time for one run of a batch, such as a result, is not tried for its others.
        Cancelling is safe.
        """
        found = {place: Evaluated(error=SPENT) for place, c in enumerate(codes) if (batch, c) in self._spent}
        left = [place for place in range(len(codes)) if place not in found]
        loop = asyncio.get_running_loop()
        seconds, data = 0.0, ""
        while left and seconds < WAIT_SECONDS:
            async with self._gate.place(batch):  # for one child: nobody waits for all of another's
                begun = loop.time()
                data = data or await asyncio.to_thread(lambda: json.dumps(facts(talked)))  # may take a while
                answers = await _try([codes[place] for place in left], data)
                seconds += loop.time() - begun
            found |= dict(zip(left, answers, strict=False))
            self._remember(batch, [codes[place] for place in left if place in found and found[place].spent])
            left = left[len(answers) :]
        return [found.get(place, Evaluated(error=NOT_REACHED)) for place in range(len(codes))]

    def _remember(self, batch: Hashable, codes: Sequence[str]) -> None:
        if batch is not None:
            self._spent |= {(batch, code): None for code in codes}
        while len(self._spent) > MAX_SPENT:
            self._spent.popitem(last=False)


async def _try(codes: Sequence[str], data: str) -> list[Evaluated]:
    """Return the values of the first expressions, up to one that ends the child."""
    work = f'{{"data": {data}, "expressions": {json.dumps(list(codes))}}}'.encode()
    command = [sys.executable, "-I", str(CHILD), str(MEGABYTES), str(CPU_SECONDS)]
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/", limit=MAX_LINE
        )
    except OSError as error:
        return [Evaluated(error=f"no process could be started for it: {error.strerror}")] * len(codes)
    try:
        return await _answers(child, work, len(codes))
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.shield(child.wait())


async def _answers(child: Process, work: bytes, count: int) -> list[Evaluated]:
    assert child.stdin is not None
    assert child.stdout is not None
    found: list[Evaluated] = []
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            with contextlib.suppress(ConnectionError):
                child.stdin.write(work)
                await child.stdin.drain()
                child.stdin.close()
            while len(found) < count and (line := await child.stdout.readline()):
                found.append(_read(line))
            ended = None if len(found) == count else await child.wait()
    except TimeoutError:
        return [*found, Evaluated(error=TOO_MUCH, spent=True)]
    if ended is None:
        return found
    return [*found, Evaluated(error=_why(ended), spent=ended == -signal.SIGXCPU)]


def _why(ended: int) -> str:
    """Say why a child ended before it had answered, by its return code."""
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        return TOO_MUCH
    return f"the process that evaluates it ended with code {ended}"


def _read(line: bytes) -> Evaluated:
    answer = json.loads(line)
    if "error" in answer:
        return Evaluated(error=_readable(answer["error"]))
    value = answer["value"]
    return Evaluated(value=value if isinstance(value, bool | str) else float(value))


def _readable(error: str) -> str:
    """Return the library's first line, without its codes."""
    first = _STATUS.sub("", next(iter(error.strip().splitlines()), "it cannot be evaluated"))
    if "Iteration budget exceeded" in first:
        return "it goes through too many items; make it simpler"
    return first.replace("<input>:", "at ")[:500]
