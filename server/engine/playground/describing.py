"""How a document's metadata is written for models and searches, and what of it names the document."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

NAMES = ("file_name", "title", "name", "document", "source")  # keys that name a document, the best first


def lines_of(metadata: Mapping[str, Any], *, hidden: Collection[str]) -> list[str]:
    """Return a line for each key that is not hidden; what is no text is written as JSON."""
    return [f"{key}: {_written(value)}" for key, value in metadata.items() if key not in hidden]


def name_of(metadata: Mapping[str, Any]) -> str | None:
    """Return what a document is called by its metadata, None when that does not say."""
    named = (metadata.get(key) for key in NAMES)
    return next((name for name in named if isinstance(name, str) and name.strip()), None)


def _written(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
