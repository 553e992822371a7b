"""Entries of the ops room: what starts, ends and fails in an organisation (socket-v5 §3)."""

from schemas.envelope import ErrorCode, Id
from schemas.room import OpsEntry, OpsKind, OpsPhase
from schemas.stored import Owner, Pending
from server.engine.ids import derive
from server.rooms.families import ops_room


def ops_event(
    kind: OpsKind,
    *,
    key: Id,
    room: str,
    phase: OpsPhase,
    owner: Owner,
    org: str,
    code: ErrorCode | None = None,
    step: str = "",
) -> Pending:
    """Return an entry for the ops room of an organisation, to store with the change that it tells of.

    `key` is the thing's id, `room` where it is to be seen. The event id follows from the other fields: doing
    the change again adds nothing. What may happen to one thing several times names the time in `step`.
    """
    event = OpsEntry(kind=kind, id=key, subject_room=room, phase=phase, owner=owner, code=code)
    eid = derive("ops", kind, key, room, phase, code or "", step)
    return Pending(r=ops_room(org), eid=eid, name=event.event, j=event.encode().decode())
