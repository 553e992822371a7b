"""The core on a real mongod, with one process and with several that hear nothing of each other."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.engine.ids import new
from server.store import Store, connect
from tests.conformance.nodes import Node, Nodes, running

DATABASE = "conformance"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prepared(mongod_url: str) -> str:
    """Return the address of a mongod whose database has its indexes."""
    store = connect(mongod_url, DATABASE)
    await store.prepare()
    store.close()
    return mongod_url


@pytest_asyncio.fixture
async def store(prepared: str) -> AsyncIterator[Store]:
    """Connect to the database that all these tests share; each uses rooms of its own."""
    found = connect(prepared, DATABASE)
    yield found
    found.close()


@pytest.fixture
def room() -> str:
    """Return a room of one's own."""
    return f"attempt_{new()}"


@pytest_asyncio.fixture(params=[1, 2], ids=["one process", "two processes, no bell"])
async def nodes(request: pytest.FixtureRequest, store: Store) -> AsyncIterator[Nodes]:
    """Run as many processes' worth of the core as asked for."""
    async with running(store, count=request.param) as found:
        yield found


@pytest_asyncio.fixture
async def node(store: Store) -> AsyncIterator[Node]:
    """Run one process's worth of the core."""
    async with running(store, count=1) as found:
        yield found[0]


@pytest_asyncio.fixture
async def pair(store: Store) -> AsyncIterator[Nodes]:
    """Run two processes' worth of the core."""
    async with running(store, count=2) as found:
        yield found
