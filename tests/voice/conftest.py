"""The offline voice, loaded for each test (Whisper only once for all)."""

from collections.abc import AsyncIterator

import pytest

from server.engine.voice.offline.speech import OfflineSpeech


@pytest.fixture
async def speech() -> AsyncIterator[OfflineSpeech]:
    opened = OfflineSpeech()
    await opened.open()
    try:
        yield opened
    finally:
        await opened.aclose()
