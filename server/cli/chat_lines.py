"""Lines that somebody types, or that a file holds."""

import asyncio
import os
import threading
from collections.abc import Callable

STDIN = 0
CHUNK = 65536


def lines() -> asyncio.Queue[str | None]:
    """Return a queue that gets each line of stdin, and None at its end.

    A thread of its own reads: it may be blocked when the program ends, and holds no lock then.
    """
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(line: str | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, line)

    threading.Thread(target=_read, args=(tell,), name="stdin", daemon=True).start()
    return queue


def _read(tell: Callable[[str | None], None]) -> None:
    rest = b""
    while chunk := _chunk():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            tell(line.decode(errors="replace").strip())
    if rest:
        tell(rest.decode(errors="replace").strip())
    tell(None)


def _chunk() -> bytes:
    try:
        return os.read(STDIN, CHUNK)
    except OSError:  # the terminal is gone
        return b""
