"""Numbers in addresses and rooms: one way to read them, whoever wrote them."""

import pytest

from schemas.envelope import MAX_SAFE_INTEGER
from server.engine.evaluator.rooms import result_of
from server.engine.ids import number_of


def test_numbers_are_read() -> None:
    for number in (1, 42, MAX_SAFE_INTEGER):
        assert number_of(str(number)) == number
        assert result_of(f"result_{number}") == number


@pytest.mark.parametrize(
    "text",
    ["", "0", "007", "-1", "+1", " 1", "1 ", "1.0", "²", "٣", "x", str(MAX_SAFE_INTEGER + 1), "9" * 9999],
)
def test_what_is_no_number_of_ours_is_none(text: str) -> None:
    assert number_of(text) is None
    assert result_of(f"result_{text}") is None
