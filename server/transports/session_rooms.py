"""The rooms of a stored session: members, those left by themselves, and their cursor strings (core §6)."""

import asyncio
from collections.abc import Mapping

from server.rooms.cursor import parse, tag, tail
from server.store.sessions import Session, SessionRoom, SessionStore

MAX_ENDED = 8


class SessionRooms:
    """Changes in one tick, and is stored room by room by `save`; nothing else here waits.

    A room that left by itself stays in the strings with the number of its end, for a connection that breaks
    may not have brought that end: the next one goes on before it. The eight newest are kept so.
    """

    def __init__(self, record: Session, store: SessionStore) -> None:
        self._record = record
        self._store = store
        self._aliases = record.aliases
        self.members = {room.room: room for room in record.rooms if room.ended is None}
        self._ended = {room.alias: room for room in record.rooms if room.ended is not None}
        self._unsaved: dict[int, SessionRoom] = {}
        self._saving = asyncio.Lock()
        self._tagged = "", ""

    @property
    def unsaved(self) -> bool:
        """Tell whether something is not stored yet."""
        return bool(self._unsaved)

    def add(self, name: str, *, start: int, epoch: str, until: frozenset[str]) -> SessionRoom:
        """Add a member, under an alias that no other room had; it must not be one yet."""
        member = SessionRoom(alias=self._aliases, room=name, start=start, epoch=epoch, until=until)
        self._aliases += 1
        self.members[name] = self._unsaved[member.alias] = member
        return member

    def stay(self, member: SessionRoom, until: frozenset[str]) -> None:
        """Change after which events a member leaves by itself."""
        if member.until != until:
            member.until = until
            self._unsaved[member.alias] = member

    def drop(self, member: SessionRoom) -> None:
        """Remove a member for good."""
        del self.members[member.room]
        self._unsaved[member.alias] = member

    def end(self, member: SessionRoom, n: int) -> None:
        """Remove a member that leaves by itself after a number."""
        self.drop(member)
        member.ended = n
        self._ended[member.alias] = member
        while len(self._ended) > MAX_ENDED:
            alias = next(iter(self._ended))
            self._unsaved[alias] = self._ended.pop(alias)

    def settle(self, seen: Mapping[int, int], *, epoch: str) -> None:
        """Forget the rooms left by themselves; those whose end the client has not seen are members again."""
        for room in list(self._ended.values()):
            del self._ended[room.alias]
            self._unsaved[room.alias] = room
            at = seen.get(room.alias, room.start if room.epoch == epoch else None)
            if at is not None and room.ended is not None and at >= room.ended:
                continue
            member = self.members.get(room.room)
            if member is None:
                room.ended = None
                self.members[room.room] = room
            elif at is not None and member.alias not in seen and member.epoch == epoch:
                member.start = min(member.start, at)  # it was entered again since
                self._unsaved[member.alias] = member

    def tail(self, name: str, cursors: Mapping[str, int], *, epoch: str) -> bytes:
        """Return what follows the number in the strings of a member, from all cursors."""
        others = {room.alias: room.ended for room in self._ended.values() if room.ended is not None}
        others |= {self.members[room].alias: n for room, n in cursors.items() if room in self.members}
        return tail(self.members[name].alias, others, session_tag=self._tag(epoch)).encode()

    def seen(self, string: str, *, epoch: str) -> dict[int, int] | None:
        """Return the cursors that a client came back with; None for a string of another session or epoch."""
        found = parse(string, session_tag=self._tag(epoch))
        return None if found is None or max(found) >= self._aliases else found

    async def save(self) -> None:
        """Store what has changed; raises Unavailable: what was not stored is tried again by the next call."""
        async with self._saving:
            while self._unsaved:
                alias, room = self._unsaved.popitem()
                try:
                    if self.members.get(room.room) is room or alias in self._ended:
                        await self._store.save_room(self._record, room)
                    else:
                        await self._store.drop_room(self._record, alias)
                except BaseException:
                    self._unsaved.setdefault(alias, room)
                    raise

    def _tag(self, epoch: str) -> str:
        if self._tagged[0] != epoch:
            self._tagged = epoch, session_tag(self._record.id, epoch=epoch)
        return self._tagged[1]


def session_tag(session_id: str, *, epoch: str) -> str:
    """Return what ties strings to a session and to the epoch that their numbers belong to."""
    return tag(f"{session_id}.{epoch}")
