"""What the database can hold of JSON that others have written."""

import unicodedata
from itertools import chain

MAX_DEPTH = 40
MAX_NUMBER = 2**63


def check_storable(value: object, depth: int = 0) -> object:
    """Return a JSON value as it is; raises ValueError for one that cannot be stored as it is."""
    opened = [iter([value])]  # of what is looked into, from the outermost inwards
    while opened:
        for item in opened[-1]:
            if isinstance(item, str):
                if "\0" in item or not (item.isascii() or _is_text(item)):
                    raise ValueError("a text has a character in it that is none")
            elif isinstance(item, (dict, list)):
                if item and depth + len(opened) > MAX_DEPTH:
                    raise ValueError(f"this is nested deeper than {MAX_DEPTH} levels")
                opened.append(chain(item, item.values()) if isinstance(item, dict) else iter(item))
                break
            elif isinstance(item, (int, float)) and not -MAX_NUMBER <= item < MAX_NUMBER:
                raise ValueError("a number is too large")
        else:
            opened.pop()
    return value


def check_name(name: str) -> str:
    """Return a name as it is; raises ValueError where it holds what terminals and XML cannot show."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") or ord(sign) & 0xFFFE == 0xFFFE for sign in name):
        raise ValueError("a name has no control characters")
    return name


def _is_text(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text
