"""Jobs while Redis is killed, emptied, paused or not there yet, and while a worker is killed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog

from server.engine.ids import new
from server.jobs import Jobs
from tests.support.jobs import Work
from tests.support.program import Program
from tests.support.valkey import ValkeyServer

RunJobs = Callable[[Jobs], asyncio.Task[None]]
AWAY = "redis away; jobs are done where they are woken"


class Ledger:
    """Stands for the database: what is to be done, which the reconciler asks for."""

    def __init__(self) -> None:
        self.open: list[tuple[str, str]] = []
        self.asked = 0
        self._changed = asyncio.Condition()

    async def find(self) -> list[tuple[str, str]]:
        """Return what is to be done."""
        async with self._changed:
            self.asked += 1
            self._changed.notify_all()
        return self.open

    async def until_asked(self, count: int) -> None:
        """Wait until it has been asked so often."""
        async with asyncio.timeout(15), self._changed:
            await self._changed.wait_for(lambda: self.asked >= count)


class Told:
    """Keeps what is logged, and waits for it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, _logger: object, _method: str, record: MutableMapping[str, Any]) -> NoReturn:
        """Keep a record, as the last processor."""
        self.events.append(record["event"])
        self._changed.set()
        raise structlog.DropEvent

    async def until(self, event: str) -> None:
        """Wait until something is logged."""
        async with asyncio.timeout(60):
            while event not in self.events:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def told() -> Iterator[Told]:
    """Keep what is logged during the test."""
    before = structlog.get_config()["processors"]
    kept = Told()
    structlog.configure(processors=[kept])
    yield kept
    structlog.configure(processors=before)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def jobs(valkey: ValkeyServer, work: Work, ledger: Ledger) -> Jobs:
    made = Jobs(url=valkey.url, name=new(), slots=2, redelivery_seconds=1)
    made.handle("run", work)
    made.reconcile(ledger.find)
    return made


@asynccontextmanager
async def worker(valkey: ValkeyServer, name: str, log: Path) -> AsyncIterator[Program]:
    program = Program(
        ["tests.support.jobs", valkey.url, name], environment={"PATH": "/usr/bin:/bin"}, log=log
    )
    try:
        yield program
    finally:
        await program.stop()


async def test_a_killed_worker_s_job_is_done_by_another(
    valkey: ValkeyServer, work: Work, run_jobs: RunJobs, tmp_path: Path
) -> None:
    name = new()
    async with worker(valkey, name, tmp_path / "log") as program:
        door = Jobs(url=valkey.url, name=name, slots=0)
        asked = Ledger()
        door.reconcile(asked.find)
        run_jobs(door)
        await asked.until_asked(1)
        await door.wake("run", "one")
        assert (await program.start()).startswith("one ")
        heir = Jobs(url=valkey.url, name=name, slots=1, redelivery_seconds=2)
        heir.handle("run", work)
        run_jobs(heir)
        await program.kill()
        await work.until(1)
    assert work.ran == ["one"]


async def test_jobs_go_on_while_redis_is_killed_and_started_empty(
    valkey: ValkeyServer, jobs: Jobs, work: Work, ledger: Ledger, run_jobs: RunJobs, told: Told
) -> None:
    work.hold("long")
    task = run_jobs(jobs)
    await ledger.until_asked(1)
    await jobs.wake("run", "long")
    await work.until(1)
    await valkey.kill()
    await jobs.wake("run", "while away")
    await work.until(2)
    ledger.open = [("run", "lost"), ("run", "long")]
    await told.until(AWAY)
    await valkey.start()
    await work.until(3)
    await jobs.wake("run", "after")
    await work.until(4)
    assert work.ran == ["long", "while away", "lost", "after"]
    assert work.at_once == 1
    work.release("long")
    await work.until_idle()
    assert not task.done()
    assert told.events == [AWAY, "redis back"]


async def test_a_quick_restart_is_noticed(
    valkey: ValkeyServer, jobs: Jobs, work: Work, ledger: Ledger, run_jobs: RunJobs
) -> None:
    run_jobs(jobs)
    await ledger.until_asked(1)
    await jobs.wake("run", "one")
    await work.until(1)
    ledger.open = [("run", "lost")]
    await valkey.kill()
    await valkey.start()
    await work.until(2)
    assert work.ran == ["one", "lost"]


async def test_an_emptied_queue_is_used_again(
    valkey: ValkeyServer, jobs: Jobs, work: Work, ledger: Ledger, run_jobs: RunJobs
) -> None:
    run_jobs(jobs)
    await ledger.until_asked(1)
    work.hold("long")
    await jobs.wake("run", "long")
    await work.until(1)
    assert await valkey.send("FLUSHALL") == b"+OK\r\n"
    await jobs.wake("run", "next")
    await work.until(2)
    work.release("long")
    await work.until_idle()
    await jobs.wake("run", "last")
    await work.until(3)
    assert work.ran == ["long", "next", "last"]


async def test_redis_may_come_later(
    valkey: ValkeyServer, jobs: Jobs, work: Work, ledger: Ledger, run_jobs: RunJobs, told: Told
) -> None:
    await valkey.kill()
    ledger.open = [("run", "found")]
    run_jobs(jobs)
    await work.until(1)
    await told.until(AWAY)
    await jobs.wake("run", "woken")
    await work.until(2)
    await valkey.start()
    await ledger.until_asked(2)
    ledger.open = []
    await jobs.wake("run", "queued")
    await work.until(4)
    assert sorted(work.ran) == ["found", "found", "queued", "woken"]


async def test_a_paused_redis_holds_nobody_up(
    valkey: ValkeyServer, jobs: Jobs, work: Work, ledger: Ledger, run_jobs: RunJobs
) -> None:
    task = run_jobs(jobs)
    await ledger.until_asked(1)
    work.hold("long")
    await jobs.wake("run", "long")
    await work.until(1)
    valkey.pause()
    async with asyncio.timeout(15):
        await jobs.wake("run", "woken")
        await work.until(2)
    valkey.resume()
    await jobs.wake("run", "after")
    await work.until(3)
    work.release("long")
    await work.until_idle()
    valkey.pause()
    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait([task])
    valkey.resume()


async def test_without_slots_a_wake_is_left_to_others(
    valkey: ValkeyServer, work: Work, ledger: Ledger, run_jobs: RunJobs
) -> None:
    await valkey.kill()
    door = Jobs(url=valkey.url, name=new(), slots=0)
    door.handle("run", work)
    door.reconcile(ledger.find)
    task = run_jobs(door)
    await ledger.until_asked(1)
    await door.wake("run", "one")
    await valkey.start()
    await ledger.until_asked(2)
    assert work.ran == []
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()
