"""What stays as it is in a translation: URLs, quoted text and numbers."""

import re
import unicodedata
from collections.abc import Iterator

LONGEST_SHOWN = 80
_URL = re.compile(r"(?:https?://|www\.)[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.IGNORECASE)
_AFTER = ".,;:!?'\")]"  # punctuation of the sentence, not of what stands before it
_INNER = r"(?=\S)([^{0}{1}\n]{{1,500}}?)(?<=\S)"
# A mark between letters or digits is an apostrophe or an inch.
_ALIKE = (('"', '"'), ("'", "'"), ("`", "`"), ("‘", "’"))
_PAIRS = (("“", "”"), ("„", "“"), ("„", "”"), ("«", "»"), ("「", "」"), ("『", "』"))
_QUOTED = re.compile(
    "|".join(
        [rf"(?<!\w){a}{_INNER.format(a, b)}{b}(?!\w)" for a, b in _ALIKE]
        + [f"{a}{_INNER.format(a, b)}{b}" for a, b in _PAIRS]
    )
)
_SEPARATORS = ".,'’٫٬_"
_NUMBER = re.compile(rf"\d+(?:[{_SEPARATORS}]\d+)*")
_SPACED = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_SPACES = re.compile(r"\s+")


def lost(source: str, translation: str) -> list[str]:
    """Return the URLs, quoted texts and numbers of a text that its translation lacks, each once.

    Digits of other scripts and other separators of thousands and decimals count as the same number.
    """
    said = _plain(translation)
    present = set(_numbers(said))
    text = _plain(source)
    missing = [found for found in _kept(text) if found not in said]
    numbers = _NUMBER.findall(_URL.sub(" ", text))
    missing += [number for number in numbers if not _is_there(number, present)]
    return list(dict.fromkeys(found[:LONGEST_SHOWN] for found in missing))


def _kept(text: str) -> Iterator[str]:
    for match in _URL.finditer(text):
        yield match[0].rstrip(_AFTER)
    for match in _QUOTED.finditer(text):
        inner = next(group for group in match.groups() if group is not None)
        yield inner.rstrip(_AFTER) or inner


def _is_there(number: str, present: set[str]) -> bool:
    """Tell whether a number is among others: as a whole, or what may as well be a list part by part."""
    parts = re.split(rf"[{_SEPARATORS}]", number)
    return "".join(parts) in present or all(part in present for part in parts)


def _numbers(text: str) -> Iterator[str]:
    """Yield the numbers of a text without separators, in every way in which they can be read."""
    for reading in (text, _SPACED.sub("", text)):
        for number in _NUMBER.findall(reading):
            parts = re.split(rf"[{_SEPARATORS}]", number)
            yield "".join(parts)
            yield from parts
    for sign in set(text):
        value = unicodedata.numeric(sign, None)  # 五 and 十 are numbers, but no digits
        if value is not None and value.is_integer():
            yield str(int(value))


def _plain(text: str) -> str:
    """Return a text with digits of all scripts as 0-9, in one normal form, with single spaces."""
    normal = unicodedata.normalize("NFC", text)
    if not normal.isascii():
        normal = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in normal)
    return _SPACES.sub(" ", normal)
