"""Reads a file of recorded conversations, whatever of the known formats it is in.

Records stand one on a line (JSON Lines), in one JSON array, or one after the other; each is known by its
fields: `messages` (OpenAI chat), `conversations` (ShareGPT), or `attempt` and `chats` (our own exports). A
file of lines is never held in memory as a whole.
"""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from server.engine.recordings.exports import read_export
from server.engine.recordings.openai_chat import read_chat
from server.engine.recordings.record import BadRecord, Malformed, Recording
from server.engine.recordings.sharegpt import read_sharegpt

MAX_FILE = 64 * 1024 * 1024
MAX_LINE = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_WHITE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n,]*")
_WHAT = (
    "this is no recorded conversation: it has neither `messages` (OpenAI chat), `conversations` (ShareGPT) "
    "nor `attempt` and `chats` (an export of ours)"
)


def read_recordings(file: BinaryIO) -> Iterator[Recording | BadRecord]:
    """Yield what a file that is open at its beginning holds, in its order; never raises for its content."""
    size = file.seek(0, 2)
    file.seek(0)
    if size > MAX_FILE:
        yield BadRecord(1, f"the file has {size:,} bytes, at most {MAX_FILE:,} can be read: split it")
        return
    by_line = _is_by_line(file)
    file.seek(0)
    yield from _lines(file) if by_line else _document(file.read())


def _is_by_line(file: BinaryIO) -> bool:
    """Tell whether one of the first two lines is an object by itself, as in JSON Lines."""
    lines = (line for _, line in _numbered(file) if line)
    first, second = next(lines, b""), next(lines, b"")
    is_long = len(first) > MAX_LINE
    return not first.startswith(b"[") and (is_long or _is_object(first) or _is_object(second))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) without ends and BOM; of a line that is too long only its beginning."""
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        line = raw.removeprefix(_BOM) if number == 1 else raw
        while not raw.endswith(b"\n") and (raw := file.readline(MAX_LINE)):
            pass  # the rest of a line that is too long
        yield number, line.strip()


def _lines(file: BinaryIO) -> Iterator[Recording | BadRecord]:
    for number, line in _numbered(file):
        if len(line) > MAX_LINE:
            yield BadRecord(number, f"the line is longer than {MAX_LINE:,} bytes")
        elif line:
            yield from _line(number, line)


def _line(number: int, line: bytes) -> Iterator[Recording | BadRecord]:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        yield BadRecord(number, f"this is not UTF-8 text (byte 0x{line[error.start]:02x})")
    except RecursionError:
        yield BadRecord(number, "this is nested too deep")
    except ValueError as error:
        yield BadRecord(number, f"this is not valid JSON: {error}")
    else:
        yield from _record(number, value)


def _document(source: bytes) -> Iterator[Recording | BadRecord]:
    """Read an array, or objects one after the other; what follows a mistake in the syntax is not read."""
    try:
        text = source.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        yield BadRecord(line, f"this is not UTF-8 text (byte 0x{error.object[error.start]:02x})")
        return
    decoder, at, line, counted = json.JSONDecoder(), _start(text), 1, 0
    is_array = at < len(text) and text[at] == "["
    at = _skip(text, at + 1) if is_array else at
    while at < len(text) and not (is_array and text[at] == "]"):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError:
            yield BadRecord(line, "this is nested too deep")
            return
        except ValueError as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            yield BadRecord(where, f"this is not valid JSON: {error}; nothing after it was read")
            return
        yield from _record(line, value)
        at = _skip(text, at)


def _start(text: str) -> int:
    match = _WHITE.match(text)
    return match.end() if match else 0


def _skip(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _record(line: int, value: object) -> Iterator[Recording | BadRecord]:
    try:
        if isinstance(value, dict) and "messages" in value:
            yield read_chat(value, line)
        elif isinstance(value, dict) and "conversations" in value:
            yield read_sharegpt(value, line)
        elif isinstance(value, dict) and "chats" in value and "attempt" in value:
            yield from read_export(value, line)
        else:
            yield BadRecord(line, _WHAT)
    except Malformed as error:
        yield BadRecord(line, str(error))
