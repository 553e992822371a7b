"""Translates database errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from server.errors import GreenroomError, Internal, TooLarge, Unavailable

log = structlog.get_logger(__name__)
_TOO_LARGE = frozenset({10334, 17419, 17420})
_OUT_OF_DISK = 14031
# Host unreachable, network time-outs, shutting down, stepping down, not primary, write concern, time limits
# and conflicts: another try may go well.
_PASSING = frozenset(
    {6, 7, 24, 50, 64, 79, 89, 91, 100, 112, 133, 134, 189, 202, 225, 246, 251, 262, 314, 317, 358, 384}
    | {9001, 10058, 10107, 11600, 11602, 13435, 13436, _OUT_OF_DISK}
)
_AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError, InvalidOperation, ConfigurationError)
_DENIED = frozenset({13, 18})


@contextmanager
def guard() -> Iterator[None]:
    """Raise Unavailable while MongoDB is away, TooLarge past 16 MB, Internal for mistakes of ours."""
    try:
        yield
    except (PyMongoError, DocumentTooLarge) as error:  # the latter is an error of BSON, not of PyMongo
        raise _ours(error) from error


def _ours(error: PyMongoError | DocumentTooLarge) -> GreenroomError:
    code = _code(error)
    if isinstance(error, DocumentTooLarge) or code in _TOO_LARGE:
        return TooLarge("The conversation has become too large; end this chat and start another.")
    if code in _DENIED:
        log.error("database refuses our credentials", code=code)
        return Unavailable("The database refuses the server's credentials.", retryable=False)
    away = isinstance(error, _AWAY)
    if away or code in _PASSING or error.has_error_label("RetryableWriteError"):
        log.warning("database call failed", error=type(error).__name__, code=code)
        what = "is out of disk space" if code == _OUT_OF_DISK else "is away"
        return Unavailable(f"The database {what}; nothing was lost, try again soon.")
    log.error("database refused a call", error=type(error).__name__, code=code)
    return Internal()


def _code(error: PyMongoError | DocumentTooLarge) -> int | None:
    """Return the server's code; of a batch that of its first error, a write concern's before others."""
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        found = [*details.get("writeConcernErrors", []), *details.get("writeErrors", [])]
        return int(found[0].get("code", 0)) if found else None
    return error.code if isinstance(error, OperationFailure) else None
