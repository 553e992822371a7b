"""Who runs a part of a data directory: a lock held by the owner, and a file for those who attach."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ValidationError

Part = Literal["run", "valkey"]  # the database's run.json and run.lock, and the same for Valkey


class Run(BaseModel):
    """A running embedded part: where it listens, its process and the process that owns it."""

    url: str
    port: int
    pid: int
    owner: int


def read_run(data_dir: Path, part: Part = "run") -> Run | None:
    """Return what the part's file says, or None when there is none or only half of one; it may be stale."""
    try:
        return Run.model_validate_json((data_dir / f"{part}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


class Claim:
    """The right to run a part of a data directory, its database unless told otherwise.

    It is a lock of the system on the part's `.lock`, so it ends with the process however that dies, and
    nothing that a crash leaves behind can look like a living owner.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, data_dir: Path, part: Part = "run") -> Self | None:
        """Take the claim, or return None when a living process holds it.

        Creates the directory and removes a stale file. Raises OSError.
        """
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(data_dir / f"{part}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        claim = cls(data_dir / f"{part}.json", fd)
        claim.withdraw()
        return claim

    def publish(self, run: Run) -> None:
        """Write the file in one step, readable by the user only."""
        draft = self._path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(run.model_dump_json())
        draft.replace(self._path)

    def withdraw(self) -> None:
        """Remove the file, so that nobody new attaches."""
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the claim up, with its file."""
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
