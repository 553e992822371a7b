"""The families of rooms: everything that depends on what kind of room it is, in one table (socket-v5 §3)."""

from dataclasses import dataclass
from typing import Literal

from server.rooms.folds import FOLDS, Fold, family

__all__ = ["FAMILIES", "OPS", "Audience", "Family", "family", "is_endless", "ops_room", "wire_name"]

Audience = Literal["chat", "test", "batch", "result", "profile", "guest", "playground", "ops"]
OPS = "ops"
DEFAULT_ORG = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of rooms: how snapshots are made, who follows (engine/access knows how to ask), how long.

    `endless` rooms have no end after which they could be forgotten: they keep their newest entries.
    """

    fold: Fold
    audience: Audience
    endless: bool = False


FAMILIES: dict[str, Family] = {
    "attempt": Family(fold=FOLDS["attempt"], audience="chat"),
    "test": Family(fold=FOLDS["test"], audience="test"),
    "batch": Family(fold=FOLDS["batch"], audience="batch"),
    "result": Family(fold=FOLDS["result"], audience="result"),
    "profile": Family(fold=FOLDS["profile"], audience="profile", endless=True),
    "guest": Family(fold=FOLDS["guest"], audience="guest", endless=True),
    "playground": Family(fold=FOLDS["playground"], audience="playground", endless=True),
    OPS: Family(fold=FOLDS[OPS], audience="ops", endless=True),
}


def is_endless(room: str) -> bool:
    """Tell whether a room never ends, so that its oldest entries are forgotten."""
    found = FAMILIES.get(family(room))
    return found is not None and found.endless


def ops_room(org: str) -> str:
    """Return the name in the log of an organisation's ops room, which its clients know as `ops`.

    Each organisation has a log of its own, so that nobody sees what another one does, nor a hole for it.
    """
    return OPS if org == DEFAULT_ORG else f"{OPS}:{org}"


def wire_name(room: str) -> str:
    """Return the name by which clients know a room."""
    return room.partition(":")[0]
