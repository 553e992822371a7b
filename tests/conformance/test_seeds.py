"""Publishing, joining in mid-stream, dropping and resuming, in many orders of what the event loop runs."""

import asyncio
import random

import pytest

from server.engine.ids import new
from server.store import connect
from tests.conformance.conftest import DATABASE
from tests.conformance.nodes import Client, Node, Nodes, check_log, deaf, over, running, text_of, whole
from tests.conformance.shuffled import ShuffledLoop, run_shuffled

SEEDS = range(50)
PUBLISHERS = 3
EACH = 40


async def publisher(node: Node, rooms: list[str], name: int, luck: random.Random) -> None:
    """Publish in bursts; now and then an event that another publisher repeats."""
    for n in range(EACH):
        eid = f"event-{n}" if n % 10 == 0 else None
        future = node.publish(rooms[n % len(rooms)], f"{name}:{n:03}", eid=eid)
        if luck.random() < 0.3:
            await future
    await node.log.flush()


async def follower(node: Node, room: str, luck: random.Random, *, done: asyncio.Event) -> list[int]:
    """Join, drop and resume until the end; return every number that arrived."""
    got: list[int] = []
    while not done.is_set():
        client = Client(node, greedy=luck.choice([None, 2000]))
        place = await client.join(room, after=got[-1] if got else 0, marked=luck.random() < 0.5)
        for _ in range(luck.randrange(60)):
            await asyncio.sleep(0)
        await client.close()
        got += client.numbers(room)
        assert place.recovered
    return got


async def story(url: str, seed: int, *, valkey_url: str) -> None:
    """Let three publishers and four restless followers meet, and compare what arrived with the log."""
    luck = random.Random(seed)
    store = connect(url, DATABASE)
    rooms = [f"attempt_{new()}" for _ in range(2)]
    bell = luck.choice([deaf, over(valkey_url)])
    async with running(store, count=luck.choice([1, 2, 3]), bell=bell) as nodes:
        done = asyncio.Event()
        following = [
            asyncio.create_task(follower(luck.choice(nodes), rooms[n % 2], luck, done=done)) for n in range(4)
        ]
        await asyncio.gather(*[publisher(nodes[n % len(nodes)], rooms, n, luck) for n in range(PUBLISHERS)])
        done.set()
        seen = await asyncio.gather(*following)
        for room in rooms:
            rows = await whole(store, room)
            check_log(rows)
            check_order(list(map(text_of, rows)))
        for n, numbers in enumerate(seen):
            await check_resumed(nodes, rooms[n % 2], numbers)
    store.close()


def check_order(texts: list[str]) -> None:
    """Raise unless each publisher's entries are in its order."""
    for name in range(PUBLISHERS):
        mine = [text for text in texts if text.startswith(f"{name}:")]
        assert mine == sorted(mine)


async def check_resumed(nodes: Nodes, room: str, numbers: list[int]) -> None:
    """Resume once more, on any process, until the end: nothing is missing and nothing twice."""
    assert numbers == list(range(1, len(numbers) + 1))
    top = len(await whole(nodes[0].store, room))
    for node in nodes:
        client = Client(node)
        await client.join(room, after=0)
        node.catch_up()
        await client.until(room, top)
        assert client.numbers(room) == list(range(1, top + 1))
        await client.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed(prepared: str, valkey_url: str, seed: int) -> None:
    run_shuffled(story(prepared, seed, valkey_url=valkey_url), seed=seed)


def test_a_failure_names_its_seed() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken") as caught:
        run_shuffled(fail(), seed=7)
    assert caught.value.__notes__ == ["seed 7"]


def test_a_seed_repeats_its_order_and_seeds_differ() -> None:
    async def order() -> tuple[int, ...]:
        seen: list[int] = []

        async def one(n: int) -> None:
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(n)

        await asyncio.gather(*map(one, range(6)))
        assert isinstance(asyncio.get_running_loop(), ShuffledLoop)
        return tuple(seen)

    assert run_shuffled(order(), seed=3) == run_shuffled(order(), seed=3)
    assert len({run_shuffled(order(), seed=seed) for seed in range(5)}) > 1
