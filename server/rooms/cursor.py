"""The cursor string: one opaque string holds the place in every room of a session (core §6). No I/O.

`<n>.<alias>[;<alias>@<n>…]~<tag>`: first the room of this event, then every other room of the session; an
alias is the room's index in the session's list, the tag ties the string to its session.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

_STRING = re.compile(r"(\d{1,16})\.(\d{1,4})((?:;\d{1,4}@\d{1,16})*)~([0-9a-z]{4})", re.ASCII)


def tag(session_id: str) -> str:
    """Return the four characters that tie strings to a session."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:4]


def tail(room: str, cursors: Mapping[str, int], *, aliases: Mapping[str, int], session_tag: str) -> str:
    """Return what follows the number in the strings of a room; constant until another room advances."""
    others = "".join(f";{aliases[r]}@{n}" for r, n in cursors.items() if r != room and r in aliases)
    return f".{aliases[room]}{others}~{session_tag}"


def parse(string: str, rooms: Sequence[str], *, session_tag: str) -> dict[str, int] | None:
    """Return the cursors in a string, None when it is not one of this session."""
    match = _STRING.fullmatch(string)
    if match is None or match[4] != session_tag:
        return None
    pairs = [(match[2], match[1])]
    pairs += [(a, n) for a, n in (p.split("@") for p in match[3].split(";")[1:])]
    aliases = {int(alias) for alias, _ in pairs}
    if len(aliases) < len(pairs) or max(aliases) >= len(rooms):
        return None
    return {rooms[int(alias)]: int(n) for alias, n in pairs}
