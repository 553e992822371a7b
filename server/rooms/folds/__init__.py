"""Pure folds per family of rooms: what a room's entries add up to (core §9.2)."""

from server.rooms.folds.batch import BATCH, BATCH_EVENTS
from server.rooms.folds.chat import CHAT, CHAT_EVENTS
from server.rooms.folds.fold import Data, Fold, State
from server.rooms.folds.ops import OPS
from server.rooms.folds.playground import PLAYGROUND, PLAYGROUND_EVENTS
from server.rooms.folds.profile import PROFILE
from server.rooms.folds.result import RESULT, RESULT_EVENTS
from server.rooms.folds.test import TEST, TEST_EVENTS

__all__ = [
    "BATCH_EVENTS",
    "CHAT_EVENTS",
    "FOLDS",
    "PLAYGROUND_EVENTS",
    "RESULT_EVENTS",
    "TEST_EVENTS",
    "Data",
    "Fold",
    "State",
    "family",
]

FOLDS: dict[str, Fold] = {
    "attempt": CHAT,
    "profile": PROFILE,
    "guest": PROFILE,
    "ops": OPS,
    "test": TEST,
    "batch": BATCH,
    "result": RESULT,
    "playground": PLAYGROUND,
}


def family(room: str) -> str:
    """Return the part of a room's name before its id, or before its organisation."""
    return room.partition(":")[0].partition("_")[0]
