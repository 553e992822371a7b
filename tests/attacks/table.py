"""What an attack is: a small function that attacks and asserts the right answer, and what it may cost."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.attacks.node import Node

MB = 1024 * 1024
Run = Callable[[Node], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack on a node, and the memory in bytes that it may cost: for good, and while it lasts.

    Most nodes take any number of events and connections, so that attacks reach what they are about; a
    `strict` one has the limits that are the defaults.
    """

    run: Run
    kept: int = 12 * MB
    highest: int = 48 * MB
    strict: bool = False

    @property
    def name(self) -> str:
        """Return the name of the test."""
        return f"{self.run.__module__.rpartition('.')[2]}-{self.run.__name__}"
