"""The table of room families, and the names of ops rooms."""

import pytest

from server.rooms.families import FAMILIES, family, ops_room, wire_name
from server.rooms.folds import FOLDS, Data

OPS = FOLDS["ops"]


def entry(kind: str, key: str, phase: str, **more: str) -> Data:
    owner = {"kind": "profile", "id": "p"}
    return {"kind": kind, "id": key, "phase": phase, "subject_room": f"{kind}_{key}", "owner": owner, **more}


def folded(*entries: Data) -> Data:
    state = OPS.initial()
    for data in entries:
        OPS.step(state, "ops_entry", data)
    return OPS.show(state)


def test_every_fold_belongs_to_a_family() -> None:
    assert {name: f.fold for name, f in FAMILIES.items()} == FOLDS


def test_rooms_that_never_end_are_trimmed() -> None:
    assert {name for name, f in FAMILIES.items() if f.endless} == {"profile", "guest", "playground", "ops"}


@pytest.mark.parametrize("org", ["default", "acme", "a_b.c-d"])
def test_an_organisations_ops_room(org: str) -> None:
    room = ops_room(org)
    assert (family(room), wire_name(room)) == ("ops", "ops")
    assert (room == "ops") == (org == "default")


def test_names_of_other_rooms_are_the_same_everywhere() -> None:
    for room in ("attempt_1-2", "profile_3", "test_4"):
        assert wire_name(room) == room


def test_an_ops_room_counts_and_knows_what_runs() -> None:
    shown = folded(
        entry("attempt", "1", "started"),
        entry("test", "2", "started"),
        entry("attempt", "1", "error", code="upstream"),
        entry("attempt", "3", "started"),
        entry("attempt", "1", "ended"),
        entry("attempt", "9", "ended"),  # its start is not kept any more
    )
    assert shown["counts"] == {
        "attempt": {"started": 2, "ended": 2, "error": 1},
        "test": {"started": 1, "ended": 0, "error": 0},
    }
    assert [(r["kind"], r["id"]) for r in shown["running"]] == [("test", "2"), ("attempt", "3")]
    (error,) = shown["errors"]
    assert (error["id"], error["code"], error["subject_room"]) == ("1", "upstream", "attempt_1")


def test_an_ops_room_keeps_the_newest() -> None:
    shown = folded(
        *(
            entry("attempt", str(n), phase, code="upstream")
            for n in range(300)
            for phase in ("started", "error")
        )
    )
    assert [r["id"] for r in shown["running"]] == [str(n) for n in range(100, 300)]
    assert [e["id"] for e in shown["errors"]] == [str(n) for n in range(250, 300)]
    assert shown["counts"]["attempt"]["started"] == 300


def test_other_events_change_nothing() -> None:
    state = OPS.initial()
    OPS.step(state, "ops_beat", {"process": "p"})
    assert state == OPS.initial()
