"""The stream parser reads the same from bytes however they are split."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.llm.bodies import MAX_REPLY
from server.llm.sse import MAX_EVENT, EventParser, ReplyParser


def chunk(text: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": more.pop("finish", None)}
    return b"data: " + orjson.dumps({"choices": [choice], **more}) + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"
REPLY = (
    b": hello\n\n"
    + chunk("Grüße, ")
    + b"event: x\nid: 1\n"
    + chunk("😀 all")
    + chunk(finish="stop")
    + USAGE
    + DONE
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def read(parts: list[bytes]) -> tuple[str, str, object, bool, str | None]:
    parser = ReplyParser()
    text = "".join([*(parser.feed(part) for part in parts), parser.end()])
    error = None if parser.error is None else parser.error.message
    return text, parser.finish_reason, parser.tokens, parser.done, error


@given(st.lists(st.integers(0, 2000), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_split_gives_the_same_reply(places: list[int], newline: bytes) -> None:
    data = REPLY.replace(b"\n", newline)
    expected = ("Grüße, 😀 all", "stop", {"prompt_tokens": 3, "completion_tokens": 4}, True, None)
    assert read(cut(data, places)) == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_split_of_any_bytes_gives_the_same_events(data: bytes, places: list[int]) -> None:
    def events(parts: list[bytes]) -> list[bytes]:
        parser = EventParser()
        return [e for part in parts for e in parser.feed(part)] + parser.end()

    text = data.replace(b"\x00", b"data: ").replace(b"\x01", b"\n").replace(b"\x02", b"\r")
    assert events(cut(text, places)) == events([text])


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "delta", "content", "usage", "error", "finish_reason"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_odd_json_never_raises(value: object) -> None:
    try:
        payload = orjson.dumps(value)
    except orjson.JSONEncodeError:
        return
    text, *_ = read([b"data: " + payload + b"\n\n", DONE])
    assert isinstance(text, str)


def test_several_data_lines_are_one_event() -> None:
    assert EventParser().feed(b"data: a\ndata:b\n\n") == [b"a\nb"]


def test_the_last_blank_line_may_be_missing() -> None:
    assert read([chunk("hi"), b"data: [DONE]"])[3:] == (True, None)


def test_a_finish_without_done_is_whole() -> None:
    assert read([chunk("hi", finish="length")]) == ("hi", "length", None, True, None)


def test_without_a_finish_the_reply_broke_off() -> None:
    text, _, _, done, error = read([chunk("hi")])
    assert (text, done) == ("hi", False)
    assert "broke off" in (error or "")


def test_text_before_an_error_object_is_kept() -> None:
    text, _, _, done, error = read(
        [chunk("half ") + b'data: {"error":{"code":429,"message":"key sk-1"}}\n\n' + DONE]
    )
    assert (text, done) == ("half ", False)
    assert error == "The model endpoint is rate limited; try again later."


@pytest.mark.parametrize("junk", [b"data: {not json\n\n", b"data: [1]\n\n", b"x" * (MAX_EVENT + 1)])
def test_what_is_no_chunk_is_an_error(junk: bytes) -> None:
    assert "cannot be read" in (read([junk])[4] or "")


@pytest.mark.parametrize("line", [b"data: " + b"x" * 60_000 + b"\n", b"data:\n"])
def test_an_event_that_no_blank_line_ends_is_an_error(line: bytes) -> None:
    parser, part = ReplyParser(), line * (1_000_000 // len(line))
    fed = 0
    while parser.error is None and fed < 3 * MAX_EVENT:
        parser.feed(part)
        fed += len(part)
    assert "cannot be read" in (parser.error.message if parser.error else "")


def test_a_line_may_end_between_reads() -> None:
    parser = EventParser()
    parts = [b"da", b"ta: a", b"b\r", b"data: ", b"c", b"\r", b"\n", b"\r\n"]
    assert [e for part in parts for e in parser.feed(part)] == [b"ab\nc"]


def test_a_reply_must_not_grow_for_ever() -> None:
    parser, part = ReplyParser(), b": nothing\n\n" * 100_000
    fed = 0
    while parser.error is None and fed < 2 * MAX_REPLY:
        parser.feed(part)
        fed += len(part)
    assert "far more than a reply" in (parser.error.message if parser.error else "")


def test_content_may_be_a_list_of_parts() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "yes"}]
    data = (
        b"data: "
        + orjson.dumps({"choices": [{"delta": {"content": parts}, "finish_reason": "stop"}]})
        + b"\n\n"
    )
    assert read([data])[0] == "yes"
