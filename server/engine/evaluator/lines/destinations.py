"""Where an agent may be called, and with which headers; private networks are refused only when it is."""

import re
from collections.abc import Mapping, Sequence

from yarl import URL

SOCKETS = ("ws", "wss")
PAGES = ("http", "https")
_OURS = frozenset(
    {"host", "connection", "upgrade", "content-length", "transfer-encoding", "te", "trailer", "keep-alive"}
)
_PREFIXES = ("sec-", "proxy-")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def address_problems(address: str, *, schemes: Sequence[str] = SOCKETS) -> list[str]:
    """Return what is wrong with an address."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        url = URL(address)
        there = url.scheme in schemes and bool(url.raw_host) and url.port != 0
    except ValueError:
        there = False
    if not there:
        return [f"This should be an address that begins with {wanted} and names a host."]
    if url.raw_user is not None or url.raw_password is not None:
        return ["The address carries a user name or password; send them in a header instead."]
    return []


def header_problems(headers: Mapping[str, str]) -> list[str]:
    """Return which headers cannot be sent: those of the connection itself, and the same one twice."""
    found, seen = [], set[str]()
    for name in headers:
        key = name.lower()
        if key in _OURS or key.startswith(_PREFIXES):
            found.append(f"{name} belongs to the connection itself and cannot be set.")
        elif key in seen:
            found.append(f"{name} is there twice, in other spellings.")
        seen.add(key)
    return found


def is_header_value(value: object) -> bool:
    """Tell whether a value can be sent in a header."""
    plain = isinstance(value, str | int | float)
    return plain and _VALUE.fullmatch(str(value)) is not None
