"""Jobs: once for many wakes, within the slots, and whatever becomes of one of them."""

import asyncio
from collections.abc import Callable

import pytest
import structlog

from server.engine.ids import new
from server.errors import NotFound, Unavailable
from server.jobs import Jobs
from tests.support.jobs import Work

MakeJobs = Callable[..., Jobs]
RunJobs = Callable[[Jobs], asyncio.Task[None]]


@pytest.fixture
def work() -> Work:
    return Work()


async def started(jobs: Jobs, run_jobs: RunJobs) -> asyncio.Task[None]:
    """Run jobs, and return when they take wakes."""
    asked = asyncio.Event()

    async def find() -> list[tuple[str, str]]:
        asked.set()
        return []

    jobs.reconcile(find)
    task = run_jobs(jobs)
    await asyncio.wait_for(asked.wait(), 10)
    return task


async def test_many_wakes_are_one_run_after_them(make_jobs: MakeJobs, run_jobs: RunJobs, work: Work) -> None:
    jobs = make_jobs(slots=1)
    jobs.handle("run", work)
    await started(jobs, run_jobs)
    work.hold("first")
    await jobs.wake("run", "first")
    await work.until(1)
    for _ in range(5):
        await jobs.wake("run", "first")
        await jobs.wake("run", "second")
    work.release("first")
    await work.until(2)
    await work.until(3)
    await jobs.wake("run", "third")
    await work.until(4)
    assert work.ran == ["first", "first", "second", "third"]


async def test_a_job_may_be_woken_again_when_it_is_done(
    make_jobs: MakeJobs, run_jobs: RunJobs, work: Work
) -> None:
    jobs = make_jobs()
    jobs.handle("run", work)
    await started(jobs, run_jobs)
    async with asyncio.timeout(60):
        while len(work.ran) < 3:
            await jobs.wake("run", "one")


async def test_no_more_run_than_there_are_slots(make_jobs: MakeJobs, run_jobs: RunJobs, work: Work) -> None:
    jobs = make_jobs(slots=2)
    jobs.handle("run", work)
    await started(jobs, run_jobs)
    keys = [str(i) for i in range(6)]
    work.hold(*keys)
    for key in keys:
        await jobs.wake("run", key)
    await work.until(2)
    assert jobs.running == 2
    work.release(*keys)
    await work.until(6)
    await work.until_idle()
    assert (work.most, sorted(work.ran), jobs.running) == (2, keys, 0)


async def test_two_share_the_work(make_jobs: MakeJobs, run_jobs: RunJobs, work: Work) -> None:
    other = Work()
    for jobs, done in ((make_jobs(slots=1), work), (make_jobs(slots=1), other)):
        jobs.handle("run", done)
        await started(jobs, run_jobs)
    door = make_jobs(slots=0)
    await started(door, run_jobs)
    for done in (work, other):
        done.hold("a", "b")
    await door.wake("run", "a")
    await door.wake("run", "b")
    await work.until(1)
    await other.until(1)
    assert sorted(work.ran + other.ran) == ["a", "b"]
    assert door.running == 0


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_job_that_runs_elsewhere_is_done_once_more(
    valkey_url: str, run_jobs: RunJobs, work: Work, slots: int
) -> None:
    """What it is woken for may have come after it looked; with free slots it is delivered while it runs."""
    name = new()
    jobs, door = (Jobs(url=valkey_url, name=name, slots=count) for count in (slots, 0))
    jobs.handle("run", work)
    await started(jobs, run_jobs)
    await started(door, run_jobs)
    work.hold("one")
    await door.wake("run", "one")
    await work.until(1)
    for _ in range(5):
        await door.wake("run", "one")
    await door.wake("run", "two")
    if slots > 1:
        await work.until(2)
    work.release("one")
    await work.until(3)
    await work.until_idle()
    await door.wake("run", "last")
    await work.until(4)
    assert (sorted(work.ran), work.ran[-1]) == (["last", "one", "one", "two"], "last")


async def test_a_run_that_ends_takes_no_later_wake_with_it(
    valkey_url: str, run_jobs: RunJobs, work: Work
) -> None:
    """Its job was delivered twice while it ran, and is queued a third time when it ends."""
    name = new()
    jobs, door = (Jobs(url=valkey_url, name=name, slots=count) for count in (2, 0))
    jobs.handle("run", work)
    await started(jobs, run_jobs)
    await started(door, run_jobs)
    work.hold("one", "two")
    await door.wake("run", "one")
    await work.until(1)
    await door.wake("run", "one")
    await door.wake("run", "two")
    await work.until(2)  # the second delivery is over: it makes room for this
    work.release("one")
    work.hold("one")
    await work.until(3)
    await door.wake("run", "one")
    work.release("one")
    await work.until(4)
    assert work.ran == ["one", "two", "one", "one"]
    work.release("two")


