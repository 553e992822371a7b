"""Entries of the ops room: what starts, ends and fails in an organisation (socket-v5 §3)."""

from schemas.attempt import Attempt, Chat
from schemas.envelope import ErrorCode, Id
from schemas.room import OpsEntry, OpsKind, OpsPhase
from schemas.stored import Owner, Pending
from server.engine.ids import derive
from server.rooms.families import ops_room


def ops_event(
    kind: OpsKind,
    *,
    key: Id | int,
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
    eid = derive("ops", kind, str(key), room, phase, code or "", step)
    return Pending(r=ops_room(org), eid=eid, name=event.event, j=event.encode().decode())


def attempt_event(
    attempt: Attempt, phase: OpsPhase, *, code: ErrorCode | None = None, step: str = ""
) -> Pending:
    """Return an entry about an attempt, which is to be seen in its owner's room."""
    room = f"{attempt.owner.kind}_{attempt.owner.id}"
    return ops_event(
        "attempt",
        key=attempt.id,
        room=room,
        phase=phase,
        owner=attempt.owner,
        org=attempt.org,
        code=code,
        step=step,
    )


def chat_error(chat: Chat, code: ErrorCode, *, step: str) -> Pending:
    """Return an entry about what failed in a chat of an attempt."""
    return ops_event(
        "attempt",
        key=chat.attempt_id,
        room=f"attempt_{chat.id}",
        phase="error",
        owner=chat.owner,
        org=chat.org,
        code=code,
        step=step,
    )
