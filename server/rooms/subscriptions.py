"""Which rooms are heard: what is wanted, what was asked for, what is confirmed. No I/O."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class _State:
    on: bool = False  # what was asked for last
    unconfirmed: int = 0  # answers to SUBSCRIBE that are still to come
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)


class Subscriptions:
    """Rooms come and go at any time; one is heard when every SUBSCRIBE for it was answered and no UNSUBSCRIBE
    came after the last."""

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._changed: dict[str, None] = {}
        self._states: dict[str, _State] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def want(self, room: str) -> None:
        """Hear a room."""
        self._wanted.add(room)
        self._changed[room] = None

    def drop(self, room: str) -> None:
        """Hear a room no more."""
        self._wanted.discard(room)
        self._changed[room] = None

    def heard(self, room: str) -> bool:
        """Tell whether a room is heard now."""
        state = self._states.get(room)
        return room in self._wanted and state is not None and state.on and state.unconfirmed == 0

    def wait(self, room: str) -> "asyncio.Future[None]":
        """Return a future that is done when a wanted room is heard."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.heard(room):
            future.set_result(None)
        else:
            self._states.setdefault(room, _State()).waiting.append(future)
        return future

    def changes(self) -> tuple[list[str], list[str]]:
        """Return which rooms to subscribe and which to unsubscribe now; they count as asked for."""
        on, off = [], []
        for room in self._changed:
            state = self._states.setdefault(room, _State())
            if room in self._wanted and not state.on:
                state.on, state.unconfirmed = True, state.unconfirmed + 1
                on.append(room)
            elif room not in self._wanted and state.on:
                state.on = False
                off.append(room)
            self._forget(room, state)
        self._changed.clear()
        return on, off

    def confirmed(self, room: str) -> bool:
        """Take an answer to SUBSCRIBE; True when the room is heard from now on."""
        if (state := self._states.get(room)) is None or state.unconfirmed == 0:
            return False
        state.unconfirmed -= 1
        if self.heard(room):
            for future in state.waiting:
                if not future.done():
                    future.set_result(None)
            state.waiting.clear()
            return True
        self._forget(room, state)
        return False

    def lost(self) -> None:
        """Begin anew after the connection broke: nothing is heard, everything wanted is to be asked for."""
        waiting = [future for state in self._states.values() for future in state.waiting]
        self._states.clear()
        self._changed = dict.fromkeys(self._wanted)
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _forget(self, room: str, state: _State) -> None:
        if not state.on and state.unconfirmed == 0 and not state.waiting and room not in self._wanted:
            self._states.pop(room, None)
