"""What goes over the bell: signed, because whoever reaches Valkey could forge it. No I/O.

A forged announcement would make rooms release what is in no log, and the log number past what exists. So each
message carries a keyed hash of its channel and body; the key lies in the database and changes with the
epoch, and what does not fit is dropped. A genuine message that comes twice or late is harmless: entries are
written once, and a room takes each number once.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from schemas.envelope import MAX_SAFE_INTEGER
from server.rooms.entry import Entry

DIGEST = 16


@dataclass(frozen=True, slots=True)
class Flash:
    """An event without an offset, for who follows a room now."""

    room: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Word:
    """What a process is told, and about what."""

    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Announced:
    """Entries of a room that are in the log, or only the highest number when they were too large."""

    room: str
    n: int
    entries: list[Entry]


class Seal:
    """Signs messages of this process, and opens those of the others."""

    def __init__(self, process: str, key: Callable[[], bytes]) -> None:
        self._sender = process.encode() + b"\n"
        self._key = key
        self._known = b""
        self._hash = hashlib.blake2b()

    def close(self, channel: bytes, body: bytes) -> bytes:
        """Return the message to send over a channel."""
        signed = self._sender + body
        return self._digest(channel, signed) + signed

    def own(self, message: bytes) -> bool:
        """Tell whether a message names this process as its sender, before it is opened."""
        return message.startswith(self._sender, DIGEST)

    def open(self, channel: bytes, message: bytes) -> bytes | None:
        """Return the body of a message, None when it is forged, broken or of another epoch."""
        signed = message[DIGEST:]
        if not hmac.compare_digest(message[:DIGEST], self._digest(channel, signed)):
            return None
        return signed.partition(b"\n")[2]

    def _digest(self, channel: bytes, signed: bytes) -> bytes:
        if (key := self._key()) != self._known:
            self._known = key
            self._hash = hashlib.blake2b(digest_size=DIGEST, key=hashlib.blake2b(key).digest())
        found = self._hash.copy()
        found.update(b"%d:%b" % (len(channel), channel))
        found.update(signed)
        return found.digest()


def entries_body(entries: Sequence[Entry]) -> bytes:
    """Return the body that announces entries of one room."""
    return orjson.dumps([[e.n, e.w, e.at, e.name, e.j.decode()] for e in entries])


def number_body(n: int) -> bytes:
    """Return the body that announces only the highest number of a room."""
    return b"%d" % n


def flash_body(flash: Flash) -> bytes:
    """Return the body of an event without an offset."""
    return orjson.dumps([flash.room, flash.name, flash.data.decode()])


def read_flash(body: bytes) -> Flash:
    """Return an event without an offset; raises ValueError when the body holds none."""
    match orjson.loads(body):
        case [str(room), str(name), str(data)]:
            return Flash(room, name, data.encode())
    raise ValueError("not a flash")


def word_body(word: Word) -> bytes:
    """Return the body that tells a process something."""
    return orjson.dumps([word.what, word.key])


def read_word(body: bytes) -> Word:
    """Return what a process is told; raises ValueError when the body says nothing."""
    match orjson.loads(body):
        case [str(what), str(key)]:
            return Word(what, key)
    raise ValueError("not a word")


def read_announcement(room: str, body: bytes) -> Announced:
    """Return what is announced of a room; raises ValueError when the body announces nothing."""
    match orjson.loads(body):
        case int(n) if 0 < n <= MAX_SAFE_INTEGER:
            return Announced(room, n, [])
        case [_, *_] as rows:
            entries = [_entry(room, row) for row in rows]
            return Announced(room, max(entry.n for entry in entries), entries)
    raise ValueError("not an announcement")


def _entry(room: str, row: object) -> Entry:
    match row:
        case [int(n), str(w), int(at), str(name), str(j)] if n > 0 and len(j) > 1:
            return Entry(room=room, n=n, w=w, at=at, name=name, j=j.encode())
    raise ValueError("not an entry")