async def test_a_free_process_need_not_wait_for_one_that_is_at_the_same_job(
    valkey_url: str, run_jobs: RunJobs, work: Work
) -> None:
    name, other = new(), Work()
    busy, door = Jobs(url=valkey_url, name=name, slots=1), Jobs(url=valkey_url, name=name, slots=0)
    busy.handle("run", work)
    await started(busy, run_jobs)
    await started(door, run_jobs)
    work.hold("one")
    await door.wake("run", "one")
    await work.until(1)
    free = Jobs(url=valkey_url, name=name, slots=1)
    free.handle("run", other)
    await started(free, run_jobs)
    await door.wake("run", "one")
    await other.until(1)
    assert (work.ran, other.ran) == (["one"], ["one"])


async def test_names_do_not_meet(valkey_url: str, run_jobs: RunJobs, work: Work) -> None:
    other = Work()
    mine, theirs = (Jobs(url=valkey_url, name=new(), slots=1) for _ in range(2))
    for jobs, done in ((mine, work), (theirs, other)):
        jobs.handle("run", done)
        await started(jobs, run_jobs)
    await mine.wake("run", "a")
    await theirs.wake("run", "b")
    await work.until(1)
    await other.until(1)
    assert (work.ran, other.ran) == (["a"], ["b"])


async def test_lost_jobs_are_found(make_jobs: MakeJobs, run_jobs: RunJobs, work: Work) -> None:
    lost: list[list[tuple[str, str]]] = [[("run", "b")], [], [("run", "a")]]
    jobs = make_jobs(reconcile_seconds=0.05)
    jobs.handle("run", work)

    async def find() -> list[tuple[str, str]]:
        if not lost:
            raise Unavailable
        return lost.pop()

    jobs.reconcile(find)
    run_jobs(jobs)
    await work.until(2)
    assert work.ran == ["a", "b"]


async def test_cancelling_cancels_what_runs_and_others_get_it(
    valkey_url: str, run_jobs: RunJobs, work: Work
) -> None:
    name, other = new(), Work()
    jobs = Jobs(url=valkey_url, name=name, slots=1)
    jobs.handle("run", work)
    task = await started(jobs, run_jobs)
    work.hold("one")
    await jobs.wake("run", "one")
    await work.until(1)
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert (work.cancelled, jobs.running) == (["one"], 0)
    await jobs.wake("run", "two")
    heir = Jobs(url=valkey_url, name=name, slots=1, redelivery_seconds=1)
    heir.handle("run", other)
    run_jobs(heir)
    await other.until(1)
    assert (work.ran, other.ran) == (["one"], ["one"])


@pytest.mark.parametrize(
    ("error", "level", "event"),
    [
        (ValueError("a text of somebody"), "error", "a job broke"),
        (NotFound(), "error", "a job broke"),
        (Unavailable(), "warning", "a job could not be done now"),
    ],
)
async def test_a_failure_is_told_once_and_not_tried_again(
    make_jobs: MakeJobs, run_jobs: RunJobs, work: Work, error: Exception, level: str, event: str
) -> None:
    jobs = make_jobs(slots=1)

    async def fail(_: str) -> None:
        raise error

    jobs.handle("bad", fail)
    jobs.handle("run", work)
    with structlog.testing.capture_logs() as logs:
        await started(jobs, run_jobs)
        await jobs.wake("bad", "one")
        await jobs.wake("unknown", "one")
        await jobs.wake("run", "after")
        await work.until(1)
    assert [(e["log_level"], e["event"]) for e in logs] == [
        (level, event),
        ("error", "a job of a kind that this process does not know"),
    ]


async def test_a_drained_process_leaves_what_it_gives_back_to_others(
    make_jobs: MakeJobs, run_jobs: RunJobs, work: Work
) -> None:
    other = Work()
    ending, heir = make_jobs(slots=1), make_jobs(slots=1)
    given_back = asyncio.Event()

    async def give_back(key: str) -> None:
        await work(key)
        await ending.wake("run", key)
        given_back.set()

    ending.handle("run", give_back)
    await started(ending, run_jobs)
    work.hold("one")
    await ending.wake("run", "one")
    await work.until(1)
    heir.handle("run", other)
    await started(heir, run_jobs)
    await ending.drain()
    await ending.wake("run", "two")
    await other.until(1)
    work.release("one")
    await given_back.wait()
    await other.until(2)
    assert (work.ran, other.ran) == (["one"], ["two", "one"])


async def test_before_and_after_nothing_is_begun(make_jobs: MakeJobs, run_jobs: RunJobs, work: Work) -> None:
    jobs = make_jobs()
    jobs.handle("run", work)
    await jobs.wake("run", "early")
    task = await started(jobs, run_jobs)
    await jobs.wake("run", "in time")
    await work.until(1)
    task.cancel()
    await asyncio.wait([task], timeout=2)
    await jobs.wake("run", "late")
    assert work.ran == ["in time"]
