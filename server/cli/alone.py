"""One owner per data directory: servers that do not know of each other would not hear of entries."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.cli.failure import Failure
from server.settings import Settings


@contextmanager
def alone_on(settings: Settings) -> Iterator[None]:
    """Be the only server, or the only one that starts servers, of an embedded database. Raises Failure."""
    if settings.mongodb_url:
        yield
        return
    with alone(settings.data_dir):
        yield


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Hold a data directory for this server; a crash lets it go. Raises Failure when another has it."""
    if sys.platform == "win32":  # there the embedded parts do not run, and this is for them
        yield
        return
    import fcntl

    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "server.lock").open("w")
    except OSError as error:
        raise Failure(f"cannot use {data_dir}: {error.strerror}; choose another --data-dir") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(
                f"another server runs on {data_dir}; stop it, or give this one another --data-dir"
            ) from error
        yield
