"""Logging: one JSON line per record on stderr, or readable lines in a terminal.

Records hold constants and fields, never tokens or what people wrote. Messages of exceptions may quote both,
so a record names an exception's type and where it was raised; its message is added at level debug only.
"""

import logging
import os
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, Literal

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from structlog.typing import Processor

from server import tracing

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]
Record = MutableMapping[str, Any]
SECRET = frozenset(
    {"token", "secret", "api_key", "authorization", "password", "cookie", "mongodb_url", "redis_url"}
)
OF_CLIENTS = (HttpProcessingError, RequestPayloadError)  # what they sent is no HTTP, or cannot be unpacked
FRAMES = 30
STDERR = 2


def configure(level: Level, *, form: Format | None = None) -> None:
    """Set up logging of this process, also of libraries; as text when stderr is a terminal, else JSON."""
    text = sys.stderr.isatty() if form is None else form == "text"
    number = logging.getLevelNamesMapping()[level.upper()]
    end: list[Processor] = (
        [_as_text, structlog.dev.ConsoleRenderer()]
        if text
        else [structlog.processors.JSONRenderer(serializer=_dumps)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask,
            ERRORS,
            _Exceptions(messages=level == "debug"),
            *end,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Library(whole=level == "debug")]
    # libraries log requests, with what is in them, below this level
    root.setLevel(max(number, logging.WARNING))
    # It tells each failure of Redis many times, and its jobs; server.jobs says what has to be known.
    logging.getLogger("docket").setLevel(logging.CRITICAL)
    # It tells each failure to export many times; server.tracing_otel says once what has to be known.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    logging.captureWarnings(True)


@contextmanager
def quiet(level: Level, *, form: Format | None = None) -> Iterator[None]:
    """Log errors only, while a failure is going to be told to somebody in one line; then `level` again."""
    configure("error", form=form)
    try:
        yield
    finally:
        configure(level, form=form)


class ErrorCount:
    """Counts what this process has logged as an error or worse."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, _logger: object, method: str, record: Record) -> Record:
        """Count a record, and pass it on."""
        if method in ("error", "critical"):
            self.total += 1
        return record


ERRORS = ErrorCount()


class _Stderr:
    """Writes lines; a reader that is gone or a full disk must not stop the work that is logged."""

    def _write(self, line: str | bytes) -> None:
        data = line if isinstance(line, bytes) else line.encode(errors="replace")
        with suppress(OSError):
            os.write(STDERR, data + b"\n")

    debug = info = warning = error = critical = msg = _write


class _Library(logging.Handler):
    """Hands the records of libraries on."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self._whole = whole

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record under its template; arguments and further lines may quote data."""
        if isinstance(_exception(record.exc_info), OF_CLIENTS):
            return  # it was answered; anybody could fill the log with it
        text = record.getMessage() if self._whole else str(record.msg).partition("\n")[0]
        structlog.get_logger().log(record.levelno, text, logger=record.name, exc_info=record.exc_info)


class _Exceptions:
    """Replaces exc_info by type and place of an exception and its causes."""

    def __init__(self, *, messages: bool) -> None:
        self._messages = messages

    def __call__(self, _logger: object, _method: str, record: Record) -> Record:
        error = _exception(record.pop("exc_info", None))
        if error is not None:
            record["exception"] = [self._one(e) for e in _chain(error)]
        return record

    def _one(self, error: BaseException) -> Record:
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        shown: Record = {
            "type": f"{type(error).__module__}.{type(error).__qualname__}",
            "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if self._messages:
            shown["message"] = str(error)
        return shown


def _exception(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exc_info()[1] if given else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _as_text(_logger: object, _method: str, record: Record) -> Record:
    """Make the exception a text, which is what the terminal's renderer takes."""
    if errors := record.pop("exception", None):
        lines = [line for e in errors for line in (e["type"], e.get("message", ""), *e["at"]) if line]
        record["exception"] = "\n  ".join(lines)
    return record


def _trace(_logger: object, _method: str, record: Record) -> Record:
    """Say in which trace this happens, so that all records of an event can be found."""
    if (found := tracing.ids()) is not None:
        record["trace_id"], record["span_id"] = found
    return record


def _mask(_logger: object, _method: str, record: Record) -> Record:
    """Hide what a field's name says is secret; a net below the rule that nobody logs such fields."""
    for name in SECRET & record.keys():
        record[name] = "***"
    return record


def _dumps(record: Any, **_: Any) -> bytes:
    return orjson.dumps(record, default=str, option=orjson.OPT_NON_STR_KEYS)
