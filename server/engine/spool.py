"""What is written before it is sent, in bounded memory: much of it goes to a temporary file."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from tempfile import SpooledTemporaryFile

IN_MEMORY = 4 * 1024 * 1024  # bytes that are spooled; with more of them all go to a temporary file
CHUNK = 256 * 1024
Span = tuple[int, int]


class Spool:
    """A document of pieces: bytes, and spans of what was spooled. Close it when it has been sent."""

    def __init__(self) -> None:
        self.pieces: list[bytes | Span] = []
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 -- who made the spool closes it

    @property
    def size(self) -> int:
        """Return its length in bytes."""
        return sum(len(p) if isinstance(p, bytes) else p[1] - p[0] for p in self.pieces)

    @property
    def place(self) -> int:
        """Return where the next text will be spooled."""
        return self._file.tell()

    def write(self, texts: Iterable[str]) -> None:
        """Spool texts at the end; they become part of the document by their span."""
        self._file.writelines(text.encode() for text in texts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the document from its beginning to its end."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            for start in range(*piece, CHUNK):
                yield await asyncio.to_thread(self._read, start, min(CHUNK, piece[1] - start))

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)
