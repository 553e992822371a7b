"""The offline voice, loaded for each test (Whisper only once for all)."""

from collections.abc import AsyncIterator

import pytest

from server.engine.voice.offline.speech import OfflineSpeech
from server.llm.scripted import ScriptedModel
from tests.evaluator.lab import Lab, lab_on


@pytest.fixture
async def speech() -> AsyncIterator[OfflineSpeech]:
    opened = OfflineSpeech()
    await opened.open()
    try:
        yield opened
    finally:
        await opened.aclose()


@pytest.fixture
async def lab(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Lab]:
    """Run a server whose evaluators may be used."""
    async with lab_on(mongod_url, model) as found:
        yield found
