"""Work that is spread over turns of the event loop."""

import asyncio

from server.engine.batch.breath import Breath


async def test_a_few_go_on_in_each_turn_and_the_oldest_first() -> None:
    breath = Breath(2)
    turn, seen = 0, []

    async def one(number: int) -> None:
        await breath.take()
        seen.append((turn, number))

    tasks = [asyncio.create_task(one(number)) for number in range(7)]
    while not all(task.done() for task in tasks):
        turn += 1
        await asyncio.sleep(0)
    assert [number for _, number in seen] == list(range(7))
    turns = [at for at, _ in seen]
    assert max(turns.count(at) for at in turns) == 2


async def test_who_is_cancelled_takes_nobodys_place() -> None:
    breath = Breath(1)
    first, second, third = [asyncio.create_task(breath.take()) for _ in range(3)]
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(first, third)
    assert second.cancelled()


async def test_a_turn_later_there_is_room_again() -> None:
    breath = Breath(1)
    async with asyncio.timeout(20):
        for _ in range(10):
            await breath.take()
