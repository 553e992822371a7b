"""The work at one result, with conversations and judges that a test holds in its hand."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from schemas.evaluator_run import EvaluatorResult, EvaluatorRun, Judgement, Setup, Talked
from server.engine.evaluator.frozen import thawed
from server.engine.evaluator.ledger import Ledger
from server.engine.evaluator.parts import Calls, OnItem
from server.engine.evaluator.work import Work
from server.engine.fair_gate import FairGate
from server.errors import Unavailable
from server.transports import keys
from tests.evaluator.lab import Lab, OpenLab
from tests.recovery.test_leases import lose


@dataclass
class Talks:
    """Makes conversations, and is one: `during` happens while it goes on."""

    during: Callable[[], Awaitable[None]] | None = None
    called: list[int] = field(default_factory=list)
    said: "list[weakref.ref[Talked]]" = field(default_factory=list)

    def __call__(
        self, setup: Setup, run: EvaluatorRun, *, on_item: OnItem, on_open: Callable[[], None]
    ) -> "Talks":
        """Return the conversation of a run."""
        self.called.append(run.id)
        on_open()
        return self

    async def run(self) -> Talked:
        """Return what was said: nothing."""
        if self.during is not None:
            await self.during()
        talked = Talked(status="completed", ended_reason="Testing agent-ended-call")
        self.said.append(weakref.ref(talked))
        return talked

    def stop(self) -> None:
        """Change nothing: it ends by itself."""


@dataclass
class Thinks:
    """Finds everything good."""

    thought: list[Talked] = field(default_factory=list)

    async def judge(self, setup: Setup, talked: Talked, *, batch: Hashable) -> Judgement:
        """Return a judgement."""
        self.thought.append(talked)
        return Judgement(success=True)


@dataclass
class Site:
    """A stored result that nobody is at."""

    lab: Lab
    result: EvaluatorResult
    talks: Talks = field(default_factory=Talks)
    judge: Thinks = field(default_factory=Thinks)
    judges: FairGate = field(default_factory=lambda: FairGate(1))

    async def work(self, *, lease: int | None = None) -> Work:
        """Return work at the result, under a lease of now or an older one."""
        parts = self.lab.evaluators._parts
        packed = await self.lab.store.evaluator_results.setup(self.result.id, version=self.result.setup)
        assert packed is not None
        return Work(
            parts,
            Ledger(parts.store, parts.outboxes),
            self.result,
            thawed(packed),
            calls=Calls(text=self.talks, voice=self.talks),
            judge=self.judge,
            places=asyncio.Semaphore(8),
            judges=self.judges,
            lease=parts.process.lease if lease is None else lease,
        )

    async def runs(self) -> list[EvaluatorRun]:
        """Return the runs as they are stored."""
        return await self.lab.runs(self.result.id)


@pytest_asyncio.fixture
async def site(open_lab: OpenLab) -> AsyncIterator[Site]:
    """Give a result of three runs that waits."""
    async with open_lab(job_slots=0) as lab:
        scenario = await lab.scenario(await lab.agent("ws://127.0.0.1:1/"))
        yield Site(lab, await lab.stored(await lab.start(scenario, freq=3)))


async def test_work_that_is_stopped_before_it_begins_calls_nobody(site: Site) -> None:
    work = await site.work()
    work.stop("interrupted")
    await work.run(await site.runs())
    assert (site.talks.called, {run.state for run in await site.runs()}) == ([], {"queued"})


async def test_work_under_a_lease_that_was_lost_before_it_was_made_calls_nobody(site: Site) -> None:
    before = site.lab.server.app[keys.PROCESS].lease
    lose(site.lab.server)
    async with asyncio.timeout(30):
        while site.lab.server.app[keys.PROCESS].lease == before:
            await site.lab.store.ping()
    with pytest.raises(Unavailable):
        await (await site.work(lease=before)).run(await site.runs())
    assert site.talks.called == []


async def test_what_waits_for_a_judge_is_not_kept_in_memory(site: Site) -> None:
    await site.judges.acquire("others")
    work = await site.work()
    working = asyncio.create_task(work.run(await site.runs()))
    await site.lab.until(site.result.id, lambda runs: {run.state for run in runs} == {"judging"})
    async with asyncio.timeout(30):
        while any(said() is not None for said in site.talks.said):
            await site.lab.store.ping()
            gc.collect()
    site.judges.release("others")
    await working
    assert [talked.status for talked in site.judge.thought] == ["completed"] * 3
    assert {run.success for run in await site.runs()} == {True}


async def test_a_run_that_is_lost_while_it_talks_is_not_judged(site: Site) -> None:
    async def lose_all() -> None:
        for run in await site.runs():
            taken = {"$set": {"fence": site.result.fence + 1}}
            await site.lab.store.evaluator_runs.change(run.id, when={}, update=taken)

    site.talks.during = lose_all
    await (await site.work()).run((await site.runs())[:1])
    assert (len(site.talks.called), site.judge.thought) == (1, [])


async def test_agents_that_have_answered_are_named_until_that_is_noted(site: Site) -> None:
    work = await site.work()
    seen: list[set[int]] = []

    async def look() -> None:
        seen.extend([work.opened(), work.opened()])
        work.noted(work.opened())
        seen.append(work.opened())

    site.talks.during = look
    (run, *_) = await site.runs()
    await work.run([run])
    assert seen == [{run.id}, {run.id}, set()]
