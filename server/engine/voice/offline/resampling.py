"""Sound at other rates, and as telephones carry it (G.711, mu-law)."""

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from server.engine.voice.speech import SAMPLE_BYTES

# 16 bits' worth, which is what there is; the better ones hold sound back for 20 to 60 ms more
QUALITY: Final = "MQ"
_BIAS, _LOUDEST = 0x84, 32_635  # of G.711


class Resampler:
    """Brings one stream of sound from a rate to another; what it holds back comes with the last piece."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._rates = from_rate, to_rate
        self._stream: Any = None
        self._rest = b""

    def feed(self, pcm: bytes, last: bool = False) -> bytes:
        """Return what is ready of the sound so far; after the `last` piece another stream may begin."""
        pcm = self._rest + pcm
        odd = len(pcm) % SAMPLE_BYTES
        pcm, self._rest = (pcm[:-odd], pcm[-odd:]) if odd and not last else (pcm[: len(pcm) - odd], b"")
        if self._rates[0] == self._rates[1]:
            return pcm
        if self._stream is None:
            self._stream = _stream(*self._rates)
        made = self._stream.resample_chunk(np.frombuffer(pcm, "<i2"), last=last)
        if last:
            self._stream = None
        return bytes(made.astype("<i2").tobytes())


def resampled(pcm: bytes, from_rate: int, to_rate: int) -> bytes:
    """Return a whole piece of sound at another rate."""
    return Resampler(from_rate, to_rate).feed(pcm, last=True)


def ulaw_encode(pcm: bytes) -> bytes:
    """Return PCM as mu-law, a byte for each sample."""
    samples = np.frombuffer(pcm, "<i2").astype(np.int32)
    return _to_ulaw()[samples + 32_768].tobytes()


def ulaw_decode(data: bytes) -> bytes:
    """Return mu-law as PCM."""
    return _from_ulaw()[np.frombuffer(data, np.uint8)].tobytes()


@cache
def _to_ulaw() -> NDArray[np.uint8]:
    samples = np.arange(-32_768, 32_768, dtype=np.int32)
    sign = np.where(samples < 0, 0x80, 0)
    biased = np.minimum(np.abs(samples), _LOUDEST) + _BIAS
    exponent = np.log2(biased).astype(np.int32) - 7
    mantissa = (biased >> (exponent + 3)) & 0x0F
    codes: NDArray[np.int32] = ~(sign | (exponent << 4) | mantissa) & 0xFF
    return codes.astype(np.uint8)


@cache
def _from_ulaw() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (codes >> 4) & 0x07, codes & 0x0F
    size = (((mantissa << 3) + _BIAS) << exponent) - _BIAS
    return np.where(codes & 0x80, -size, size).astype("<i2")


def _stream(from_rate: int, to_rate: int) -> Any:
    import soxr  # of an extra

    return soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality=QUALITY)
