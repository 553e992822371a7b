"""The core on a real mongod: one process, several with a bell, several whose bell is or goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from server.engine.ids import new
from server.store import Store, connect
from tests.conformance.nodes import Node, Nodes, over, running
from tests.support.process import free_port
from tests.support.valkey import ValkeyServer, valkey_server

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


@asynccontextmanager
async def one_process(store: Store) -> AsyncIterator[Nodes]:
    """Run a process that has nobody to hear."""
    async with running(store, count=1) as found:
        yield found


@asynccontextmanager
async def with_a_bell(store: Store, *, count: int = 2) -> AsyncIterator[Nodes]:
    """Run processes that hear of each other."""
    async with valkey_server() as valkey, running(store, count=count, bell=over(valkey.url)) as found:
        for node in found:
            await node.valkey_bell.up.wait()
        yield found


@asynccontextmanager
async def without_a_bell(store: Store) -> AsyncIterator[Nodes]:
    """Run processes whose bell is away all the time."""
    async with running(store, count=2, bell=over(f"redis://127.0.0.1:{free_port()}/0")) as found:
        yield found


@asynccontextmanager
async def with_a_bell_that_breaks(store: Store) -> AsyncIterator[Nodes]:
    """Run processes whose bell is killed when something is published, and comes back empty."""
    async with valkey_server() as valkey, running(store, count=2, bell=over(valkey.url)) as found:
        for node in found:
            await node.valkey_bell.up.wait()
        breaking = asyncio.create_task(_break(valkey, found))
        try:
            yield found
        finally:
            breaking.cancel()
            await asyncio.gather(breaking, return_exceptions=True)


async def _break(valkey: ValkeyServer, nodes: Nodes) -> None:
    while True:
        await nodes[-1].publishing.wait()
        await valkey.kill()
        nodes[-1].publishing.clear()
        await nodes[-1].publishing.wait()
        await valkey.start()
        await nodes[-1].valkey_bell.up.wait()
        nodes[-1].publishing.clear()


@pytest_asyncio.fixture(params=[one_process, with_a_bell, without_a_bell, with_a_bell_that_breaks])
async def nodes(request: pytest.FixtureRequest, store: Store) -> AsyncIterator[Nodes]:
    """Run one or several processes' worth of the core."""
    async with request.param(store) as found:
        yield found


@pytest_asyncio.fixture
async def node(store: Store) -> AsyncIterator[Node]:
    """Run one process's worth of the core."""
    async with running(store, count=1) as found:
        yield found[0]


@pytest_asyncio.fixture
async def pair(store: Store) -> AsyncIterator[Nodes]:
    """Run two processes' worth of the core that hear nothing of each other."""
    async with running(store, count=2) as found:
        yield found
