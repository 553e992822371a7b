"""Runs by voice: a caller and an agent that really speak, over both framings."""

import io
import wave
from typing import Any

import aiohttp
import numpy as np
import pytest

from server.engine.voice.offline.speech import OfflineSpeech
from server.transports import keys
from tests.evaluator.lab import Lab
from tests.support.clients import socket
from tests.voice.agents import PcmWire, TwilioWire, spoken, voice_agent

GREETING = "Hello, this is the bakery. How can I help you?"
ANSWER = "Yes, your order is ready. Goodbye."
QUESTION = "Is my order of bread ready?"
ACTS = {
    "role": "A customer.",
    "conditions": [
        {"id": 0, "condition": "FIRST_MESSAGE", "action": "", "fixed_message": True},
        {
            "id": 1,
            "condition": 'contains "help"',
            "action": "Is my order of bread ready?",
            "fixed_message": True,
        },
        {"id": 2, "condition": 'contains "ready"', "action": "Thank you. <endcall/>", "fixed_message": True},
    ],
}


async def start(lab: Lab, scenario: int) -> int:
    """Start a run by voice."""
    body = {"scenarios": [scenario]}
    return int((await lab.evaluators.start(lab.author, body, as_text=False))["id"])


@pytest.mark.parametrize(("transport", "wire"), [("raw_pcm", PcmWire), ("twilio", TwilioWire)])
async def test_a_caller_and_an_agent_speak(lab: Lab, transport: str, wire: Any) -> None:
    speech = lab.server.app[keys.SPEECH]
    await speech.open()
    lines = [await spoken(speech, ANSWER)]
    async with voice_agent(wire, greeting=await spoken(speech, GREETING), lines=lines) as called:
        agent = await lab.agent(
            "ws://127.0.0.1:1/",
            voice_transport=transport,
            voice_url=called.url,
            agent_gives_first_message=True,
        )
        scenario = await lab.scenario(agent, conditional_actions=ACTS)
        result = await start(lab, scenario)
        token = lab.server.token(lab.author.id, role="author")
        async with socket(lab.server.url, {"token": token}) as ears:
            await ears.send("room_join", room=f"result_{result}", audio=True)
            view = await lab.ended(result, within=90)
            await ears.until("result_ended", result_id=result)
    assert view["run_as_text"] is False
    (run,) = view["runs"].values()
    assert run["status"] == "completed", run
    said = [(item["role"], item["content"]) for item in run["transcript_object"]]
    assert [role for role, _ in said][:3] == ["Main Agent", "Testing Agent", "Main Agent"], said
    assert "bakery" in said[0][1]
    assert said[1][1] == QUESTION
    assert "ready" in said[2][1]
    for item in run["transcript_object"]:
        assert item["start_time"] < item["end_time"] <= 60
    assert await words(speech, called.heard[0]) == "is my order of bread ready"
    whole = await check_recording(lab, run)
    overheard = b"".join(piece["audio"] for piece in ears.named("run_audio"))
    assert len(overheard) > len(whole) / 2
    assert overheard in whole  # and in its order, without a hole
    assert {piece["run_id"] for piece in ears.named("run_audio")} == {run["id"]}


async def check_recording(lab: Lab, run: dict[str, Any]) -> bytes:
    """Return a call that can be played back: the caller on the left, the agent on the right."""
    token = lab.server.token(lab.author.id, role="author")
    headers = {"Authorization": f"Bearer {token}"}
    at = lab.server.url + run["recording_url"]
    async with aiohttp.ClientSession(headers=headers) as http, http.get(at) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/wav")
        whole = await answer.read()
    with wave.open(io.BytesIO(whole)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 2)
        frames = np.frombuffer(file.readframes(10**9), "<i2").reshape(-1, 2)
    for side, role in enumerate(("Testing Agent", "Main Agent")):
        first = next(item for item in run["transcript_object"] if item["role"] == role)
        start, end = (round(first[name] * 16_000) for name in ("start_time", "end_time"))
        inside, before = frames[start:end, side], frames[: max(1, start - 8_000), side]
        assert np.abs(inside.astype(int)).mean() > 100 > np.abs(before.astype(int)).mean()
    return frames.tobytes()


async def words(speech: OfflineSpeech, sound: bytes) -> str:
    """Return what is understood of some sound, without signs."""
    text = await speech.recogniser.text_of(sound, language="en")
    return "".join(c for c in text.lower() if c.isalnum() or c == " ").strip()
