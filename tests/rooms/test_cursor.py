"""The cursor string: what we make we understand, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rooms.cursor import parse, tag, tail

SESSION = "b54b1f9e-3a57-4c38-8d6c-4a3f1f0a9c11"
TAG = tag(SESSION)
ROOMS = [f"attempt_{n}" for n in range(6)]
ALIASES = {room: alias for alias, room in enumerate(ROOMS)}
OFFSETS = st.integers(0, 2**53)


def string(room: str, cursors: dict[str, int]) -> str:
    return f"{cursors[room]}{tail(room, cursors, aliases=ALIASES, session_tag=TAG)}"


@given(cursors=st.dictionaries(st.sampled_from(ROOMS), OFFSETS, min_size=1), data=st.data())
def test_a_string_gives_back_every_cursor(cursors: dict[str, int], data: st.DataObject) -> None:
    room = data.draw(st.sampled_from(sorted(cursors)))
    assert parse(string(room, cursors), ROOMS, session_tag=TAG) == cursors


def test_a_string_looks_as_the_contract_says() -> None:
    assert string("attempt_1", {"attempt_0": 4, "attempt_1": 7, "attempt_2": 9}) == f"7.1;0@4;2@9~{TAG}"


def test_the_tail_is_the_same_until_another_room_advances() -> None:
    tails = [
        tail("attempt_0", {"attempt_0": n, "attempt_1": 5}, aliases=ALIASES, session_tag=TAG) for n in (1, 9)
    ]
    assert tails[0] == tails[1]


def test_rooms_without_an_alias_are_left_out() -> None:
    known = {"attempt_0": 0}
    assert tail("attempt_0", {"attempt_0": 1, "ops": 4}, aliases=known, session_tag=TAG) == f".0~{TAG}"


def test_a_string_of_another_session_is_not_ours() -> None:
    assert parse(f"7.0~{tag('another')}", ROOMS, session_tag=TAG) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "7",
        "7.0",
        f"7.0~{TAG}x",
        f" 7.0~{TAG}",
        f"7.0~{TAG}\n",
        f"-1.0~{TAG}",
        f"7.6~{TAG}",
        f"7.0;~{TAG}",
        f"7.0;1@~{TAG}",
        f"7.0;9@1~{TAG}",
        f"7.0;0@9~{TAG}",
        f"7.0;1@2;1@3~{TAG}",
        f"٧.0~{TAG}",
        f"{'9' * 17}.0~{TAG}",
        f"7.{'0' * 5}~{TAG}",
    ],
)
def test_garbage_is_not_ours(garbage: str) -> None:
    assert parse(garbage, ROOMS, session_tag=TAG) is None


@given(st.text(alphabet="0123456789.;@~abc", max_size=40))
def test_nothing_makes_it_fail(text: str) -> None:
    found = parse(text, ROOMS, session_tag=TAG)
    assert found is None or set(found) <= set(ROOMS)


@given(cursors=st.dictionaries(st.sampled_from(ROOMS), OFFSETS, min_size=1), data=st.data())
def test_a_changed_string_never_names_other_rooms(cursors: dict[str, int], data: st.DataObject) -> None:
    room = data.draw(st.sampled_from(sorted(cursors)))
    made = string(room, cursors)
    at = data.draw(st.integers(0, len(made) - 1))
    changed = made[:at] + data.draw(st.characters()) + made[at + 1 :]
    found = parse(changed, ROOMS, session_tag=TAG)
    assert found is None or set(found) <= set(ROOMS)
