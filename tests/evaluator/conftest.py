"""A server that may call agents of this machine, and an author who starts results on it."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from server.llm.scripted import ScriptedModel
from tests.evaluator.lab import Lab, OpenLab, lab_on


@pytest.fixture
def open_lab(mongod_url: str, model: tuple[ScriptedModel, str]) -> OpenLab:
    """Let a test run servers with settings of its own."""
    return partial(lab_on, mongod_url, model)


@pytest_asyncio.fixture
async def lab(open_lab: OpenLab) -> AsyncIterator[Lab]:
    """Run a server."""
    async with open_lab() as found:
        yield found
