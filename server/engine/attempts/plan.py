"""What comes next in an attempt. Pure: no I/O."""

from dataclasses import dataclass
from typing import Literal

from schemas.attempt import Attempt, ChatEntry
from schemas.envelope import Id
from server.engine.ids import derive


@dataclass(frozen=True, slots=True)
class Step:
    """The next step: a chat for an entry, its lobby, the end, or nothing while a chat is open."""

    kind: Literal["chat", "lobby", "end", "none"]
    attempt: Attempt
    entry: ChatEntry | None = None


def plan(attempt: Attempt, *, force: bool = False) -> Step:
    """Find what an attempt proceeds to; `force` goes past a lobby.

    In infinite mode the scenarios begin again, as new entries of the next cycle.
    """
    if attempt.status != "open" or any(e.state == "open" or e.preparing for e in attempt.entries):
        return Step("none", attempt)
    waiting = [e for e in attempt.entries if e.state in ("pending", "lobby")]
    if not waiting and attempt.infinite_mode:
        attempt = next_cycle(attempt)
        waiting = [e for e in attempt.entries if e.state == "pending"]
    if not waiting:
        return Step("end", ended(attempt))
    entry = waiting[0]
    if (entry.use_custom or entry.use_previous) and not (force or entry.passed):
        return Step("lobby", with_entry(attempt, entry.model_copy(update={"state": "lobby"})), entry)
    return Step("chat", attempt, entry)


def finish(attempt: Attempt, chat_id: Id, *, ending: bool) -> Attempt | None:
    """Mark a chat's entry as done, and an ending attempt as ended; None when it was done already."""
    entry = next((e for e in attempt.entries if e.chat_id == chat_id and e.state == "open"), None)
    if entry is None:
        return None
    attempt = with_entry(attempt, entry.model_copy(update={"state": "done"}))
    if ending and attempt.status == "open":
        attempt = attempt.model_copy(update={"status": "ending"})
    if attempt.status == "ending" and all(e.state != "open" for e in attempt.entries):
        return ended(attempt)
    return attempt


def ended(attempt: Attempt) -> Attempt:
    """Return an attempt as ended; complete when every scenario had a chat."""
    first = [e for e in attempt.entries if e.cycle == 0]
    complete = all(e.chat_id is not None for e in first)
    return attempt.model_copy(update={"status": "ended", "all_scenarios_complete": complete})


def next_cycle(attempt: Attempt) -> Attempt:
    """Append the scenarios once more."""
    cycle = attempt.cycle + 1
    fresh = [
        e.model_copy(
            update={
                "chat_entry_id": derive(attempt.id, "entry", str(cycle), str(index)),
                "cycle": cycle,
                "chat_id": None,
                "state": "pending",
                "reused": False,
                "passed": False,
                "draft_id": None,
                "preparing": None,
                "generation_id": None,
                "tries": 0,
                "by": None,
            }
        )
        for index, e in enumerate(x for x in attempt.entries if x.cycle == attempt.cycle)
    ]
    return attempt.model_copy(update={"cycle": cycle, "entries": [*attempt.entries, *fresh]})


def with_entry(attempt: Attempt, entry: ChatEntry) -> Attempt:
    """Return an attempt with one entry replaced."""
    entries = [entry if e.chat_entry_id == entry.chat_entry_id else e for e in attempt.entries]
    return attempt.model_copy(update={"entries": entries})
