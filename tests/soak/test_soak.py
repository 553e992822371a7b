"""A short run of the soak: nothing is left of a few hundred connections."""

from pathlib import Path

import pytest

from tests.soak.soak import MB, soak
from tests.soak.ways import ALL

CONNECTIONS = 300
MEMORY = 16 * MB  # of some hundred it is warmth; what each of many may leave is for `make soak` to judge
POOL = 32  # connections that the driver may keep open to the database


@pytest.mark.timeout(300)
async def test_nothing_is_left_of_some_hundred_connections(mongod_url: str, tmp_path: Path) -> None:
    report = await soak(mongod_url, tmp_path, count=CONNECTIONS, unload=False)
    assert report.errors == 0
    assert report.slow >= CONNECTIONS // len(ALL)
    left = {name: n - report.base[name] for name, n in report.after.items() if n > report.base[name]}
    assert left.pop("memory", 0) <= MEMORY
    assert left.pop("database", 0) <= POOL
    assert not left, report.lines()
