"""The key that signs tokens: from the environment, or made once in the data directory."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pydantic import SecretStr

from server.cli.failure import Failure
from server.settings import Settings

SHORTEST = 32  # bytes; what HS256 needs to be as strong as its hash


def signing_secret(settings: Settings) -> SecretStr:
    """Return the key, making it when there is none; raises Failure. Safe when two processes start at once."""
    if settings.secret:
        if len(settings.secret.get_secret_value().encode()) < SHORTEST:
            raise Failure(f"GREENROOM_SECRET is too short to be safe: give {SHORTEST} characters or more")
        return settings.secret
    try:
        return _kept(settings.data_dir / "secret")
    except OSError as error:
        raise Failure(
            f"cannot keep a secret in {settings.data_dir}: {error.strerror}; "
            "choose another --data-dir or set GREENROOM_SECRET"
        ) from error


def known_secret(settings: Settings) -> SecretStr | None:
    """Return the key that servers of this data directory sign with, None when there is none; raises Failure.

    Workers open with it what servers have sealed; they make none.
    """
    if settings.secret or (settings.data_dir / "secret").exists():
        return signing_secret(settings)
    return None


def _kept(path: Path) -> SecretStr:
    if not path.exists():
        _make(path)
    value = path.read_text(errors="replace").strip()
    if len(value) < SHORTEST:
        raise Failure(f"{path} is damaged; remove it and a new one is made (tokens made before then end)")
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return SecretStr(value)


def _make(path: Path) -> None:
    """Write a new key beside the path and link it there whole, unless another process was first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # readable by the user only
    try:
        with os.fdopen(draft, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
