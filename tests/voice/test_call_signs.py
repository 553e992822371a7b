"""Signs of calls on the wire: refusals, marks, clear, keys, errors, and who gives way."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMsgType, web

from server.engine.voice.speech import HEARD_RATE, SAMPLE_BYTES
from tests.evaluator.agents import listening
from tests.evaluator.lab import Lab
from tests.voice.agents import PcmWire, TwilioWire

LONG = (
    "Good morning, I am calling because I would like to know what kinds of bread you have got today, "
    "and whether you could keep two loaves of it for me until the evening."
)
SECOND = bytes(HEARD_RATE * SAMPLE_BYTES)
FRAMES = 50  # a second
HELD_BACK = 5  # of our frames, by the change of their rate
Play = Callable[[Any], Awaitable[None]]


def says(first: str) -> dict[str, Any]:
    """Return a caller who says one thing, and waits."""
    condition = {"id": 0, "condition": "FIRST_MESSAGE", "action": first, "fixed_message": True}
    return {"role": "A customer.", "conditions": [condition]}


async def called(lab: Lab, url: str, transport: str, first: str = "Hello.") -> dict[str, Any]:
    """Call an agent once and return the run."""
    agent = await lab.agent("ws://127.0.0.1:1/", voice_transport=transport, voice_url=url)
    scenario = await lab.scenario(agent, conditional_actions=says(first), max_duration=60)
    answer = await lab.evaluators.start(lab.author, {"scenarios": [scenario]}, as_text=False)
    view = await lab.ended(int(answer["id"]), within=100)
    (run,) = view["runs"].values()
    return dict(run)


def playing(make: Callable[[web.WebSocketResponse], Any], play: Play) -> Any:
    """Run an agent that plays its part with whoever calls, and hangs up."""

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        await play(make(ws))
        await ws.close()
        return ws

    return listening(serve)


async def signs(wire: Any, name: str, key: str) -> int:
    """Read until a sign of a name comes; return how many frames of sound came before it."""
    frames = 0
    async for message in wire.ws:
        if wire.read(message) is not None:
            frames += 1
        elif wire.signs[-1][key] == name:
            return frames
    raise AssertionError(f"the line was closed before {name} came")


@pytest.mark.parametrize(("status", "tries"), [(401, 1), (403, 1), (503, 3)])
async def test_who_is_refused_does_not_ask_again(lab: Lab, status: int, tries: int) -> None:
    asked = []

    async def refuse(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return web.Response(status=status)

    async with listening(refuse) as url:
        run = await called(lab, url, "raw_pcm")
    assert len(asked) == tries
    assert (run["status"], run["metadata"]["ended_reason"]) == ("failed", "Main agent-call-not-connected")
    assert str(status) in run["error_message"]
    assert run["recording_url"] is None


async def test_an_agent_out_of_reach_is_named(lab: Lab) -> None:
    run = await called(lab, "ws://127.0.0.1:1/", "twilio")
    assert run["metadata"]["ended_reason"] == "Main agent-call-not-connected"
    assert "cannot be reached" in run["error_message"]


async def test_marks_come_back_once_the_sound_before_them_was_played(lab: Lab) -> None:
    seen: dict[str, int] = {}

    async def play(wire: TwilioWire) -> None:
        await signs(wire, "start", "event")
        await wire.send(SECOND * 2)  # at once: it is played in real time all the same
        await wire.tell("mark", mark={"name": "two"})
        await wire.send(SECOND)
        await wire.tell("mark", mark={"name": "three"})
        seen["two"] = await signs(wire, "mark", "event")
        seen["three"] = await signs(wire, "mark", "event")
        await wire.send(SECOND * 20)
        await wire.tell("mark", mark={"name": "dropped"})
        await wire.tell("clear")
        seen["dropped"] = await signs(wire, "mark", "event")
        names = [sign["mark"]["name"] for sign in wire.signs if sign["event"] == "mark"]
        assert names == ["two", "three", "dropped"]
        started = wire.signs[1]
        assert started["start"]["mediaFormat"]["encoding"] == "audio/x-mulaw"
        frames = sorted(wire.signs[1:] + wire.media, key=lambda frame: int(frame["sequenceNumber"]))
        assert [frame["sequenceNumber"] for frame in frames] == [str(n + 1) for n in range(len(frames))]
        assert [m["media"]["chunk"] for m in wire.media] == [str(n + 1) for n in range(len(wire.media))]
        assert [m["media"]["timestamp"] for m in wire.media] == [str(20 * n) for n in range(len(wire.media))]
        seen["done"] = 1

    async with playing(TwilioWire, play) as url:
        await called(lab, url, "twilio")
    assert seen["two"] >= 2 * FRAMES - HELD_BACK
    assert seen["three"] > FRAMES / 2
    assert seen["dropped"] < 15 * FRAMES
    assert seen["done"]


async def test_keys_are_pressed_and_the_stream_is_stopped(lab: Lab) -> None:
    pressed: list[str] = []

    async def play(wire: TwilioWire) -> None:
        await signs(wire, "stop", "event")
        pressed.extend(sign["dtmf"]["digit"] for sign in wire.signs if sign["event"] == "dtmf")

    async with playing(TwilioWire, play) as url:
        run = await called(lab, url, "twilio", 'Hello. <dtmf digits="12#"/> <endcall/>')
    assert pressed == ["1", "2", "#"]
    assert run["metadata"]["ended_reason"] == "Testing agent-ended-call"


async def test_what_cannot_be_read_is_told_and_only_an_internal_error_ends_a_call(lab: Lab) -> None:
    codes = []

    async def play(wire: PcmWire) -> None:
        for wrong in ("nonsense", b"odd", json.dumps({"id": "x"})):
            await (wire.ws.send_bytes(wrong) if isinstance(wrong, bytes) else wire.ws.send_str(wrong))
            await signs(wire, "session.error", "type")
            codes.append(wire.signs[-1]["data"]["code"])
        for code in ("INVALID_MESSAGE", "MISSING_FIELD", "INVALID_AUDIO_FRAME"):
            await wire.sign("session.error", code=code, message="not understood")
        await wire.ws.send_str("nonsense")
        await signs(wire, "session.error", "type")  # it goes on
        await wire.sign("session.error", code="INTERNAL_ERROR", message="out of bread")
        async for message in wire.ws:  # until it is closed
            assert message.type in (WSMsgType.BINARY, WSMsgType.TEXT)

    async with playing(PcmWire, play) as url:
        run = await called(lab, url, "raw_pcm")
    assert codes == ["INVALID_MESSAGE", "INVALID_AUDIO_FRAME", "MISSING_FIELD"]
    assert "out of bread" in run["error_message"]


async def test_an_agent_that_says_that_it_speaks_is_given_way_to_at_once(lab: Lab) -> None:
    counts: dict[str, int] = {}

    async def play(wire: PcmWire) -> None:
        await signs(wire, "speech.started", "type")
        started = wire.signs[-1]
        await loud(wire, 20)
        await wire.sign("speech.started", utterance_id="mine")
        counts["after"] = await loud(wire, None)
        completed = wire.signs[-1]
        assert completed["type"] == "speech.completed"
        assert completed["data"] == started["data"]
        assert isinstance(completed["ts_ms"], int)

    async with playing(PcmWire, play) as url:
        run = await called(lab, url, "raw_pcm", LONG)
    assert counts["after"] < 2 * FRAMES  # of the eight seconds that it takes to say
    said = run["transcript_object"][0]["content"]
    assert LONG.startswith(said)
    assert len(said) < len(LONG) / 2


async def loud(wire: PcmWire, wanted: int | None) -> int:
    """Read until so many frames with a voice came, or else the sign that it has spoken; return how many."""
    count = 0
    async for message in wire.ws:
        sound = wire.read(message)
        if sound is None and wire.signs[-1]["type"] == "speech.completed":
            break
        count += sound is not None and bool(np.abs(np.frombuffer(sound, "<i2").astype(int)).mean() > 100)
        if count == wanted:
            break
    return count
