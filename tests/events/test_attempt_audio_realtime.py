"""Voice sessions over a Realtime endpoint: every line of the mapping, through a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from server.engine.voice.realtime import RealtimeEngine
from server.engine.voice.speech import CHAT_RATE
from server.llm.realtime import Realtime
from server.transports import keys
from tests.support.attempts import Talk, begin
from tests.support.clients import Socket
from tests.support.realtime import PIECE, RealtimeServer, Turn, realtime_server
from tests.support.running import Server
from tests.support.voice import LOUD, SILENT


@asynccontextmanager
async def endpoint(server: Server, *turns: Turn, **how: Any) -> AsyncIterator[RealtimeServer]:
    """Have voice sessions served by an endpoint."""
    async with realtime_server(*turns, **how) as upstream:
        realtime = Realtime(base_url=upstream.url, api_key="key", model="gpt-realtime")
        for app in server.apps:
            app[keys.VOICE].make = lambda: RealtimeEngine(realtime, voice="marin", transcription="whisper-1")
        yield upstream
        for app in server.apps:
            app[keys.VOICE].make = None
        await realtime.aclose()


async def ready(talk: Talk) -> None:
    """Begin a voice session."""
    await talk.client.send("attempt_audio_start", chat_id=talk.chat_id)
    told = await talk.client.until("attempt_audio_ready", chat_id=talk.chat_id)
    assert told["success"], told


async def say(talk: Talk, frames: int = 3) -> None:
    """Say something: loud frames, then silence."""
    for frame in [SILENT, *[LOUD] * frames, SILENT]:
        await talk.client.send("attempt_audio_frame", chat_id=talk.chat_id, audio=frame)


async def test_a_turn_is_heard_and_answered(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("How are you?", "I am very tired.")) as upstream:
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        start = await learner.until("attempt_user_start", chat_id=talk.chat_id)
        user = await learner.until("attempt_user_complete", chat_id=talk.chat_id)
        assert (user["content"], user["item_id"], user["audio"]["ms"]) == (
            "How are you?",
            start["item_id"],
            120,
        )
        told = [d["transcript"] for d in learner.named("attempt_user_delta")]
        assert told == ["How ", "How are ", "How are you? "]
        done = await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert (done["content"].strip(), done["state"]) == ("I am very tired.", "complete")
        assert (done["usage"]["prompt_tokens"], done["usage"]["completion_tokens"]) == (5, 7)
        assert b"".join(d["audio"] for d in learner.named("attempt_assistant_audio")) == PIECE * 4
        (update,) = upstream.sent("session.update")
        session = update["session"]
        assert session["type"] == "realtime"
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
        assert session["audio"]["output"]["voice"] == "marin"
        assert session["instructions"]
        assert session["tools"] == []


async def test_older_names_are_understood(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("Hello.", "Good morning."), old_names=True):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        done = await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert done["content"].strip() == "Good morning."


async def test_speaking_cancels_and_truncates_the_answer(server: Server, learner: Socket) -> None:
    long = Turn("Tell me.", " ".join(["word"] * 200), slow=0.02, sound=PIECE * 25)
    async with endpoint(server, long, Turn("Stop.", "Fine.")) as upstream:
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        await learner.until("attempt_assistant_audio", count=5)
        await say(talk)
        await learner.until("attempt_stopped", chat_id=talk.chat_id)
        sent = b"".join(d["audio"] for d in learner.named("attempt_assistant_audio"))
        done = learner.named("attempt_assistant_complete")[0]
        assert done["state"] == "stopped"
        assert done["audio"]["ms"] == len(sent) * 1000 // (2 * CHAT_RATE)
        second = await learner.until("attempt_assistant_complete", count=2)
        assert second["content"].strip() == "Fine."
        assert upstream.sent("response.cancel")
        (truncated, *_) = upstream.sent("conversation.item.truncate")
        assert truncated["item_id"] == "answer-1"
        assert 0 <= done["audio"]["ms"] - truncated["audio_end_ms"] <= 40
        upstream.drop()
        async with asyncio.timeout(20):
            while len(upstream.got) < 2 or len(upstream.sent("conversation.item.create")) < 4:
                await asyncio.sleep(0)
        said = [e["item"]["content"][0]["text"] for e in upstream.sent("conversation.item.create")]
        assert (said[0], *said[2:]) == ("Tell me.", "Stop.", "Fine. ")
        assert said[1] in (done["content"], f"{done['content']}word ")  # the cut may come between the two


async def test_what_was_no_turn_is_not_answered_later(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("", "I heard a noise."), Turn("Hello.", "Good morning.")):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        await learner.until("attempt_user_delta", chat_id=talk.chat_id, transcript="")
        await say(talk)
        done = await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert done["content"].strip() == "Good morning."


async def test_hints_come_by_a_function(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("Hm.", hints=["Ask how she is."])) as upstream:
        talk = await begin(learner, "hinted")
        await ready(talk)
        await say(talk)
        shown = await learner.until("attempt_hint_progress", chat_id=talk.chat_id)
        assert [hint["hint"] for hint in shown["hints"]] == ["Ask how she is."]
        done = await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert done["content"].strip() == "After the hint."
        (update,) = upstream.sent("session.update")
        assert [tool["name"] for tool in update["session"]["tools"]] == ["show_hints"]
        (answer,) = [e["item"] for e in upstream.sent("conversation.item.create")]
        assert (answer["type"], answer["call_id"]) == ("function_call_output", "c")


async def test_a_dropped_session_goes_on_from_what_was_said(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("One.", "First."), Turn("Two.", "Second.")) as upstream:
        talk = await begin(learner)
        await talk.say("Before.")
        await ready(talk)
        await say(talk)
        await learner.until("attempt_assistant_complete", count=2)
        upstream.drop()
        async with asyncio.timeout(20):
            while len(upstream.got) < 2 or len(upstream.sent("conversation.item.create")) < 4:
                await asyncio.sleep(0)
        said = [e["item"]["content"][0]["text"] for e in upstream.sent("conversation.item.create")]
        assert (said[0], [words.strip() for words in said[2:]]) == ("Before.", ["One.", "First."])
        await say(talk)
        done = await learner.until("attempt_assistant_complete", count=3)
        assert done["content"].strip() == "Second."


async def test_a_reply_that_fails_is_told(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("Go on.", "Half of", fails=True), Turn("Again.", "Whole.")):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        error = await learner.until("attempt_error", chat_id=talk.chat_id)
        assert error["code"] == "upstream"
        await say(talk)
        done = await learner.until("attempt_assistant_complete", count=2)
        assert done["content"].strip() == "Whole."


async def test_an_endpoint_that_refuses_is_told_of(server: Server, learner: Socket) -> None:
    async with endpoint(server, refuses=401):
        talk = await begin(learner)
        await learner.send("attempt_audio_start", chat_id=talk.chat_id)
        told = await learner.until("attempt_audio_ready", chat_id=talk.chat_id)
        assert not told["success"]
        assert "401" in told["message"]


async def test_unmuting_clears_what_was_half_heard(server: Server, learner: Socket) -> None:
    async with endpoint(server, Turn("Hello.", "Hi.")) as upstream:
        talk = await begin(learner)
        await ready(talk)
        await learner.send("attempt_audio_mute", chat_id=talk.chat_id, muted=True)
        await say(talk)
        await learner.send("attempt_audio_mute", chat_id=talk.chat_id, muted=False)
        await say(talk)
        await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        kinds = [event["type"] for event in upstream.got[-1]]
        assert kinds.index("input_audio_buffer.clear") < kinds.index("input_audio_buffer.append")
