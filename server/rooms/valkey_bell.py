"""The bell over Redis or Valkey's channels `e:{room}` and `c:{process}` (core §1.8, §2)."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from server.rooms.announcements import (
    Announced,
    Flash,
    Seal,
    Word,
    entries_body,
    flash_body,
    number_body,
    read_announcement,
    read_flash,
    read_word,
    word_body,
)
from server.rooms.bell import Listener, Told
from server.rooms.entry import Entry, Sound
from server.rooms.ringing import Ringing, Waiting
from server.rooms.sound import read_sound, sound_body
from server.rooms.subscriptions import Subscriptions
from server.rooms.valkey_link import BROKEN, Link, linked, pool_for

log = structlog.get_logger(__name__)
BEAT = "beat"
BEAT_SECONDS = 2.0
QUIET_SECONDS = 10.0
LISTEN_SECONDS = 0.5
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
MAX_WORDS = 1000  # flashes and tellings that wait
MAX_CHANNELS = 1000  # in one command
COMPLAIN_EVERY = 1000


class ValkeyBell:
    """Carries announcements between processes; losing it costs latency and nothing else.

    `key` signs what is sent: all processes of an installation have the same one. `healthy` is false at once
    when a connection breaks, and when the own beat was not heard for `quiet` seconds. Raises ValueError for
    an address that is none.
    """

    def __init__(
        self, url: str, *, prefix: str, process: str, key: Callable[[], bytes], quiet: float = QUIET_SECONDS
    ) -> None:
        self._pool = pool_for(url)
        self._rooms = f"{prefix}e:".encode()
        self._processes = f"{prefix}c:".encode()
        self._own = self._processes + process.encode()
        self._flashes = f"{prefix}f".encode()
        self._process = process
        self._quiet = quiet
        self._seal = Seal(process, key)
        self._calls: dict[str, Callable[[str], object]] = {}
        self._listener: Listener | None = None
        self._subscriptions = Subscriptions()
        self._waiting = Waiting()
        self._words: deque[tuple[bytes, bytes]] = deque(maxlen=MAX_WORDS)
        self._news = asyncio.Event()
        self.up = asyncio.Event()  # there is a connection
        self._complained = False
        self._beats = 0
        self._beaten = 0
        self._heard_at = time.monotonic()
        self.ignored = 0

    @property
    def healthy(self) -> bool:
        """Tell whether the others are heard; if not, followed rooms are to be read again and again."""
        return self.up.is_set() and self.age <= self._quiet

    @property
    def age(self) -> float:
        """Return the seconds since the own beat was last heard."""
        return time.monotonic() - self._heard_at

    def attach(self, listener: Listener) -> None:
        """Tell everything heard to a listener."""
        self._listener = listener

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with linked(self._pool) as link:
                    await self._serve(link)
            except BROKEN as error:
                if self.up.is_set() or not self._complained:
                    self._complained = True
                    log.warning("bell away; rooms are read every 250 ms", reason=type(error).__name__)
                pause = FIRST_PAUSE if self.up.is_set() else min(pause * 2, LONGEST_PAUSE)
            finally:
                self._lost()
            await asyncio.sleep(pause)

    async def listen(self, room: str) -> bool:
        """Hear a room; True when what is announced from now on arrives, False soon when that is not sure."""
        self._subscriptions.want(room)
        if not self.healthy:
            return False
        self._news.set()
        await asyncio.wait([self._subscriptions.wait(room)], timeout=LISTEN_SECONDS)
        return self._subscriptions.heard(room)

    def ignore(self, room: str) -> None:
        """Hear a room no more."""
        self._subscriptions.drop(room)
        self._news.set()

    def ring(self, room: str, entries: Sequence[Entry]) -> None:
        """Announce entries that are in the log; while nobody hears, only their number is kept."""
        if self.up.is_set():
            self._waiting.ring(room, entries)
        else:
            self._waiting.number(room, entries[-1].n)
        self._news.set()

    def flash(self, room: str, name: str, data: bytes) -> None:
        """Send an event without an offset to who follows a room now, in every process; it may be lost."""
        if self._listener is not None:
            self._listener.flashed(room, name, data)
        self._say(self._flashes, flash_body(Flash(room, name, data)))

    def sound(self, sound: Sound) -> None:
        """Send a piece of sound to the other processes that follow its room; it may be lost."""
        self._say(self._rooms + sound.room.encode(), sound_body(sound))

    def tell(self, process: str, what: Told, key: str) -> None:
        """Tell a process something that it finds out by itself a little later."""
        if process == self._process:
            self._told(Word(what, key))
        else:
            self._say(self._processes + process.encode(), word_body(Word(what, key)))

    def on_told(self, what: Told, call: Callable[[str], object]) -> None:
        """Have `call` run with the key when this process is told something."""
        self._calls[what] = call

    def _say(self, channel: bytes, body: bytes) -> None:
        if self.up.is_set():
            self._words.append((channel, self._seal.close(channel, body)))
            self._news.set()

    def _lost(self) -> None:
        """Hear nobody: what waited is announced by number when there is a connection again."""
        self.up.clear()
        self._words.clear()
        self._subscriptions.lost()
        self._waiting.lost()

    async def _serve(self, link: Link) -> None:
        """Say and hear until a connection breaks; raises what is in BROKEN."""
        await link.subscribe([self._flashes, self._own])
        self._heard_at = time.monotonic()
        await _first_to_end(self._hear(link), self._talk(link), self._beat(), link.ended())

    async def _hear(self, link: Link) -> None:
        async for kind, channel, message in link.messages():
            if kind == b"subscribe":
                self._confirmed(channel)
            elif channel != self._own and self._seal.own(message):
                continue  # what this process has announced itself
            elif (body := self._seal.open(channel, message)) is None:
                self._ignore(channel)
            else:
                self._take(channel, body, own=self._seal.own(message))

    async def _talk(self, link: Link) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not self.up.is_set():
                continue
            on, off = self._subscriptions.changes()
            for rooms in _parts(on):
                await link.subscribe([self._rooms + room.encode() for room in rooms])
            for rooms in _parts(off):
                await link.unsubscribe([self._rooms + room.encode() for room in rooms])
            if messages := [*self._announcements(), *self._words]:
                self._words.clear()
                await link.publish(messages)

    async def _beat(self) -> None:
        """Say something to oneself every 2 s; raises TimeoutError when it was not heard for too long."""
        while self.age <= self._quiet:
            self._beats += 1
            self._waiting.beat()
            self._say(self._own, word_body(Word(BEAT, str(self._beats))))
            await asyncio.sleep(min(BEAT_SECONDS, self._quiet / 4))
        raise TimeoutError

    def _announcements(self) -> list[tuple[bytes, bytes]]:
        return [self._announcement(room, ringing) for room, ringing in self._waiting.take()]

    def _announcement(self, room: str, ringing: Ringing) -> tuple[bytes, bytes]:
        channel = self._rooms + room.encode()
        body = entries_body(ringing.entries) if ringing.entries else number_body(ringing.n)
        return channel, self._seal.close(channel, body)

    def _confirmed(self, channel: bytes) -> None:
        if channel == self._own:
            self.up.set()
            self._heard_at = time.monotonic()
            self._news.set()
            log.info("bell heard")
            return
        room = channel.removeprefix(self._rooms).decode()
        if self._subscriptions.confirmed(room) and self._listener is not None:
            self._listener.listening(room)

    def _take(self, channel: bytes, body: bytes, *, own: bool) -> None:
        try:
            found = self._read(channel, body)
        except ValueError:  # another version's
            self._ignore(channel)
            return
        if isinstance(found, Word):
            self._take_word(found, own=own)
        elif self._listener is not None:
            if isinstance(found, Sound):
                self._listener.heard_sound(found)
            elif isinstance(found, Flash):
                self._listener.flashed(found.room, found.name, found.data)
            elif found.entries:
                self._listener.announced(found.room, found.entries)
            else:
                self._listener.announced_number(found.room, found.n)

    def _read(self, channel: bytes, body: bytes) -> Word | Flash | Announced | Sound:
        if channel == self._own:
            return read_word(body)
        if channel == self._flashes:
            return read_flash(body)
        room = channel.removeprefix(self._rooms).decode()
        return read_sound(room, body) or read_announcement(room, body)

    def _take_word(self, word: Word, *, own: bool) -> None:
        if word.what != BEAT:
            self._told(word)
        elif own and int(word.key) > self._beaten:  # one that was recorded does not count
            self._beaten = int(word.key)
            self._heard_at = time.monotonic()
            if self._beaten == self._beats:
                self._waiting.beaten()

    def _told(self, word: Word) -> None:
        if (call := self._calls.get(word.what)) is not None:
            call(word.key)

    def _ignore(self, channel: bytes) -> None:
        """Drop what is forged, broken, or of another epoch."""
        self.ignored += 1
        if self.ignored % COMPLAIN_EVERY == 1:
            log.warning(
                "bell message ignored", channel=channel.decode(errors="replace"), ignored=self.ignored
            )


def _parts(rooms: list[str]) -> list[list[str]]:
    return [rooms[start : start + MAX_CHANNELS] for start in range(0, len(rooms), MAX_CHANNELS)]


async def _first_to_end(*parts: Coroutine[Any, Any, None]) -> None:
    """Run until one ends, end the others, and raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
