"""A scripted model that selectors ask."""

from collections.abc import AsyncIterator

import pytest

from server.llm.completions import Completions
from server.llm.scripted import ScriptedModel


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel()
    yield model
    await model.stop()


@pytest.fixture
async def completions(scripted: ScriptedModel) -> AsyncIterator[Completions]:
    completions = Completions(base_url=await scripted.start(), api_key=None, model="gpt-4o", timeout=10)
    yield completions
    await completions.aclose()
