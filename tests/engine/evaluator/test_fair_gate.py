"""The fair gate: a free place goes to who has the fewest, and nobody who leaves keeps one."""

import asyncio

from server.engine.fair_gate import FairGate


async def test_a_place_goes_to_who_has_the_fewest() -> None:
    gate, order = FairGate(2), list[str]()

    async def one(owner: str) -> None:
        async with gate.place(owner):
            order.append(owner)
            await asyncio.sleep(0)

    many = [one("loud") for _ in range(6)]
    await asyncio.gather(*many, one("quiet"), one("calm"))
    assert order[:3] == ["loud", "loud", "quiet"]
    assert order.index("calm") <= 4
    assert len(order) == 8


async def test_an_owner_has_all_places_while_nobody_waits() -> None:
    gate = FairGate(3)
    for _ in range(3):
        await gate.acquire("only")
    waiting = asyncio.create_task(gate.acquire("other"))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.release("only")
    await waiting


async def test_an_owner_leaves_places_to_others_who_come_later() -> None:
    gate = FairGate(3, most=2)
    many = [asyncio.create_task(gate.acquire("loud")) for _ in range(4)]
    await asyncio.sleep(0)
    assert [one.done() for one in many] == [True, True, False, False]
    async with asyncio.timeout(5):
        await gate.acquire("quiet")
    gate.release("quiet")
    assert not many[2].done()
    gate.release("loud")
    await asyncio.gather(many[2])
    assert not many[3].done()


async def test_who_is_cancelled_takes_no_place() -> None:
    gate = FairGate(1)
    await gate.acquire("first")
    waiting = asyncio.create_task(gate.acquire("second"))
    told = asyncio.create_task(gate.acquire("third"))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.release("first")
    told.cancel()  # its place was given to it already
    await asyncio.gather(waiting, told, return_exceptions=True)
    async with asyncio.timeout(5):
        await gate.acquire("fourth")
