"""Cursor pagination over (created_at, _id), newest first."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import orjson

from server.errors import BadRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items and the cursor of the next page, None at the end."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(created_at: datetime, key: str) -> str:
    """Return an opaque cursor behind an item."""
    return base64.urlsafe_b64encode(orjson.dumps([int(created_at.timestamp() * 1000), key])).decode()


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the place that a cursor names; raises BadRequest for anything that we did not make."""
    try:
        at, key = orjson.loads(base64.urlsafe_b64decode(cursor))
        if not isinstance(at, int) or not isinstance(key, str):
            raise ValueError(cursor)
        return datetime.fromtimestamp(at / 1000, UTC), key
    except (ValueError, binascii.Error, OverflowError, OSError, TypeError) as error:
        raise BadRequest("cursor: not one of ours; take next_cursor of the previous page.") from error


def page_filter(cursor: str | None, *, at: str = "created_at", key: str = "_id") -> dict[str, Any]:
    """Return the filter for what comes after a cursor."""
    if cursor is None:
        return {}
    moment, last = decode_cursor(cursor)
    return {"$or": [{at: {"$lt": moment}}, {at: moment, key: {"$lt": last}}]}


def to_page(rows: list[dict[str, Any]], limit: int) -> Page[dict[str, Any]]:
    """Return a page of at most `limit` rows, of which one more was asked for."""
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, encode_cursor(rows[-1]["created_at"], rows[-1]["_id"]) if more else None)
