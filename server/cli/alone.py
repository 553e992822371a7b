"""One server per data directory: several on one database would not hear of each other's entries."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.cli.failure import Failure


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
