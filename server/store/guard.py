"""Translates database errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from pymongo.errors import DocumentTooLarge, OperationFailure, PyMongoError

from server.errors import TooLarge, Unavailable

log = structlog.get_logger(__name__)
_BSON_OBJECT_TOO_LARGE = 10334
_OUT_OF_DISK = 14031


@contextmanager
def guard() -> Iterator[None]:
    """Raise Unavailable for whatever MongoDB could not do, TooLarge for a document past 16 MB."""
    try:
        yield
    except DocumentTooLarge as error:
        raise TooLarge("The conversation has become too large; end this chat and start another.") from error
    except PyMongoError as error:
        code = error.code if isinstance(error, OperationFailure) else None
        if code in (_BSON_OBJECT_TOO_LARGE, 17419, 17420):
            raise TooLarge(
                "The conversation has become too large; end this chat and start another."
            ) from error
        log.warning("database call failed", error=type(error).__name__, code=code)
        what = "is out of disk space" if code == _OUT_OF_DISK else "is away"
        raise Unavailable(f"The database {what}; nothing was lost, try again soon.") from error
