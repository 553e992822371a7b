"""Snapshots: a fold up to any place and the entries after it are the fold of all (core §9)."""

from collections.abc import Sequence
from typing import Any

import bson
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.grade import RESOURCE_TYPES
from server.rooms.folds import FOLDS, Fold, family
from server.rooms.folds.chat import MAX_MESSAGES
from server.rooms.folds.fold import MAX_BYTES
from server.rooms.folds.profile import MAX_ATTEMPTS

Event = tuple[str, dict[str, Any]]
State = dict[str, Any]
CHAT, PROFILE = FOLDS["attempt"], FOLDS["profile"]
AT = "2026-01-02T03:04:05.000Z"


def one_of(prefix: str, count: int = 3) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{prefix}{n}" for n in range(count)])


def event(name: str, *, maybe: dict[str, st.SearchStrategy[Any]] | None = None, **fields: Any) -> Any:
    data = st.fixed_dictionaries(
        {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in fields.items()},
        optional=maybe or {},
    )
    return st.tuples(st.just(name), data)


MESSAGE, GRADE, PARENT = one_of("m", 5), one_of("g"), one_of("m", 5)
TEXT = st.text(max_size=5)
SOURCE = {"document_id": "d", "chunk_id": "k", "score": 0.5, "excerpt": "It begins so."}
CHAT_EVENTS = st.lists(
    st.one_of(
        event("attempt_user_start", message_id=MESSAGE, created_at=AT, maybe={"parent_message_id": PARENT}),
        event("attempt_user_complete", message_id=MESSAGE, content=TEXT, created_at=AT),
        event(
            "attempt_assistant_start", message_id=MESSAGE, created_at=AT, maybe={"parent_message_id": PARENT}
        ),
        event("attempt_progress", content_type="delta", content=TEXT, message_id=MESSAGE),
        event("attempt_progress", content_type="delta", content=TEXT, message_id=MESSAGE),
        event("attempt_sources", message_id=MESSAGE, sources=st.lists(st.just(SOURCE), max_size=2)),
        event(
            "attempt_assistant_complete",
            message_id=MESSAGE,
            maybe={"content": TEXT, "state": one_of("s"), "usage": st.just({"prompt_tokens": 3})},
        ),
        event("attempt_error", message="sorry", code="upstream", maybe={"message_id": MESSAGE}),
        event("attempt_error", type="grade", message="sorry", code="upstream", grade_id=GRADE),
        event("attempt_hint_progress", hints=st.lists(st.just({"hint": "ask", "idx": 0}), max_size=2)),
        event(
            "attempt_response_result",
            success=True,
            question_id=one_of("q"),
            response_id=one_of("r"),
            is_correct=st.booleans(),
            option_ids=st.lists(one_of("o"), max_size=2),
        ),
        event("attempt_response_result", success=False, message="no"),
        event("attempt_grading_progress", grade_id=GRADE, entry=st.just({"type": "start", "total_count": 1})),
        event(
            "attempt_grading_progress",
            grade_id=GRADE,
            entry=st.just(
                {"type": "group", "name": "Tone", "points": 2, "completed_count": 1, "total_count": 1}
            ),
        ),
        event(
            "attempt_content_progress",
            grade_id=GRADE,
            resource_type=st.sampled_from(RESOURCE_TYPES),
            entry=st.just({"name": "Listens"}),
        ),
        event("attempt_graded", maybe={"grade_id": GRADE, "score": st.just(3.5), "passed": st.booleans()}),
        event("attempt_chat_ended", chat_id="c"),
        event("attempt_joined", chat_id="c"),
        event("something_new", chat_id="c"),
    ),
    max_size=30,
)
ATTEMPT = one_of("a", MAX_ATTEMPTS + 5)
PROFILE_EVENTS = st.lists(
    st.one_of(
        event("attempt_started", attempt_id=ATTEMPT, chat_entry_id=one_of("e")),
        event("attempt_chat_started", attempt_id=ATTEMPT, chat_id=one_of("c")),
        event("attempt_ended", attempt_id=ATTEMPT, success=True),
        event("attempt_error", message="no", code="internal"),
    ),
    max_size=120,
)


def fold(events: Sequence[Event], kind: Fold, state: State | None = None) -> State:
    state = kind.initial() if state is None else state
    for name, data in events:
        kind.step(state, name, orjson.loads(orjson.dumps(data)))
    return state


