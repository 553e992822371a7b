"""The budget of reading: a share of the process's time for all lines, and the quiet ones first."""

import asyncio
import time
from contextlib import suppress

from server.engine.evaluator.lines.budget import SAVED_SECONDS, Budget, Flow


async def spend(budget: Budget, flow: Flow, name: str, done: list[str]) -> None:
    await budget.spend(flow, lambda: done.append(name), besides=0.02)


async def test_many_new_lines_together_get_no_more_than_the_share() -> None:
    budget, done = Budget(share=0.5), list[str]()
    begun = time.monotonic()
    await asyncio.gather(*(spend(budget, Flow(), "new", done) for _ in range(25)))
    assert len(done) == 25
    assert time.monotonic() - begun > 24 * 0.02 / 0.5 - SAVED_SECONDS - 0.01


async def test_a_quiet_line_comes_before_those_that_wait_for_more() -> None:
    budget, done = Budget(share=0.05), list[str]()
    loud = [Flow() for _ in range(3)]
    await asyncio.gather(*(spend(budget, flow, "loud", done) for flow in loud))
    more = [asyncio.create_task(spend(budget, flow, "more", done)) for flow in loud for _ in range(3)]
    await asyncio.sleep(0)  # they wait now
    await spend(budget, Flow(), "quiet", done)
    assert done.index("quiet") <= 5
    for task in more:
        task.cancel()
    await asyncio.gather(*more, return_exceptions=True)


async def test_who_leaves_while_it_waits_holds_nobody_up() -> None:
    budget, done = Budget(share=0.05), list[str]()
    await spend(budget, Flow(), "first", done)
    gone = [asyncio.create_task(spend(budget, Flow(), "gone", done)) for _ in range(5)]
    last = asyncio.create_task(spend(budget, Flow(), "last", done))
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    async with asyncio.timeout(20):
        await last
    assert done == ["first", "last"]
