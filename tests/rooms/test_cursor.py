"""The cursor string: what we make we understand, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rooms.cursor import parse, tag, tail

SESSION = "b54b1f9e-3a57-4c38-8d6c-4a3f1f0a9c11"
TAG = tag(SESSION)
ALIASES = st.integers(0, 10**9 - 1)
OFFSETS = st.integers(0, 2**53)
CURSORS = st.dictionaries(ALIASES, OFFSETS, min_size=1, max_size=60)


def string(alias: int, cursors: dict[int, int]) -> str:
    return f"{cursors[alias]}{tail(alias, cursors, session_tag=TAG)}"


@given(cursors=CURSORS, data=st.data())
def test_a_string_gives_back_every_cursor(cursors: dict[int, int], data: st.DataObject) -> None:
    alias = data.draw(st.sampled_from(sorted(cursors)))
    assert parse(string(alias, cursors), session_tag=TAG) == cursors


def test_a_string_looks_as_the_contract_says() -> None:
    assert string(1, {0: 4, 1: 7, 2: 9}) == f"7.1;0@4;2@9~{TAG}"


def test_the_tail_is_the_same_until_another_room_advances() -> None:
    assert tail(0, {0: 1, 1: 5}, session_tag=TAG) == tail(0, {0: 9, 1: 5}, session_tag=TAG)


def test_a_string_of_another_session_is_not_ours() -> None:
    assert parse(f"7.0~{tag('another')}", session_tag=TAG) is None


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
        f"7.0;~{TAG}",
        f"7.0;1@~{TAG}",
        f"7.0;0@9~{TAG}",
        f"7.0;1@2;1@3~{TAG}",
        f"٧.0~{TAG}",
        f"{'9' * 17}.0~{TAG}",
        f"7.{'0' * 10}~{TAG}",
    ],
)
def test_garbage_is_not_ours(garbage: str) -> None:
    assert parse(garbage, session_tag=TAG) is None


@given(st.text(alphabet="0123456789.;@~abc", max_size=40))
def test_nothing_makes_it_fail(text: str) -> None:
    found = parse(text, session_tag=TAG)
    assert found is None or all(n >= 0 for n in found.values())


@given(cursors=CURSORS, data=st.data())
def test_what_is_understood_is_what_was_written(cursors: dict[int, int], data: st.DataObject) -> None:
    alias = data.draw(st.sampled_from(sorted(cursors)))
    made = string(alias, cursors)
    at = data.draw(st.integers(0, len(made) - 1))
    changed = made[:at] + data.draw(st.characters()) + made[at + 1 :]
    if (found := parse(changed, session_tag=TAG)) is not None:
        first = int(changed.split(".")[1].split(";")[0].split("~")[0])
        assert parse(string(first, found), session_tag=TAG) == found