def followed_chat(snapshot: State) -> State:
    """Return a client's state after a snapshot: what it needs to go on is all in there."""
    running = snapshot.get("running")
    messages = [{k: v for k, v in m.items() if not k.startswith("sibling_")} for m in snapshot["messages"]]
    return {
        **{k: snapshot[k] for k in ("hints", "responses", "ended")},
        "messages": messages,
        "typing": snapshot.get("typing"),
        "running": {**{k: v for k, v in running.items() if k != "text"}, "parts": [running["text"]]}
        if running
        else None,
        "grades": {grade["grade_id"]: grade for grade in snapshot["grades"]},
    }


@given(events=CHAT_EVENTS, data=st.data())
def test_a_chats_snapshot_and_what_follows_are_the_whole(events: list[Event], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events)))
    snapshot = CHAT.show(fold(events[:at], CHAT))
    assert CHAT.show(fold(events[at:], CHAT, followed_chat(snapshot))) == CHAT.show(fold(events, CHAT))


@given(events=PROFILE_EVENTS, data=st.data())
def test_a_profiles_snapshot_and_what_follows_are_the_whole(events: list[Event], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events)))
    snapshot = PROFILE.show(fold(events[:at], PROFILE))
    followed = {"attempts": {a["attempt_id"]: a for a in snapshot["attempts"]}}
    assert PROFILE.show(fold(events[at:], PROFILE, followed)) == PROFILE.show(fold(events, PROFILE))


@given(events=CHAT_EVENTS, data=st.data())
def test_a_stored_fold_goes_on_as_if_it_had_never_been_stored(
    events: list[Event], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(events)))
    stored = bson.decode(bson.encode(fold(events[:at], CHAT)))
    assert fold(events[at:], CHAT, stored) == fold(events, CHAT)


@pytest.mark.parametrize("kind", [CHAT, PROFILE])
@given(data=st.data())
def test_a_snapshot_shares_nothing_with_the_fold(kind: Fold, data: st.DataObject) -> None:
    events = data.draw(CHAT_EVENTS if kind is CHAT else PROFILE_EVENTS)
    state = fold(events, kind)
    before = orjson.dumps(state)
    shown = kind.show(state)
    assert orjson.dumps(state) == before
    _spoil(shown)
    assert orjson.dumps(state) == before


def _spoil(value: Any) -> None:
    """Change every dict and list in a snapshot."""
    for child in list(value.values() if isinstance(value, dict) else value):
        if isinstance(child, dict | list):
            _spoil(child)
    if isinstance(value, dict):
        value["spoilt"] = True
    else:
        value.append("spoilt")


def said(number: int, text: str = "hello", parent: str | None = None) -> list[Event]:
    """Return the events of a learner's message."""
    start = {"message_id": f"m{number}", "created_at": AT}
    if parent:
        start["parent_message_id"] = parent
    return [
        ("attempt_user_start", start),
        ("attempt_user_complete", {"message_id": f"m{number}", "content": text, "created_at": AT}),
    ]


def test_siblings_are_counted() -> None:
    shown = CHAT.show(fold([*said(0), *said(1, parent="m0"), *said(2, parent="m0")], CHAT))
    assert [(m["sibling_index"], m["sibling_count"]) for m in shown["messages"]] == [(0, 1), (0, 2), (1, 2)]


def test_a_running_reply_is_its_deltas() -> None:
    deltas: list[Event] = [
        ("attempt_progress", {"message_id": "a", "content_type": "delta", "content": c}) for c in "abc"
    ]
    start: Event = (
        "attempt_assistant_start",
        {"message_id": "a", "created_at": AT, "parent_message_id": "m0"},
    )
    shown = CHAT.show(fold([*said(0), start, *deltas], CHAT))
    assert (shown["running"]["message_id"], shown["running"]["text"]) == ("a", "abc")


def test_only_the_newest_messages_are_shown_and_the_rest_announced() -> None:
    shown = CHAT.show(fold([e for n in range(MAX_MESSAGES + 1) for e in said(n)], CHAT))
    assert shown["more"] is True
    assert [m["id"] for m in shown["messages"]] == [f"m{n}" for n in range(1, MAX_MESSAGES + 1)]


def test_a_snapshot_is_no_larger_than_it_may_be() -> None:
    text = "x" * (MAX_BYTES // 4 - 400)  # the rest of a message counts too
    shown = CHAT.show(fold([e for n in range(6) for e in said(n, text)], CHAT))
    assert shown["more"] is True
    assert [m["id"] for m in shown["messages"]] == ["m2", "m3", "m4", "m5"]


def test_rooms_belong_to_families() -> None:
    assert [family(room) for room in ("attempt_1-2", "profile_3", "ops")] == ["attempt", "profile", "ops"]
