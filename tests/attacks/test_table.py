"""The table of attacks: each gets the right answer and costs little, and nobody else feels it."""

import statistics
import time

import pytest

from tests.attacks import doubles, dying, floods, frames, handshakes, judges, origins, payloads, resume, rooms
from tests.attacks.node import Node
from tests.attacks.table import Attack

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUPS = (origins, handshakes, frames, payloads, floods, rooms, resume, doubles, judges, dying)
ATTACKS = [attack for group in GROUPS for attack in group.ATTACKS]
FELT_MS = 250.0
TIMES_WORSE = 5
MEASURES = 3


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_fails_and_nobody_feels_it(nodes: dict[str, Node], attack: Attack) -> None:
    node = nodes["strict" if attack.strict else "open"]
    await node.calm()
    place, memory = node.logged(), node.memory()
    node.forget_highest()
    await _measured(node, attack)
    await node.calm()
    assert not (complaints := node.complaints(place)), complaints[0]
    kept, highest = node.memory() - memory, node.memory(highest=True) - memory
    assert kept <= attack.kept, f"{kept:,} bytes are kept"
    assert highest <= attack.highest, f"{highest:,} bytes were used"


async def _measured(node: Node, attack: Attack) -> None:
    """Attack, and hold what the bystander felt to its bound; in doubt the median of three attacks counts."""
    felt: list[float] = []
    bound = 0.0
    for _ in range(MEASURES):
        bound = max(bound, FELT_MS, TIMES_WORSE * await node.bystander.before())
        start = time.monotonic()
        async with node.attacked():
            await attack.run(node)
        felt.append(await node.bystander.since(start))
        if felt == [min(felt[0], bound)]:
            return
        await node.calm()
    assert statistics.median(felt) <= bound, f"the bystander waited {felt} ms of {bound}"
