"""A server that can be killed, on the run's mongod and the test's scripted model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from server.llm.scripted import ScriptedModel
from tests.support.process import ServerProcess, server_process
from tests.support.running import settings_for


@pytest_asyncio.fixture
async def mortal(
    mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> AsyncIterator[ServerProcess]:
    """Run a server in a process of its own."""
    settings = settings_for(mongod_url, model[1])
    async with server_process(settings, tmp_path / "server.log") as process:
        await process.start()
        yield process
