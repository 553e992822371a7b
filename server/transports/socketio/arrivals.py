"""In what order connections come that want the same session."""


class Arrivals:
    """Numbers who comes, and keeps who is waiting for which session."""

    def __init__(self) -> None:
        self._last = 0
        self._waiting: dict[str, set[int]] = {}

    def new(self) -> int:
        """Return the number of who comes now."""
        self._last += 1
        return self._last

    def wait(self, session_id: str, arrival: int) -> None:
        """Note who waits for a session, and may have it; harmless when noted before."""
        self._waiting.setdefault(session_id, set()).add(arrival)

    def done(self, session_id: str, arrival: int) -> None:
        """Note that somebody waits no longer; harmless for who did not."""
        if (waiting := self._waiting.get(session_id)) is not None:
            waiting.discard(arrival)
            if not waiting:
                del self._waiting[session_id]

    def later(self, session_id: str, arrival: int) -> bool:
        """Tell whether somebody waits for a session who came later."""
        return max(self._waiting.get(session_id, ()), default=0) > arrival
