"""A client that holds answers to the document."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from server.engine.ids import new
from tests.documents.checked import Checked
from tests.support.running import Server


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give a test HTTP."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def checked(server: Server, http: aiohttp.ClientSession) -> Checked:
    """Give a test an author whose answers are held to the document."""
    async with http.get(f"{server.url}/openapi.json") as response:
        document = await response.json()
    client = Checked(http, server.url, document)
    client.headers["Authorization"] = f"Bearer {server.token(new(), role='author')}"
    return client
