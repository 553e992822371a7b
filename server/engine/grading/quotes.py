"""Quotes of a model are kept only when they stand in the message that they name."""

import re
from collections.abc import Iterable, Sequence

from schemas.attempt import Message
from schemas.grade import Quote

_REFERENCE = re.compile(r"\s*\[?m?([0-9]{1,6})\]?\s*", re.IGNORECASE)


def find_message(transcript: Sequence[Message], reference: str) -> Message | None:
    """Return the message that a reference such as m3 names, or None."""
    match = _REFERENCE.fullmatch(reference)
    number = int(match[1]) if match else 0
    return transcript[number - 1] if 1 <= number <= len(transcript) else None


def exact_span(text: str, content: str) -> str | None:
    """Return the span of `content` that equals `text` up to white space, as it stands there, or None."""
    if not text.strip():
        return None
    if text in content:
        return text
    match = re.search(r"\s+".join(re.escape(word) for word in text.split()), content)
    return match[0] if match else None


def verify_quotes(
    claims: Iterable[tuple[str, str]], transcript: Sequence[Message]
) -> tuple[list[Quote], int]:
    """Return the true ones of (reference, text) claims as quotes, each once, and the number of false ones."""
    quotes: list[Quote] = []
    dropped = 0
    for reference, text in claims:
        message = find_message(transcript, reference)
        span = exact_span(text, message.content) if message else None
        if message is None or span is None:
            dropped += 1
            continue
        quote = Quote(message_id=message.id, text=span)
        if quote not in quotes:
            quotes.append(quote)
    return quotes, dropped
