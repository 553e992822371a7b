"""A cluster for the tests that do it no harm, and one for each of those that do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.scaled.cluster import Cluster, cluster

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests in the loop of the cluster that they share."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(
    mongod_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    """Run two servers behind one port."""
    async with cluster(mongod_url, valkey_url, folder=tmp_path_factory.mktemp("scaled")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def mortal(mongod_url: str, valkey_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Run two servers behind one port for one test."""
    async with cluster(mongod_url, valkey_url, folder=tmp_path) as running:
        yield running
