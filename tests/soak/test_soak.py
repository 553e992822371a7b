"""A short run of the soak: nothing is left of a few hundred connections."""

from pathlib import Path

from tests.soak.soak import MB, soak

CONNECTIONS = 300
MEMORY = 24 * MB


async def test_nothing_is_left_of_some_hundred_connections(mongod_url: str, tmp_path: Path) -> None:
    report = await soak(mongod_url, tmp_path, count=CONNECTIONS, unload=False)
    assert report.errors == 0
    left = {name: n - report.base[name] for name, n in report.after.items() if n > report.base[name]}
    assert left.pop("memory", 0) <= MEMORY
    assert not left, report.lines()
