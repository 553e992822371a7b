"""Raw PCM: binary frames of sound, text frames of signs (evaluators §5)."""

import time
from uuid import uuid4

import orjson

from schemas.envelope import JsonObject
from server.engine.evaluator.lines.frames import MAX_SHOWN, storable_text
from server.engine.evaluator.lines.framing import Arrived, Frames, Over, Sound, SpeechSign, Trouble
from server.engine.voice.speech import SAMPLE_BYTES

_SIGNS = {"speech.started": True, "speech.completed": False}


class PcmFraming:
    """Sound both ways as binary frames: 16 bit little-endian, one channel, 16 kHz, 20 ms each."""

    tells_speech = True

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._utterance = ""

    def opening(self) -> Frames:
        """Return nothing: the connection says it all."""
        return []

    def sound(self, pcm: bytes) -> Frames:
        """Return a binary frame."""
        return [pcm]

    def speech(self, *, began: bool) -> Frames:
        """Return speech.started or speech.completed with the id of the utterance."""
        if began:
            self._utterance = str(uuid4())
        name = "speech.started" if began else "speech.completed"
        return [self._sign(name, {"utterance_id": self._utterance})]

    def reached(self, mark: str) -> Frames:
        """Return nothing: there are no marks."""
        return []

    def press(self, digits: str) -> Frames:
        """Return a dtmf sign; the framing knows no keys of its own."""
        return [self._sign("dtmf", {"digits": digits})]

    def closing(self) -> Frames:
        """Return nothing: closing the connection says it."""
        return []

    def read(self, message: str | bytes) -> list[Arrived]:
        """Return what a message tells; odd bytes and what is no sign are told back as errors."""
        if isinstance(message, bytes):
            if not message or len(message) % SAMPLE_BYTES:
                return [Trouble(f"INVALID_AUDIO_FRAME: {len(message)} bytes are no 16-bit samples")]
            return [Sound(message)]
        fields = _object(message)
        if fields is None:
            return [Trouble(f"INVALID_MESSAGE: {storable_text(message[:MAX_SHOWN])}")]
        name = fields.get("type")
        if not isinstance(name, str):
            return [Trouble("MISSING_FIELD: type")]
        if (began := _SIGNS.get(name)) is not None:
            return [SpeechSign(began)]
        if name == "session.error":
            return [_error(fields)]
        return [Over()] if name in ("end_call", "session.end") else []

    def problem(self, text: str) -> Frames:
        """Return the session.error that tells the agent what could not be read."""
        code, _, told = text.partition(": ")
        return [self._sign("session.error", {"code": code, "message": told[:MAX_SHOWN]})]

    def _sign(self, name: str, data: JsonObject) -> str:
        told = {"type": name, "id": str(uuid4()), "ts_ms": self._ms, "data": data}
        return orjson.dumps(told).decode()

    @property
    def _ms(self) -> int:
        return round((time.monotonic() - self._begun) * 1000)


def _object(message: str) -> JsonObject | None:
    try:
        found = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _error(fields: JsonObject) -> Trouble:
    data = fields.get("data")
    told = data if isinstance(data, dict) else fields
    code, message = str(told.get("code", "?")), str(told.get("message", ""))
    text = storable_text(f"{code}: {message}"[:MAX_SHOWN])
    return Trouble(text, fatal=code == "INTERNAL_ERROR", told=True)
