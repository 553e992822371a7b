"""Words that authors of packs write: which can be keys, and what was meant by one that is not known."""

import difflib
import re
from collections.abc import Iterable

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MANY_NAMES = 2_000


def is_key(value: object) -> bool:
    """Tell whether a value can be the key of content: lower-case letters, digits and hyphens."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def closest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that the author may have meant; nothing when there are too many to compare."""
    candidates = list(names)
    found = [] if len(candidates) > _MANY_NAMES else difflib.get_close_matches(word[:80], candidates, n=1)
    return found[0] if found else None


def meant(word: str, names: Iterable[str]) -> str:
    """Return the end of a message that offers the closest name, or nothing."""
    name = closest(word, names)
    return f"; did you mean `{name}`?" if name else ""
