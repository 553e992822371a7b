"""Events on their way into a room."""

from schemas.envelope import ServerEvent
from schemas.stored import Pending


def pending(room: str, event: ServerEvent, eid: str) -> Pending:
    """Return an event to store with the change that causes it."""
    return Pending(r=room, eid=eid, name=event.event, j=event.encode().decode())
