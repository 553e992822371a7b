"""People who use pipelines over HTTP."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from server.llm.scripted import ScriptedModel
from tests.playground.stacks import OpenStacks, Stacks, stacks_on
from tests.support.rest import People, Rest, people_of
from tests.support.running import Server


@pytest_asyncio.fixture
async def people(server: Server) -> AsyncIterator[People]:
    """Give a test the people."""
    async with people_of(server) as found:
        yield found


@pytest_asyncio.fixture
async def author(people: People) -> Rest:
    """Give a test an author."""
    return people.a("author")


@pytest.fixture
def open_stacks(mongod_url: str, model: tuple[ScriptedModel, str]) -> OpenStacks:
    """Let a test of indexing run servers with settings of its own."""
    return partial(stacks_on, mongod_url, model)


@pytest_asyncio.fixture
async def stacks(open_stacks: OpenStacks) -> AsyncIterator[Stacks]:
    """Run a server."""
    async with open_stacks() as found:
        yield found
