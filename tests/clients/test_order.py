"""npm's socket.io-client, unmodified: text, bytes and acks once and in order, whatever its transport does."""

import pytest

from tests.clients.node import run
from tests.transports.socketio.firehose import SIZES, Firehose
from tests.transports.socketio.serving import PATIENT, serving

COUNT = 400


BOTH = ["polling", "websocket"]


@pytest.mark.parametrize(
    ("transports", "after"),
    [(["polling"], 0), (["websocket"], 0), *((BOTH, after) for after in (0, 1, 5, 20, 60, 150))],
)
async def test_order(transports: list[str], after: int) -> None:
    """Bytes follow their packet across the answers of polling too; `after` is when the upgrade begins."""
    async with serving(Firehose(), limits=PATIENT) as hose:
        found = await run(
            "ordered", url=hose.url, transports=transports, upgrade_after=after, count=COUNT, sizes=SIZES
        )
    assert "reason" not in found, found["reason"]
    assert found["wrong"] == []
    assert found["numbers"] == list(range(1, len(found["numbers"]) + 1))
    assert len(found["numbers"]) > COUNT
    assert found["closed"] == transports[-1]
    assert found["opened"] == transports[0] or after == 0
