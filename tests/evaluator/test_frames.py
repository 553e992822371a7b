"""What the frames of agents tell: the known ones, and those that nobody should send."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.storable import check_storable
from server.engine.evaluator.lines.frames import CUT, MAX_TEXT, read
from server.engine.evaluator.lines.line import Called, Heard, HungUp, Ignored, Said, Told

CALL = {"id": "c1", "name": "book", "arguments": '{"people": 4}'}
RESULT = {"id": "c1", "name": "book", "result": "booked"}


def heard(frame: object) -> list[Heard]:
    """Return what a frame tells; all of it arrived at 1."""
    return read(frame if isinstance(frame, bytes) else json.dumps(frame).encode(), 1.0)


# fmt: off
KNOWN: list[tuple[object, list[Heard]]] = [
    ({"content": "Hi"}, [Said(text="Hi", at=1.0)]),
    ({"role": "assistant", "content": "Hi"}, [Said(text="Hi", at=1.0)]),
    ({"content": "Hi", "metadata": {"a": 1}}, [Told(metadata={"a": 1}, at=1.0), Said(text="Hi", at=1.0)]),
    ({"metadata": {"a": {"b": [1, None, 2.5]}}}, [Told(metadata={"a": {"b": [1, None, 2.5]}}, at=1.0)]),
    ({"role": "Function Call", "data": CALL}, [Called(role="Function Call", data=CALL, at=1.0)]),
    ({"role": "Function Call Result", "data": RESULT},
     [Called(role="Function Call Result", data=RESULT, at=1.0)]),
    ({"role": "function call", "data": CALL, "content": "book"},
     [Called(role="Function Call", data=CALL, at=1.0)]),
    ({"type": "end_call"}, [HungUp(at=1.0)]),
    ({"type": "end"}, [HungUp(at=1.0)]),
    ({"content": "Bye", "type": "end_call"}, [Said(text="Bye", at=1.0), HungUp(at=1.0)]),
    ({"content": "the end", "type": "end"}, [HungUp(at=1.0)]),
    ({"content": "", "type": "end_call"}, [HungUp(at=1.0)]),
    ({"content": "Hi", "type": "message"}, [Said(text="Hi", at=1.0)]),
]
NOTHING: list[object] = [
    b"", b"Internal error", b"{", b"[1]", b"null", b'"Hi"', b"\xff\xfe", b"{" * 100_000, b"[" * 100_000,
    b'{"a":' * 100_000, b'{"content": ' + b"1" * 5_000 + b"}", b'{"content": [' + b"[]," * 210_000 + b"[]]}",
    {}, {"content": ""}, {"content": "  \n"}, {"content": None}, {"content": 5}, {"content": ["Hi"]},
    {"text": "Hi"}, {"metadata": "x"}, {"metadata": {}}, {"metadata": [1]}, {"role": "Function Call"},
    {"role": "Function Call", "data": "x"}, {"role": "Function Call", "data": {}}, {"type": ["end"]},
    {"role": {"a": 1}}, {"role": "Function Call", "content": "x"},
]
# fmt: on


@pytest.mark.parametrize(("frame", "told"), KNOWN)
def test_what_a_frame_tells(frame: object, told: list[Heard]) -> None:
    assert heard(frame) == told


@pytest.mark.parametrize("frame", NOTHING, ids=range(len(NOTHING)))
def test_what_is_no_message_is_kept_as_that(frame: object) -> None:
    (ignored,) = heard(frame)
    assert isinstance(ignored, Ignored)
    assert len(ignored.text) <= 500


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{"content": "a\\u0000b"}', "a\ufffdb"),
        (b'{"content": "a\\ud800b"}', "a?b"),
        (b'{"content": "\\ud83d\\ude00"}', "😀"),
        (b'{"content": "a\xffb"}', "a\ufffdb"),
        (b'{"content": "a", "x": NaN}', "a"),
    ],
)
def test_characters_that_are_none_are_replaced(sent: bytes, kept: str) -> None:
    assert heard(sent) == [Said(text=kept, at=1.0)]


def test_a_long_text_is_cut_and_says_so() -> None:
    (said,) = heard({"content": "é" * 1_000_000})
    assert isinstance(said, Said)
    assert said.text == "é" * MAX_TEXT + CUT


def test_large_data_becomes_a_note() -> None:
    (called,) = heard({"role": "Function Call", "data": {**CALL, "arguments": "x" * 100_000}})
    assert isinstance(called, Called)
    assert called.data["id"] == "c1"
    assert called.data["name"] == "book"
    assert "are not kept" in called.data["cut"]


def test_deep_data_ends_at_a_depth() -> None:
    frame = b'{"metadata": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}"
    (told,) = heard(frame)
    assert isinstance(told, Told)
    check_storable(told.metadata, depth=10)
    assert "nested too deep" in json.dumps(told.metadata)


TEXTS = st.text(st.characters(exclude_categories=()))
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "content": ANY,
        "role": st.sampled_from(["Function Call", "Function Call Result", "user"]) | ANY,
        "type": st.sampled_from(["end", "end_call"]) | ANY,
        "data": ANY,
        "metadata": ANY,
    },
)


@settings(max_examples=50, deadline=None)
@given(FIELDS)
def test_whatever_is_told_can_be_stored(fields: dict[str, object]) -> None:
    for told in heard(fields):
        match told:
            case Said(text=kept) | Ignored(text=kept):
                check_storable(kept)
            case Called(data=kept) | Told(metadata=kept):
                check_storable(kept)
                assert orjson.loads(orjson.dumps(kept)) == kept


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_frame_breaks_the_reading(frame: bytes) -> None:
    assert heard(frame)
