"""WAV files of PCM: 16 bit, little-endian."""

import struct

from server.engine.voice.speech import SAMPLE_BYTES


def wav_of(audio: bytes, *, rate: int, channels: int = 1) -> bytes:
    """Return sound as a WAV file; of several channels the samples alternate.

    The format is that of RIFF WAVE with a `fmt ` chunk of PCM and a `data` chunk.
    """
    frame = SAMPLE_BYTES * channels
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(audio),
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        rate,
        rate * frame,
        frame,
        8 * SAMPLE_BYTES,
        b"data",
        len(audio),
    )
    return head + audio
