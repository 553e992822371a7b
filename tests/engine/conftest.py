"""A scripted judge for tests of grading."""

from collections.abc import AsyncIterator

import pytest

from server.llm import Models
from server.llm.scripted import ScriptedModel
from tests.engine.grading_cases import REVIEW, verdict


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel([verdict(2), *REVIEW])
    yield model
    await model.stop()


@pytest.fixture
async def models(scripted: ScriptedModel) -> AsyncIterator[Models]:
    models = Models(base_url=await scripted.start(), api_key=None, model="scripted", retries=0)
    yield models
    await models.aclose()
