"""One cluster for all of these tests; who was killed by a test is started again after it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.scaled.cluster import Cluster, cluster
from tests.support.batches import MIRROR

HERE = Path(__file__).parent
LONG = "a-data-directory-whose-name-is-too-long-for-the-address-of-a-socket-" + "x" * 40


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
    folder = tmp_path_factory.mktemp("scaled") / LONG
    folder.mkdir()
    workers = ("third", "fourth")
    async with cluster(mongod_url, valkey_url, folder=folder, workers=workers, url_mirror=MIRROR) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def mortal(shared: Cluster) -> AsyncIterator[Cluster]:
    """Let a test kill and stop processes, and start them again."""
    yield shared
    await shared.start()
