"""Who runs the database of a data directory: a lock held by the owner, and run.json for those who attach."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError


class Run(BaseModel):
    """A running embedded database: where it listens, its process and the process that owns it."""

    url: str
    port: int
    pid: int
    owner: int


def read_run(data_dir: Path) -> Run | None:
    """Return what run.json says, or None when there is none or only half of one; it may be stale."""
    try:
        return Run.model_validate_json((data_dir / "run.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


class Claim:
    """The right to run the database of a data directory.

    It is a lock of the system on `run.lock`, so it ends with the process however that dies, and nothing that
    a crash leaves behind can look like a living owner.
    """

    def __init__(self, data_dir: Path, fd: int) -> None:
        self._path = data_dir / "run.json"
        self._fd = fd

    @classmethod
    def take(cls, data_dir: Path) -> Self | None:
        """Take the claim, or return None when a living process holds it.

        Creates the directory and removes a stale run.json. Raises OSError.
        """
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(data_dir / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        claim = cls(data_dir, fd)
        claim.withdraw()
        return claim

    def publish(self, run: Run) -> None:
        """Write run.json in one step, readable by the user only."""
        draft = self._path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(run.model_dump_json())
        draft.replace(self._path)

    def withdraw(self) -> None:
        """Remove run.json, so that nobody new attaches."""
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the claim up, with run.json."""
        self.withdraw()
        os.close(self._fd)


def database_pid(database: Path) -> int | None:
    """Return the process that has a database directory open, or None; asks the lock that mongod holds on it.

    Call it with the claim only: a mongod that starts in the same instant would see the lock taken.
    """
    try:
        with (database / "mongod.lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                with contextlib.suppress(ValueError):
                    return int(file.read())
    except FileNotFoundError:
        pass
    return None
