"""Reads files that people write, JSON or YAML, and says where they are none."""

from pathlib import Path
from typing import Any

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from server.cli.failure import Failure


def read_object(path: Path, *, what: str) -> dict[Any, Any]:
    """Return what a file holds, which must be one object; raises Failure naming the line.

    `what` says what the file is for: "a job is one object, with a name, test_cases and so on".
    """
    try:
        source = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Failure(f"cannot read {path}: {reason}") from error
    found = _from_json(source, path) if path.suffix == ".json" else _from_yaml(source, path)
    if not isinstance(found, dict):
        raise Failure(f"{path}: {what}; this is {_kind(found)}")
    return found


def as_json(found: Any, path: Path) -> bytes:
    """Return what a file holds as JSON, whose keys are all texts; raises Failure."""
    try:
        return orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise Failure(f"{path}: this cannot be written as JSON: {error}") from error


def _from_json(source: str, path: Path) -> Any:
    try:
        return orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise Failure(f"{path}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}") from error


def _from_yaml(source: str, path: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise Failure(f"{where}: this is no YAML: {error.problem or error.context}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise Failure(f"{path}: this is no YAML: {error}") from error


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    return "a list" if isinstance(value, list) else "a single value"
