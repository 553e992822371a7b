"""Parts of a report that are written side by side, in bounded memory."""

from server.engine.spool import Span, Spool

BUFFERED = 4 * 1024 * 1024  # characters of all sections together that are not spooled yet
LEAST_BLOCK = 4 * 1024
Piece = bytes | Span


class Sections:
    """Parts of a report that grow side by side; each is spooled block by block."""

    def __init__(self, spool: Spool, *, most: int) -> None:
        self._spool = spool
        self._block = max(LEAST_BLOCK, BUFFERED // max(1, most))
        self._texts: dict[int, list[str]] = {}
        self._sizes: dict[int, int] = {}
        self._spans: dict[int, list[Piece]] = {}

    def add(self, section: int, text: str) -> None:
        """Put a text at the end of a section."""
        self._texts.setdefault(section, []).append(text)
        size = self._sizes[section] = self._sizes.get(section, 0) + len(text)
        if size >= self._block:
            self._flush(section)

    def pieces(self, section: int) -> list[Piece]:
        """Return all of a section."""
        self._flush(section)
        return self._spans.get(section, [])

    def _flush(self, section: int) -> None:
        texts = self._texts.pop(section, None)
        if texts:
            start = self._spool.place
            self._spool.write(texts)
            self._spans.setdefault(section, []).append((start, self._spool.place))
            self._sizes[section] = 0
