"""The learner, over a socket or over every transport."""

import pytest
import pytest_asyncio

from tests.conftest import Cast
from tests.support.attempts import Client
from tests.support.clients import Socket


@pytest_asyncio.fixture
async def learner(cast: Cast) -> Socket:
    """Connect the learner's socket."""
    return await cast.learner()


@pytest_asyncio.fixture(params=["socket", "http"])
async def client(cast: Cast, request: pytest.FixtureRequest) -> Client:
    """Connect the learner over each transport in turn."""
    return await cast.over(request.param)
