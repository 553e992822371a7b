"""A learner talks with a persona over a real socket, in real time, with real speech on both sides."""

from server.engine.voice.offline.resampling import resampled
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.speech import CHAT_RATE, HEARD_RATE
from tests.conftest import Cast
from tests.support.attempts import begin
from tests.support.clients import Socket
from tests.support.microphone import speaking
from tests.support.running import Server
from tests.support.voices import SENTENCES, said, seconds_of, word_errors

REPLIES = (
    "Good morning, how can I help you?",
    "That is a pity.",
    "It includes every call.",
    "We are glad to hear it.",
    "You will have it on Friday.",
)
LONG_REPLY = "Let me tell you everything about it. " + " ".join(SENTENCES * 3)


def heard(client: Socket) -> bytes:
    return b"".join(data["audio"] for data in client.named("attempt_assistant_audio"))


async def test_five_sentences_are_turns_and_answered_aloud(
    server: Server, cast: Cast, speech: OfflineSpeech
) -> None:
    await server.script(*({"reply": reply, "times": 1} for reply in REPLIES))
    sounds = [await said(speech.synthesiser, sentence, rate=CHAT_RATE) for sentence in SENTENCES]
    learner = await cast.learner()
    talk = await begin(learner)
    async with speaking(talk) as microphone:
        for number, sound in enumerate(sounds[:4], start=1):
            microphone.say(sound)
            await learner.until("attempt_assistant_complete", chat_id=talk.chat_id, count=number)
        await learner.send("attempt_audio_mute", chat_id=talk.chat_id, muted=True)
        microphone.say(sounds[5])
        await microphone.spoken()
        await learner.send("attempt_audio_mute", chat_id=talk.chat_id, muted=False)
        microphone.say(sounds[4])
        await learner.until("attempt_assistant_complete", chat_id=talk.chat_id, count=5)
        await learner.send("attempt_audio_stop", chat_id=talk.chat_id)
        ended = await learner.until("attempt_audio_ended", chat_id=talk.chat_id)
        assert (ended["success"], ended["dropped_frames"]) == (True, 0)
    messages = (await talk.snapshot())["messages"]
    mine = [m["content"] for m in messages if m["role"] == "user"]
    for meant, got in zip(SENTENCES, mine, strict=False):
        print(f"WER {word_errors(meant, got):.2f}  {got}")
    assert len(mine) == 5
    assert word_errors(" ".join(SENTENCES[:5]), " ".join(mine)) <= 0.1
    assert [m["content"] for m in messages if m["role"] == "assistant"] == list(REPLIES)
    reply = await speech.recogniser.text_of(resampled(heard(learner), CHAT_RATE, HEARD_RATE))
    assert word_errors(" ".join(REPLIES), reply) <= 0.3, reply


async def test_speaking_cuts_off_the_reply(server: Server, cast: Cast, speech: OfflineSpeech) -> None:
    await server.script({"reply": LONG_REPLY, "times": 1}, {"reply": "Yes?"})
    sounds = [await said(speech.synthesiser, sentence, rate=CHAT_RATE) for sentence in SENTENCES[:2]]
    learner = await cast.learner()
    talk = await begin(learner)
    async with speaking(talk) as microphone:
        microphone.say(sounds[0])
        await learner.until("attempt_assistant_audio", count=50)
        microphone.say(sounds[1])
        await microphone.began.wait()
        before = seconds_of(heard(learner), rate=CHAT_RATE)
        await learner.until("attempt_stopped", chat_id=talk.chat_id)
        after = seconds_of(heard(learner), rate=CHAT_RATE) - before
        print(f"{after * 1e3:.0f} ms of the reply were sent after the learner began to speak")
        assert after < 2.0  # of half a minute; a busy machine hears late
        await learner.until("attempt_assistant_complete", chat_id=talk.chat_id, count=2)
    messages = (await talk.snapshot())["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant"]
    cut = messages[1]["content"]
    assert cut.startswith("Let me tell you")
    assert LONG_REPLY.startswith(cut)
    assert len(cut) < len(LONG_REPLY) / 2
    assert word_errors(SENTENCES[1], messages[2]["content"]) <= 0.3


async def test_who_lost_the_line_goes_on_and_loses_no_message(
    server: Server, cast: Cast, speech: OfflineSpeech
) -> None:
    await server.script({"reply": "I am listening to you, please go on."})
    sounds = [await said(speech.synthesiser, sentence, rate=CHAT_RATE) for sentence in SENTENCES[:2]]
    first, watcher = await cast.learner(), await cast.author()
    talk = await begin(first)
    await watcher.send("attempt_join", chat_id=talk.chat_id)
    async with speaking(talk) as microphone:
        microphone.say(sounds[0])
        await first.until("attempt_assistant_audio", count=5)
    await first.client.disconnect()
    await watcher.until("attempt_audio_ended", chat_id=talk.chat_id)
    again = await cast.learner()
    await again.send("attempt_join", chat_id=talk.chat_id)
    await watcher.until("attempt_assistant_complete", chat_id=talk.chat_id)
    talk.client = again
    async with speaking(talk) as microphone:
        microphone.say(sounds[1])
        await again.until("attempt_user_complete", chat_id=talk.chat_id)
        await watcher.until("attempt_assistant_complete", chat_id=talk.chat_id, count=2)
    messages = (await talk.snapshot())["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user", "assistant"]
    for meant, message in zip(SENTENCES, messages[::2], strict=False):
        assert word_errors(meant, message["content"]) <= 0.3
