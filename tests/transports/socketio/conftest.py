"""Servers for the tests of this folder."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.databases import databases
from tests.transports.socketio.product import Product, product
from tests.transports.socketio.serving import PATIENT, Serving, serving


@pytest.fixture
async def server() -> AsyncIterator[Serving]:
    """Serve the protocol's test profile: short deadlines."""
    async with serving() as running:
        yield running


@pytest.fixture
async def patient() -> AsyncIterator[Serving]:
    """Serve the same application with the deadlines of the product."""
    async with serving(limits=PATIENT) as running:
        yield running


@pytest.fixture
async def shop(mongod_url: str) -> AsyncIterator[Product]:
    """Serve the product."""
    async with product(mongod_url) as running:
        yield running


@pytest.fixture
async def pair(mongod_url: str) -> AsyncIterator[tuple[Product, Product]]:
    """Serve the product twice on one database, without a bell between them."""
    async with AsyncExitStack() as stack:
        database = databases.name(mongod_url)
        here = await stack.enter_async_context(product(mongod_url, database=database))
        yield here, await stack.enter_async_context(product(mongod_url, database=database))
