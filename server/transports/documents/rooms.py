"""Which events are told in which rooms: each where the id that it carries names one (socket-v5 §3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.envelope import ServerEvent
from server.rooms.families import FAMILIES, OPS

NAMED_BY = {
    "attempt": "chat_id",
    "test": "invocation_id",
    "batch": "job_id",
    "result": "result_id",
    "playground": "session_id",
}
OWN = ("profile", "guest")  # of one person: what names nothing else yet
STARTS = frozenset({"attempt_chat_started"})  # its chat's room begins after it
ALONE = frozenset({"attempt_joined", "test_joined"})  # private answers
PEOPLES = ("attempt", "test", "generation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A family of rooms: its address and the names in it."""

    family: str
    address: str
    parameters: tuple[str, ...] = ()


def _room(family: str) -> Room:
    if family == OPS:
        return Room(family=family, address=OPS)
    name = NAMED_BY.get(family, f"{family}_id")
    return Room(family=family, address=f"{family}_{{{name}}}", parameters=(name,))


ROOMS = tuple(_room(family) for family in FAMILIES)


def room_events(room: Room, events: Mapping[str, type[ServerEvent]]) -> list[str]:
    """Return the names of the events that a family's rooms have."""
    return [name for name, event in events.items() if room.family in _families(name, event)]


def _families(name: str, event: type[ServerEvent]) -> tuple[str, ...]:
    prefix = name.partition("_")[0]
    if name in ALONE:
        return ()
    if prefix == OPS:
        return (OPS,)
    found = tuple(f for f, field in NAMED_BY.items() if field in event.model_fields and name not in STARTS)
    own = prefix in PEOPLES and (not found or not _needs(event, NAMED_BY[found[0]]))
    return found + (OWN if own else ())


def _needs(event: type[ServerEvent], field: str) -> bool:
    return event.model_fields[field].is_required()
