"""Reports of a test: put together in bounded memory, the same figures in every format (socket-v5 §9)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.envelope import Id, utc_now
from schemas.test import Invocation, Recording, Run, Test
from server.engine.access import Identity
from server.engine.ids import derive
from server.engine.replay.figures import Figures, Outcome, Tally, outcome_of
from server.engine.replay.reading import ReplayReading
from server.engine.spool import Span, Spool
from server.errors import NotFound, TooLarge
from server.store.replays import ReplayStore

MAX_RUNS = 20_000
AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """What an overview says of a run."""

    id: Id
    name: str
    position: int
    cycle: int
    outcome: Outcome
    percentage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a report says of an invocation besides its runs."""

    invocation: Invocation
    figures: Figures
    places: list[RunPlace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a report says of the whole test."""

    test: Test
    figures: Figures
    parts: list[Part]
    made_at: datetime


class Writer(Protocol):
    """A format. Runs are written first; what stands before them is asked for when all are known."""

    @property
    def talks(self) -> bool:
        """Tell whether runs are shown with their messages, beside the recorded ones."""

    @property
    def recordings(self) -> bool:
        """Tell whether the recorded runs are listed too."""

    @property
    def between(self) -> str:
        """Return what stands between two invocations, runs or recorded runs."""

    def opening(self, summary: Summary) -> str:
        """Return the beginning of the report."""

    def invocation(self, summary: Summary, part: Part) -> str:
        """Return what stands before an invocation's runs."""

    def run(self, invocation: Invocation, run: Run, recording: Recording | None) -> str:
        """Return a run."""

    def invocation_end(self) -> str:
        """Return what stands behind an invocation's runs."""

    def middle(self) -> str:
        """Return what stands before the recorded runs, or where they would be."""

    def recording(self, recording: Recording) -> str:
        """Return a recorded run."""

    def closing(self, summary: Summary) -> str:
        """Return the end of the report."""


class Report(Spool):
    """A written report; close it when it has been sent."""

    def __init__(self, test_id: Id) -> None:
        super().__init__()
        self.test_id = test_id


class Reports:
    """Writes reports; at most two at once, so that they do not crowd out what is live."""

    def __init__(self, reading: ReplayReading, replays: ReplayStore) -> None:
        self._reading = reading
        self._replays = replays
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def write(
        self,
        caller: Identity,
        test_id: Id,
        writer: Writer,
        *,
        invocation_id: Id | None = None,
        cycle: int | None = None,
    ) -> Report:
        """Return a test's report, or one of one invocation or cycle; raises NotFound and TooLarge."""
        test = await self._reading.stored_test(caller, test_id)
        invocations = await self._replays.invocations_of(test_id)
        if invocation_id is not None:
            invocations = [i for i in invocations if i.id == invocation_id]
            if not invocations:
                raise NotFound("invocation_id: this test has no such invocation.")
        report = Report(test_id)
        try:
            async with self._slots:
                await _Writing(self._replays, writer, report).write(test, invocations, cycle)
        except BaseException:
            report.close()
            raise
        return report


class _Writing:
    """One report while it is being written."""

    def __init__(self, replays: ReplayStore, writer: Writer, report: Report) -> None:
        self._replays = replays
        self._writer = writer
        self._report = report
        self._runs = 0

    async def write(self, test: Test, invocations: list[Invocation], cycle: int | None) -> None:
        whole = Tally()
        parts: list[Part] = []
        spans: list[Span] = []
        for invocation in invocations:
            part, span = await self._invocation(invocation, cycle=cycle, whole=whole)
            parts.append(part)
            spans.append(span)
        recorded = await self._recordings(test.id) if self._writer.recordings else (0, 0)
        summary = Summary(test=test, figures=whole.figures(), parts=parts, made_at=utc_now())
        self._report.pieces = await asyncio.to_thread(self._pieces, summary, spans, recorded)

    async def _invocation(
        self, invocation: Invocation, *, cycle: int | None, whole: Tally
    ) -> tuple[Part, Span]:
        start, tally = self._report.place, Tally()
        places: list[RunPlace] = []
        async for runs in self._replays.each_run(invocation.id, cycle=cycle, whole=self._writer.talks):
            self._count(len(runs))
            recordings: dict[Id, Recording] = {}
            if self._writer.talks:
                originals = {r.original_id for r in runs}
                keys = [derive(invocation.test_id, original) for original in originals]
                recordings = await self._replays.recordings(keys)
            texts = self._texts(invocation, runs, recordings, first=not places)
            await asyncio.to_thread(self._report.write, texts)
            for run in runs:
                tally.add(run)
                whole.add(run)
                places.append(_place(run))
        part = Part(invocation=invocation, figures=tally.figures(), places=places)
        return part, (start, self._report.place)

    def _texts(
        self, invocation: Invocation, runs: list[Run], recordings: dict[Id, Recording], *, first: bool
    ) -> Iterator[str]:
        for run in runs:
            if not first:
                yield self._writer.between
            yield self._writer.run(invocation, run, recordings.get(run.original_id))
            first = False

    async def _recordings(self, test_id: Id) -> Span:
        start = self._report.place
        async for recordings in self._replays.each_recording(test_id):
            between = self._writer.between if self._report.place > start else ""
            text = between + self._writer.between.join(self._writer.recording(r) for r in recordings)
            await asyncio.to_thread(self._report.write, iter([text]))
        return start, self._report.place

    def _pieces(self, summary: Summary, spans: list[Span], recorded: Span) -> list[bytes | Span]:
        writer = self._writer
        pieces: list[bytes | Span] = [writer.opening(summary).encode()]
        for number, (part, span) in enumerate(zip(summary.parts, spans, strict=True)):
            before = writer.between if number else ""
            pieces += [(before + writer.invocation(summary, part)).encode(), span]
            pieces.append(writer.invocation_end().encode())
        return [*pieces, writer.middle().encode(), recorded, writer.closing(summary).encode()]

    def _count(self, runs: int) -> None:
        self._runs += runs
        if self._runs > MAX_RUNS:
            raise TooLarge(
                f"A report holds {MAX_RUNS} runs, and this test has more: "
                "ask for one invocation (?invocation_id=) or one cycle (?cycle=)."
            )


def _place(run: Run) -> RunPlace:
    return RunPlace(
        id=run.id,
        name=run.name,
        position=run.position,
        cycle=run.cycle,
        outcome=outcome_of(run),
        percentage=run.grades[-1].percentage if run.grades else None,
    )
