"""Quoted transcripts: no message leaves its line, and what is cut is the oldest."""

import json

from hypothesis import given
from hypothesis import strategies as st

from server.engine.grading.transcript import quote_transcript
from tests.engine.grading_cases import TALK, make_transcript

messages = st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=8)


def lines_of(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.split("\n")[1:-1]]


def test_messages_are_numbered_and_attributed() -> None:
    data = quote_transcript(TALK, budget=10_000)
    assert data.text.startswith(f"<<data {data.mark}>>\n")
    assert data.text.endswith(f"\n<<end {data.mark}>>")
    assert [(line["m"], line["who"]) for line in lines_of(data.text)] == [
        ("m1", "persona"),
        ("m2", "learner"),
        ("m3", "persona"),
        ("m4", "learner"),
    ]
    assert data.mark in data.rules


def test_marks_differ_between_calls() -> None:
    assert len({quote_transcript(TALK, budget=10_000).mark for _ in range(20)}) == 20


def test_the_state_of_a_reply_is_told() -> None:
    cut = TALK[0].model_copy(update={"state": "stopped"})
    assert lines_of(quote_transcript([cut], budget=1_000).text)[0]["state"] == "stopped"


@given(messages)
def test_no_message_leaves_its_line(texts: list[str]) -> None:
    data = quote_transcript(make_transcript(*texts), budget=100_000)
    assert [line["text"] for line in lines_of(data.text)] == [t for t in texts if t.strip()]
    assert len(data.text.splitlines()) == len(data.text.split("\n"))


@given(messages, st.integers(200, 1_000))
def test_the_oldest_are_cut_to_the_budget(texts: list[str], budget: int) -> None:
    data = quote_transcript(make_transcript(*texts), budget=budget)
    lines = lines_of(data.text)
    shown = [line for line in lines if "m" in line]
    said = [f"m{i}" for i, text in enumerate(texts, start=1) if text.strip()]
    assert sum(len(line) for line in data.text.split("\n")[1:-1] if '"left_out"' not in line) <= budget
    assert [line["m"] for line in shown] == said[data.left_out :]
    assert bool(data.left_out) == ("left_out" in lines[0] if lines else False)


def test_a_long_last_message_keeps_its_end_and_leaves_room() -> None:
    data = quote_transcript(make_transcript("Why?", "\n" * 4_000 + "the end"), budget=1_000)
    first, last = lines_of(data.text)
    assert first["text"] == "Why?"
    assert last["text"].startswith("… ")
    assert last["text"].endswith("the end")
    assert len(data.text) <= 1_200
