"""Sound is the same at another rate, and over a telephone nearly so."""

import numpy as np
import pytest

from server.engine.voice.offline.resampling import Resampler, resampled, ulaw_decode, ulaw_encode


def tone(hertz: float, rate: int, seconds: float = 1.0) -> bytes:
    at = np.arange(int(rate * seconds)) / rate
    return (10_000 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()


def loudness(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(float) ** 2)))


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(24_000, 16_000), (22_050, 24_000), (8_000, 16_000), (16_000, 8_000)]
)
def test_a_tone_keeps_its_pitch_its_loudness_and_its_length(from_rate: int, to_rate: int) -> None:
    resampler = Resampler(from_rate, to_rate)
    sound = tone(440, from_rate)
    pieces = [sound[at : at + 961] for at in range(0, len(sound), 961)]  # samples are cut in two
    made = b"".join(resampler.feed(piece) for piece in pieces) + resampler.feed(b"", last=True)
    heard = np.frombuffer(made, "<i2").astype(float)
    assert abs(len(heard) - to_rate) <= 2
    middle = slice(to_rate // 10, -to_rate // 10)  # the edges ring
    meant = np.frombuffer(tone(440, to_rate), "<i2").astype(float)[: len(heard)]
    assert np.abs(heard[middle] - meant[middle]).max() < 100
    again = np.frombuffer(resampler.feed(sound, last=True), "<i2")  # a new stream
    assert np.abs(again - heard).max() <= 2  # what is rounded is dithered


def test_what_the_lower_rate_cannot_carry_is_left_out() -> None:
    assert loudness(resampled(tone(7_000, 16_000), 16_000, 8_000)) < 100


def test_the_same_rate_changes_nothing() -> None:
    sound = tone(440, 16_000)
    assert resampled(sound, 16_000, 16_000) == sound


def test_mu_law_is_that_of_the_standard() -> None:
    samples = [0, 1_000, -1_000, 32_767, -32_768, 8, -4]
    codes = bytes([0xFF, 0xCE, 0x4E, 0x80, 0x00, 0xFE, 0x7E])
    assert ulaw_encode(np.array(samples, "<i2").tobytes()) == codes
    back = np.frombuffer(ulaw_decode(codes), "<i2").tolist()
    assert back == [0, 988, -988, 32_124, -32_124, 8, -8]


def test_every_mu_law_code_survives_and_every_sample_nearly_does() -> None:
    codes = bytes(range(256))
    again = ulaw_encode(ulaw_decode(codes))
    assert [a for a, b in zip(again, codes, strict=True) if a != b] == [0xFF]  # the other zero
    samples = np.arange(-32_768, 32_768).astype("<i2")
    heard = np.frombuffer(ulaw_decode(ulaw_encode(samples.tobytes())), "<i2").astype(int)
    assert (np.abs(heard - samples) <= np.abs(samples.astype(int)) / 16 + 8).all()
