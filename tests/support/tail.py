"""What a client has seen of one room over all its connections; holes and repetitions fail at once."""

from typing import Any

from tests.support.clients import Recorder


class Tail:
    """The entries of a room, seen by one client; `last` is the offset to go on from."""

    def __init__(self, room: str, *, last: int = 0) -> None:
        self.room = room
        self.last = last
        self.epoch = ""
        self.entries: list[tuple[str, dict[str, Any]]] = []
        self._read: dict[Recorder, int] = {}

    def take(self, recorder: Recorder) -> None:
        """Add what a connection has brought since the last time it was asked."""
        start = self._read.get(recorder, 0)
        for name, data in recorder.seen[start:]:
            if data.get("room") == self.room and "offset" in data and name != "room_reset":
                assert data["offset"] == self.last + 1, (name, data["offset"], self.last)
                self.last = data["offset"]
                self.entries.append((name, data))
        self._read[recorder] = len(recorder.seen)

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the payloads of a name."""
        return [data for n, data in self.entries if n == name]

    def text(self, message_id: str) -> str:
        """Return the deltas of a message, joined."""
        return "".join(d["content"] for d in self.named("attempt_progress") if d["message_id"] == message_id)
