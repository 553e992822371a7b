"""What calls' frames tell, and when the agent's sound and marks are reached."""

import base64
import json

from server.engine.evaluator.lines.call_sound import SILENCE, TICK_BYTES, CallSound, Tick
from server.engine.evaluator.lines.framing import Clear, Mark, Over, Sound, SpeechSign, Trouble
from server.engine.evaluator.lines.pcm_framing import PcmFraming
from server.engine.evaluator.lines.twilio_framing import TwilioFraming

LOUD = b"\x01\x02" * (TICK_BYTES // 2)


def _error(code: str) -> str:
    return json.dumps({"type": "session.error", "data": {"code": code, "message": "no"}})


def test_raw_pcm_tells_who_speaks_under_one_id() -> None:
    framing = PcmFraming()
    began, ended = (json.loads(framing.speech(began=b)[0]) for b in (True, False))
    assert (began["type"], ended["type"]) == ("speech.started", "speech.completed")
    assert began["data"] == ended["data"]
    assert began["data"]["utterance_id"]
    assert began["id"] != ended["id"]
    assert framing.read('{"type": "speech.started"}') == [SpeechSign(began=True)]


def test_raw_pcm_names_what_cannot_be_read() -> None:
    read = PcmFraming().read
    codes = []
    for message in (b"\x00", b"", "[]", "{", "{}"):
        [trouble] = read(message)
        assert isinstance(trouble, Trouble)
        assert not trouble.told
        assert not trouble.fatal
        codes.append(trouble.text.partition(":")[0])
    assert codes == ["INVALID_AUDIO_FRAME"] * 2 + ["INVALID_MESSAGE"] * 2 + ["MISSING_FIELD"]
    assert read(LOUD) == [Sound(LOUD)]


def test_errors_of_the_agent_are_not_told_back_and_only_internal_ones_are_fatal() -> None:
    read = PcmFraming().read
    assert read(_error("INVALID_MESSAGE")) == [Trouble("INVALID_MESSAGE: no", told=True)]
    assert read(_error("INTERNAL_ERROR")) == [Trouble("INTERNAL_ERROR: no", fatal=True, told=True)]


def test_twilio_counts_in_strings_and_sends_20_ms_at_a_time() -> None:
    framing = TwilioFraming({"run_id": "r"})
    sent = [json.loads(f) for f in framing.opening()]
    for _ in range(50):
        sent += [json.loads(f) for f in framing.sound(LOUD)]
    assert sent[0] == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert [m["sequenceNumber"] for m in sent[1:]] == [str(n) for n in range(1, len(sent))]
    media = [m["media"] for m in sent[2:]]
    assert len(media) >= 40
    assert [m["chunk"] for m in media] == [str(n + 1) for n in range(len(media))]
    assert [m["timestamp"] for m in media] == [str(20 * n) for n in range(len(media))]
    assert {len(base64.b64decode(m["payload"])) for m in media} == {160}


def test_twilio_reads_signs_and_refuses_what_is_none() -> None:
    read = TwilioFraming({}).read
    assert read('{"event": "mark", "mark": {"name": "m"}}') == [Mark("m")]
    assert read('{"event": "clear"}') == [Clear()]
    assert read('{"event": "stop"}') == [Over()]
    for message in (
        "[]",
        b"\xff",
        '{"event": "media", "media": {"payload": "?"}}',
        '{"event": "mark"}',
        "{}",
    ):
        assert isinstance(read(message)[0], Trouble)


def test_marks_are_reached_when_the_sound_before_them_was_played() -> None:
    sound = CallSound()
    sound.mark("now")
    sound.play(LOUD * 2)
    sound.mark("later")
    sound.play(LOUD)
    ticks = [sound.tick() for _ in range(4)]
    assert [t.marks for t in ticks] == [(), ("now",), ("later",), ()]  # with the tick that follows the sound
    assert [t.theirs for t in ticks] == [LOUD, LOUD, LOUD, SILENCE]
    assert sound.theirs.read() == LOUD * 3 + SILENCE
    assert sound.mine.read() == SILENCE * 4
    sound.close()


def test_clear_drops_what_waits_and_returns_its_marks_in_order() -> None:
    sound = CallSound()
    sound.play(LOUD * 3)
    sound.mark("a")
    sound.play(LOUD)
    sound.mark("b")
    assert sound.tick().theirs == LOUD
    assert sound.clear() == ["a", "b"]
    assert sound.tick() == Tick(SILENCE, SILENCE, ())
    sound.play(LOUD)
    sound.mark("c")
    assert sound.tick().theirs == LOUD
    assert sound.clear() == ["c"]
    assert sound.tick().marks == ()
    sound.close()
