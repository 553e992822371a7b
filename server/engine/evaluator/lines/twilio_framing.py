"""Twilio Media Streams: JSON frames with mu-law at 8 kHz in base64 (evaluators §5)."""

import base64
import binascii
import secrets
from typing import Any

import orjson

from schemas.envelope import JsonObject
from server.engine.evaluator.lines.frames import MAX_SHOWN, storable_text
from server.engine.evaluator.lines.framing import Arrived, Clear, Frames, Mark, Over, Sound, Trouble
from server.engine.voice.speech import HEARD_RATE

RATE = 8_000
FRAME_BYTES = 160  # 20 ms of mu-law
FRAME_MS = 20
MAX_MARK = 200  # characters of a name


class TwilioFraming:
    """We are the telephone's side: our sound is the track `inbound`, in frames of exactly 20 ms.

    https://www.twilio.com/docs/voice/media-streams/websocket-messages
    """

    tells_speech = False

    def __init__(self, parameters: JsonObject) -> None:
        from server.engine.voice.offline.resampling import Resampler  # of an extra

        self._parameters = parameters
        self._stream = _sid("MZ")
        self._call = _sid("CA")
        self._account = _sid("AC")
        self._sequence = 0
        self._chunk = 0
        self._out = Resampler(HEARD_RATE, RATE)
        self._in = Resampler(RATE, HEARD_RATE)
        self._rest = b""

    def opening(self) -> Frames:
        """Return `connected` and `start`."""
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        start = {
            "accountSid": self._account,
            "streamSid": self._stream,
            "callSid": self._call,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
            "customParameters": self._parameters,
        }
        return [orjson.dumps(connected).decode(), self._told("start", start=start)]

    def sound(self, pcm: bytes) -> Frames:
        """Return `media` frames; the resampler holds the first ones back for a moment."""
        from server.engine.voice.offline.resampling import ulaw_encode  # of an extra

        self._rest += ulaw_encode(self._out.feed(pcm))
        frames: Frames = []
        while len(self._rest) >= FRAME_BYTES:
            payload, self._rest = self._rest[:FRAME_BYTES], self._rest[FRAME_BYTES:]
            media = {
                "track": "inbound",
                "chunk": str(self._chunk + 1),
                "timestamp": str(self._chunk * FRAME_MS),
                "payload": base64.b64encode(payload).decode(),
            }
            self._chunk += 1
            frames.append(self._told("media", media=media))
        return frames

    def speech(self, *, began: bool) -> Frames:
        """Return nothing: a telephone does not tell who speaks."""
        return []

    def reached(self, mark: str) -> Frames:
        """Return the `mark` that the agent has sent."""
        return [self._told("mark", mark={"name": mark})]

    def press(self, digits: str) -> Frames:
        """Return a `dtmf` for each key."""
        return [self._told("dtmf", dtmf={"track": "inbound_track", "digit": digit}) for digit in digits]

    def closing(self) -> Frames:
        """Return `stop`."""
        return [self._told("stop", stop={"accountSid": self._account, "callSid": self._call})]

    def problem(self, text: str) -> Frames:
        """Return nothing: a media stream has no frame for it."""
        return []

    def read(self, message: str | bytes) -> list[Arrived]:
        """Return what a message tells; one of another stream is none of ours."""
        try:
            fields = orjson.loads(message)
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            text = message if isinstance(message, str) else f"{len(message)} bytes"
            return [Trouble(storable_text(f"no JSON object: {text[:MAX_SHOWN]}"))]
        if fields.get("streamSid", self._stream) != self._stream:
            return [Trouble("a message of another stream")]
        match fields.get("event"):
            case "media":
                return self._media(fields.get("media"))
            case "mark":
                return self._mark(fields.get("mark"))
            case "clear":
                return [Clear()]
            case "stop":
                return [Over()]
            case event:
                return [Trouble(storable_text(f"no event of a media stream: {str(event)[:MAX_SHOWN]}"))]

    def _media(self, media: object) -> list[Arrived]:
        from server.engine.voice.offline.resampling import ulaw_decode  # of an extra

        payload = media.get("payload") if isinstance(media, dict) else None
        if not isinstance(payload, str):
            return [Trouble("media without a payload")]
        try:
            data = base64.b64decode(payload, validate=True)
        except binascii.Error:
            return [Trouble("a payload that is not base64")]
        return [Sound(self._in.feed(ulaw_decode(data)))]

    def _mark(self, mark: object) -> list[Arrived]:
        name = mark.get("name") if isinstance(mark, dict) else None
        if not isinstance(name, str):
            return [Trouble("mark without a name")]
        return [Mark(name[:MAX_MARK])]

    def _told(self, event: str, **what: Any) -> str:
        self._sequence += 1
        told = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            "streamSid": self._stream,
            **what,
        }
        return orjson.dumps(told).decode()


def _sid(kind: str) -> str:
    return kind + secrets.token_hex(16)
