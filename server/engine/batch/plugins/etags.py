"""Keep contents that have an ETag, up to a number of bytes, so that they need not be sent again."""

from collections import OrderedDict
from dataclasses import dataclass

MAX_BYTES = 64 * 1024 * 1024

Key = tuple[str, bytes]  # an address, and a fingerprint of the headers that it was asked with


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A content as it was fetched."""

    etag: str
    body: bytes


class ETags:
    """Contents by address; those not used for longest make room."""

    def __init__(self, *, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key) -> Kept | None:
        """Return what is kept under a key."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: Key, kept: Kept) -> None:
        """Keep a content in place of what was kept under its key."""
        self.drop(key)
        self._kept[key] = kept
        self._bytes += len(kept.body)
        while self._bytes > self._limit:
            self.drop(next(iter(self._kept)))

    def drop(self, key: Key) -> None:
        """Forget what is kept under a key, if anything is."""
        gone = self._kept.pop(key, None)
        self._bytes -= len(gone.body) if gone else 0
