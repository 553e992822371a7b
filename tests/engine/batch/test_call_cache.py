"""Equal things are made once; who waits for a maker that fails is not left alone."""

import asyncio
import tracemalloc

import pytest

from server.engine.batch.call_cache import ENTRY, KeptFailures, OnceCache
from server.errors import Upstream

KEY = b"key"


class Maker:
    """Makes things when it is told to, and counts how many."""

    def __init__(self) -> None:
        self.begun = 0
        self.outcomes: asyncio.Queue[str | Exception] = asyncio.Queue()

    async def __call__(self) -> str:
        self.begun += 1
        outcome = await self.outcomes.get()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def cache(most: int = 10_000) -> OnceCache[str]:
    return OnceCache[str](most=most, size=len)


Wanted = list[asyncio.Task[tuple[str, bool]]]


async def wanted(once: OnceCache[str], maker: Maker, count: int) -> Wanted:
    tasks = [asyncio.create_task(once.get(KEY, maker)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_equal_things_that_are_wanted_at_once_are_made_once() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 5)
    maker.outcomes.put_nowait("it")
    assert await asyncio.gather(*tasks) == [("it", False)] + [("it", True)] * 4
    assert await once.get(KEY, maker) == ("it", True)
    assert maker.begun == 1


async def test_another_makes_it_when_the_first_is_cancelled() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 3)
    tasks[0].cancel()
    maker.outcomes.put_nowait("it")
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await asyncio.gather(*tasks[1:]) == [("it", False), ("it", True)]
    assert maker.begun == 2


async def test_one_who_waits_and_is_cancelled_takes_nobody_along() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 3)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    maker.outcomes.put_nowait("it")
    assert [await tasks[0], await tasks[2]] == [("it", False), ("it", True)]


async def test_another_makes_it_when_the_first_fails() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 3)
    maker.outcomes.put_nowait(Upstream("it broke off"))
    maker.outcomes.put_nowait("it")
    with pytest.raises(Upstream):
        await tasks[0]
    assert await asyncio.gather(*tasks[1:]) == [("it", False), ("it", True)]


async def test_a_second_failure_goes_to_all_who_wait_and_is_not_kept() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 6)
    for _ in range(2):
        maker.outcomes.put_nowait(Upstream("it broke off"))
        for _turn in range(5):  # of the loop, until all who wait have heard of it
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(failure, Upstream) for failure in failures)
    assert maker.begun == 2
    maker.outcomes.put_nowait("it")
    assert await once.get(KEY, maker) == ("it", False)


async def test_a_failure_that_no_other_try_mends_goes_to_all_who_wait() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 3)
    maker.outcomes.put_nowait(Upstream("a wrong key", retryable=False))
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["a wrong key"] * 3
    assert maker.begun == 1


@pytest.mark.parametrize(
    ("failures", "may_retry", "made"),
    [("none", False, 2), ("final", False, 1), ("final", True, 2), ("all", True, 1), ("all", False, 1)],
)
async def test_failures_are_kept_where_that_is_wanted(
    failures: KeptFailures, may_retry: bool, made: int
) -> None:
    once, maker = OnceCache[str](failures=failures), Maker()
    for number in range(2):
        maker.outcomes.put_nowait(Upstream(f"failure {number}", retryable=may_retry, retry_after=3))
        with pytest.raises(Upstream) as raised:
            await once.get(KEY, maker)
        assert (raised.value.may_retry, raised.value.retry_after) == (may_retry, 3)
    assert maker.begun == made
    assert str(raised.value) == f"failure {made - 1}"


async def test_a_mistake_of_ours_fails_who_made_it_only() -> None:
    once, maker = cache(), Maker()
    tasks = await wanted(once, maker, 2)
    maker.outcomes.put_nowait(ZeroDivisionError())
    maker.outcomes.put_nowait("it")
    with pytest.raises(ZeroDivisionError):
        await tasks[0]
    assert await tasks[1] == ("it", False)


async def test_what_was_used_last_is_kept() -> None:
    once, maker = cache(most=2 * (ENTRY + 10)), Maker()
    for key in (b"a", b"b", b"a", b"c"):
        if key != b"a" or not maker.begun:
            maker.outcomes.put_nowait("0123456789")
        await once.get(key, maker)
    assert await once.get(b"a", maker) == ("0123456789", True)
    assert maker.begun == 3
    maker.outcomes.put_nowait("anew")
    assert await once.get(b"b", maker) == ("anew", False)


async def test_what_is_larger_than_all_is_not_kept() -> None:
    once, maker = cache(most=ENTRY + 5), Maker()
    for _ in range(2):
        maker.outcomes.put_nowait("0123456789")
        assert await once.get(KEY, maker) == ("0123456789", False)
    assert once.bytes == 0


async def test_memory_is_bounded_as_it_says() -> None:
    most = 2_000_000
    once = OnceCache[str](most=most, size=len)

    async def make() -> str:
        return "x" * 100 + str(len(keys))

    keys = [number.to_bytes(32) for number in range(20_000)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for key in keys:
            await once.get(key, make)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert once.bytes <= most
    assert grown < 1.2 * most
