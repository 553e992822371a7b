"""A scripted model over real HTTP, and clients of it."""

from collections.abc import AsyncIterator, Callable

import pytest

from server.llm import Models
from server.llm.scripted import ScriptedModel

Connect = Callable[..., Models]


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel()
    yield model
    await model.stop()


@pytest.fixture
async def connect(scripted: ScriptedModel) -> AsyncIterator[Connect]:
    """Return a maker of clients of the scripted model; they are closed after the test."""
    base_url = await scripted.start()
    made: list[Models] = []

    def make(
        *,
        model: str = "scripted",
        timeout: float = 10,
        retries: int = 0,
        judge_model: str | None = None,
        image_model: str | None = None,
    ) -> Models:
        models = Models(
            base_url=base_url,
            api_key="secret-key",
            model=model,
            judge_model=judge_model,
            image_model=image_model,
            timeout=timeout,
            retries=retries,
        )
        made.append(models)
        return models

    yield make
    for models in made:
        await models.aclose()


@pytest.fixture
def models(connect: Connect) -> Models:
    return connect()
