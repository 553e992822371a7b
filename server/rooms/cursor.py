"""The cursor string: one opaque string holds the place in every room of a session (core §6). No I/O.

`<n>.<alias>[;<alias>@<n>…]~<tag>`: first the room of this event, then every other room of the session; an
alias is a number that the session gave to a room and never gives again, the tag ties the string to its
session.
"""

import hashlib
import re
from collections.abc import Mapping

MAX_STRING = 2048  # more than the rooms of a session can fill
_STRING = re.compile(r"(\d{1,16})\.(\d{1,9})((?:;\d{1,9}@\d{1,16})*)~([0-9a-z]{4})", re.ASCII)


def tag(session_id: str) -> str:
    """Return the four characters that tie strings to a session."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:4]


def tail(alias: int, others: Mapping[int, int], *, session_tag: str) -> str:
    """Return what follows the number in the strings of a room; constant until another room advances."""
    places = "".join(f";{other}@{n}" for other, n in others.items() if other != alias)
    return f".{alias}{places}~{session_tag}"


def parse(string: str, *, session_tag: str) -> dict[int, int] | None:
    """Return the cursors in a string by alias, None when it is not one of this session."""
    match = _STRING.fullmatch(string) if len(string) <= MAX_STRING else None
    if match is None or match[4] != session_tag:
        return None
    pairs = [(match[2], match[1])]
    pairs += [(alias, n) for alias, n in (place.split("@") for place in match[3].split(";")[1:])]
    cursors = {int(alias): int(n) for alias, n in pairs}
    return cursors if len(cursors) == len(pairs) else None
