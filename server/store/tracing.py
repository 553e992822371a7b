"""Commands to the database, as spans: their name and how long they took, never what is in them."""

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from server import tracing


class Commands(CommandListener):
    """Hears of commands in the threads that send them, to which the driver gives the traces of who asked."""

    def started(self, event: CommandStartedEvent) -> None:
        """Wait for the end, which tells how long it took."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Note a command that was answered."""
        _note(event)

    def failed(self, event: CommandFailedEvent) -> None:
        """Note a command that failed."""
        _note(event, error="CommandFailed")


def _note(event: CommandSucceededEvent | CommandFailedEvent, *, error: str | None = None) -> None:
    tracing.called(
        f"mongodb {event.command_name}",
        nanoseconds=event.duration_micros * 1000,
        attributes={"db.system.name": "mongodb", "db.operation.name": event.command_name},
        error=error,
    )
