"""How long a call has waited for its turn, for each of those who share it."""


class Waits:
    """When a call waited, in seconds of one clock; whoever joins it late has waited with it from then on."""

    __slots__ = ("__weakref__", "_spans")

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def add(self, began: float, ended: float) -> None:
        """Note a wait that is over."""
        self._spans.append((began, ended))

    def since(self, asked: float) -> float:
        """Return how much of the waiting came after a time."""
        return sum(max(0.0, ended - max(began, asked)) for began, ended in self._spans)
