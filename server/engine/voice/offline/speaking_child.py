"""Says sentences by Piper, in a process of its own: Piper is under the GPL, and may die without us.

Run as a file (`python -I speaking_child.py MODEL`). Standard input is a line of JSON for each request:
`{"id": 1, "text": "…", "speed": 1.0}`, or `{"cancel": 1}`. Standard output is frames: a kind, an id and a
length (of HEAD), then so many bytes. It is first READY (the id is the rate), then each request has SOUND
frames of 16-bit PCM and an END; after a cancel it has an END and perhaps no sound. It ends with its input.
"""

import json
import logging
import os
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEAD = struct.Struct("<BII")
READY, SOUND, END = 0, 1, 2
SLOWEST, FASTEST = 0.5, 2.0


class Requests:
    """What is to be said, filled by a thread that reads; ends when the input does."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, Any]] = deque()
        self._cancelled: set[int] = set()
        self._current: int | None = None
        self._change = threading.Condition()
        self._open = True

    def read(self) -> None:
        """Take requests from standard input until it ends."""
        for line in sys.stdin.buffer:
            request = json.loads(line)
            with self._change:
                if (cancelled := request.get("cancel")) is None:
                    self._waiting.append(request)
                elif cancelled == self._current or any(r["id"] == cancelled for r in self._waiting):
                    self._cancelled.add(cancelled)
                self._change.notify()
        with self._change:
            self._open = False
            self._change.notify()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            with self._change:
                self._cancelled.discard(self._current or 0)
                self._current = None
                self._change.wait_for(lambda: self._waiting or not self._open)
                if not self._open:
                    return
                request = self._waiting.popleft()
                self._current = request["id"]
            yield request

    def wanted(self, number: int) -> bool:
        """Tell whether somebody still wants to hear it."""
        return self._open and number not in self._cancelled


def main() -> None:
    """Load the voice and say what is asked for."""
    logging.disable(logging.WARNING)  # texts are nobody's business
    voice = load(Path(sys.argv[1]))
    list(voice.synthesize("Hello."))  # the first takes longer
    answer(READY, voice.config.sample_rate)
    requests = Requests()
    threading.Thread(target=requests.read, daemon=True).start()
    for request in requests:
        say(voice, request, requests)


def load(model: Path) -> Any:
    """Return Piper's voice, which takes one processor."""
    import onnxruntime
    from piper import PiperVoice
    from piper.config import PiperConfig

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return PiperVoice(
        session, PiperConfig.from_dict(json.loads(Path(f"{model}.json").read_text(encoding="utf-8")))
    )


def say(voice: Any, request: dict[str, Any], requests: Requests) -> None:
    """Answer a request sentence by sentence, until it is cancelled."""
    from piper.config import SynthesisConfig

    number, speed = request["id"], min(max(request["speed"], SLOWEST), FASTEST)
    config = SynthesisConfig(length_scale=voice.config.length_scale / speed)
    if requests.wanted(number):
        for chunk in voice.synthesize(request["text"], config):
            if not requests.wanted(number):
                break
            answer(SOUND, number, chunk.audio_int16_bytes)
    answer(END, number)


def answer(kind: int, number: int, data: bytes = b"") -> None:
    """Write a frame; ends the process when nobody reads."""
    try:
        sys.stdout.buffer.write(HEAD.pack(kind, number, len(data)) + data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(0)  # the thread that reads holds up any other end


if __name__ == "__main__":
    main()
