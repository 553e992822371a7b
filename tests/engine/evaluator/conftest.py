"""A scripted model that plays callers."""

from collections.abc import AsyncIterator

import pytest

from server.llm import Models
from server.llm.scripted import ScriptedModel


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel()
    yield model
    await model.stop()


@pytest.fixture
async def models(scripted: ScriptedModel) -> AsyncIterator[Models]:
    models = Models(base_url=await scripted.start(), api_key=None, model="scripted", retries=0)
    yield models
    await models.aclose()


@pytest.fixture
async def nobody() -> AsyncIterator[Models]:
    """Return models at an address where nobody listens."""
    models = Models(base_url="http://127.0.0.1:9/v1", api_key=None, model="scripted", retries=0)
    yield models
    await models.aclose()
