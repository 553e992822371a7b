"""Compares a room's folded log with what the store says, at its end and from any point on."""

import random
from collections.abc import Sequence
from typing import Any

import orjson

from schemas.attempt import Chat, Message
from schemas.envelope import Id
from schemas.grade import Grade
from server.rooms.folds import FOLDS, Fold, family
from server.store import Store
from server.store.entries import Row

State = dict[str, Any]
FOLDED = ("standard_group_id", "standard_id", "points", "feedback", "quotes")
SPLITS = 25


async def log_of(store: Store, room: str) -> list[Row]:
    """Return all entries of a room; they are numbered without holes."""
    rows: list[Row] = []
    while page := await store.entries.page(room, after=len(rows), limit=500):
        rows += page
    assert [r.n for r in rows] == list(range(1, len(rows) + 1))
    return rows


def fold_of(fold: Fold, rows: Sequence[Row], state: State | None = None) -> State:
    """Return the state after some entries."""
    state = fold.initial() if state is None else state
    for row in rows:
        fold.step(state, row.name, orjson.loads(row.j))
    return state


async def check_chat(store: Store, chat_id: Id) -> set[str]:
    """Check that a chat's log, snapshots of it and the store agree; return the events' names."""
    room = f"attempt_{chat_id}"
    rows = await log_of(store, room)
    chat = await store.chats.get(chat_id)
    assert chat is not None
    shown = shown_by(room, rows)
    assert without_places(shown["messages"]) == [message_of(m) for m in chat.messages]
    assert placed(shown["messages"]) == placed(expected_places(chat))
    assert shown["hints"] == chat.hints
    assert shown["responses"] == {
        r.question_id: {"id": r.id, "option_ids": r.option_ids, "is_correct": r.is_correct}
        for r in chat.responses
    }
    assert shown["ended"] is chat.ended
    check_running(shown, chat)
    check_grades(shown["grades"], chat)
    check_splits(room, rows)
    return {row.name for row in rows}


def shown_by(room: str, rows: Sequence[Row]) -> State:
    """Return the snapshot after some entries."""
    fold = FOLDS[family(room)]
    return fold.show(fold_of(fold, rows))


def check_splits(room: str, rows: Sequence[Row]) -> None:
    """Check that snapshots at random places, continued with the later entries, lead to the same end."""
    fold, whole = FOLDS[family(room)], shown_by(room, rows)
    places = {0, len(rows)} | {random.randint(0, len(rows)) for _ in range(SPLITS)}
    for at in places:
        stored = orjson.loads(orjson.dumps(fold_of(fold, rows[:at])))
        assert fold.show(fold_of(fold, rows[at:], stored)) == whole, f"checkpoint at {at}"
        if family(room) == "attempt":
            told = as_state(shown_by(room, rows[:at]))
            assert fold.show(fold_of(fold, rows[at:], told)) == whole, f"snapshot at {at}"


def as_state(snapshot: State) -> State:
    """Return what a client can know that has only a chat's snapshot."""
    running = snapshot.get("running")
    return {
        "typing": None,
        **snapshot,
        "grades": {g["grade_id"]: g for g in snapshot["grades"]},
        "running": {**running, "parts": [running["text"]]} if running else None,
    }


def message_of(message: Message) -> State:
    """Return a stored message as a snapshot shows it."""
    shown: State = orjson.loads(message.model_dump_json(exclude_none=True))
    return {"parent_message_id": None, **shown}


def without_places(messages: Sequence[State]) -> list[State]:
    return [{k: v for k, v in m.items() if not k.startswith("sibling")} for m in messages]


def placed(messages: Sequence[State]) -> dict[str, tuple[int, int]]:
    return {m["id"]: (m["sibling_index"], m["sibling_count"]) for m in messages}


def expected_places(chat: Chat) -> list[State]:
    """Return each message's place among the messages with the same parent."""
    places = []
    for message in chat.messages:
        siblings = [m.id for m in chat.messages if m.parent_message_id == message.parent_message_id]
        places.append(
            {
                "id": message.id,
                "sibling_index": siblings.index(message.id),
                "sibling_count": len(siblings),
            }
        )
    return places


def check_running(shown: State, chat: Chat) -> None:
    if chat.reply is None:
        assert "running" not in shown
        return
    running = shown["running"]
    assert running["message_id"] == chat.reply.message_id
    assert running["parent_message_id"] == chat.reply.parent_message_id


def check_grades(shown: Sequence[State], chat: Chat) -> None:
    """Check the grades that are done; others have failed, or their work is still stored."""
    done = {g["grade_id"]: g for g in shown if g["state"] == "done"}
    assert list(done) == [g.grade_id for g in chat.grades]
    for grade in chat.grades:
        check_grade(done[grade.grade_id], grade)
    at_work = {w.args.get("grade_id") for w in chat.work}
    for grade_id in (g["grade_id"] for g in shown if g["state"] == "running"):
        assert grade_id in at_work


def check_grade(shown: State, grade: Grade) -> None:
    stored = orjson.loads(grade.model_dump_json())
    for key in ("score", "total_points", "percentage", "passed", "strengths", "improvements"):
        assert shown[key] == stored[key], key
    assert [a["content"] for a in shown["analyses"]] == stored["analyses"]
    by_group = {g["standard_group_id"]: {k: g[k] for k in FOLDED} for g in stored["groups"]}
    assert {g["standard_group_id"]: g for g in shown["groups"]} == by_group


async def check_profile(store: Store, room: str, attempt_ids: Sequence[Id]) -> set[str]:
    """Check that a profile's log and its attempts agree; return the events' names."""
    rows = await log_of(store, room)
    shown = {a["attempt_id"]: a for a in shown_by(room, rows)["attempts"]}
    assert set(shown) == set(attempt_ids)
    for attempt_id in attempt_ids:
        attempt = await store.attempts.get(attempt_id)
        assert attempt is not None
        chat_ids = [e.chat_id for e in attempt.entries if e.chat_id and not e.reused]
        assert shown[attempt_id]["chat_ids"] == chat_ids
        assert shown[attempt_id]["ended"] is (attempt.status == "ended")
        assert shown[attempt_id]["chat_entry_id"] in [e.chat_entry_id for e in attempt.entries]
    check_splits(room, rows)
    return {row.name for row in rows}
