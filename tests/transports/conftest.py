"""People who read back over HTTP."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.rest import People, people_of
from tests.support.running import Server


@pytest_asyncio.fixture
async def people(server: Server) -> AsyncIterator[People]:
    """Give a test people."""
    async with people_of(server) as found:
        yield found
