"""A replay beside its recording: which messages belong together, and which words differ."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.content import RecordedMessage, ToolCall
from schemas.test import ReplayedMessage
from server.engine.replay.beside import MAX_WORDS, differences, pairs
from server.engine.replay.report_beside import Talks
from tests.engine.grading_cases import uid
from tests.support.stored_replays import make_recording, make_result, make_run


def recorded(*texts: str) -> list[RecordedMessage]:
    """Return messages from "u…" (user), "a…" (assistant), "c…" (a call) and "t…" (a tool's result)."""
    roles = {"u": "user", "a": "assistant", "c": "assistant", "t": "tool"}
    return [
        RecordedMessage.model_validate(
            {
                "role": roles[text[0]],
                "content": text,
                "tool_calls": [ToolCall(id=text, name="find")] if text[0] == "c" else [],
            }
        )
        for text in texts
    ]


def replayed(*texts: str) -> list[ReplayedMessage]:
    """Return messages as recorded() does."""
    return [
        ReplayedMessage(id=uid(f"{n}"), role=m.role, content=m.content, tool_calls=m.tool_calls)
        for n, m in enumerate(recorded(*texts))
    ]


def shown(left: list[RecordedMessage], right: list[ReplayedMessage]) -> list[tuple[str, str]]:
    return [
        (pair.recorded.content if pair.recorded else "", pair.replayed.content if pair.replayed else "")
        for pair in pairs(left, right)
    ]


def test_a_call_that_was_not_made_again_stands_alone() -> None:
    assert shown(recorded("u1", "c1", "t1", "a1", "u2", "a2"), replayed("u1", "a9", "u2", "a8")) == [
        *(("u1", "u1"), ("c1", ""), ("t1", ""), ("a1", "a9"), ("u2", "u2"), ("a2", "a8"))
    ]


def test_a_call_that_is_new_stands_alone() -> None:
    assert shown(recorded("u1", "a1"), replayed("u1", "c9", "t9", "a9")) == [
        *(("u1", "u1"), ("", "c9"), ("", "t9"), ("a1", "a9"))
    ]


def test_only_the_last_turn_or_nothing_was_replayed() -> None:
    assert shown(recorded("u1", "a1", "u2", "a2"), replayed("u2", "a9"))[-2:] == [("u2", "u2"), ("a2", "a9")]
    assert shown(recorded("u1", "a1"), []) == [("u1", ""), ("a1", "")]
    assert shown([], replayed("a1")) == [("", "a1")]


TEXTS = st.lists(st.sampled_from(["u1", "u2", "a1", "a2", "c1", "t1"]), max_size=12)


@given(TEXTS, TEXTS)
def test_every_message_is_shown_once_and_in_order(left: list[str], right: list[str]) -> None:
    found = shown(recorded(*left), replayed(*right))
    assert [text for text, _ in found if text] == left
    assert [text for _, text in found if text] == right


def test_words_that_differ() -> None:
    left, right = differences("We meet on Friday at ten.", "We meet on Monday at ten.")
    assert [p.text for p in left if p.differs] == ["Friday "]
    assert [p.text for p in right if p.differs] == ["Monday "]
    left, _ = differences("That sounds hard. What happened?", "Can you tell me more?")
    assert [(p.text, p.differs) for p in left] == [("That sounds hard. What happened?", True)]


@given(st.text(alphabet="ab .?\n", max_size=60), st.text(alphabet="ab .?\n", max_size=60))
def test_the_pieces_are_the_texts(left: str, right: str) -> None:
    mine, theirs = differences(left, right)
    assert "".join(p.text for p in mine) == left
    assert "".join(p.text for p in theirs) == right
    if left == right:
        assert not any(p.differs for p in (*mine, *theirs))


def test_very_long_texts_are_not_compared() -> None:
    left, right = differences("a b " * MAX_WORDS, "b a " * MAX_WORDS)
    assert [p.differs for p in (*left, *right)] == [True, True]


def test_a_page_marks_differences_until_it_has_compared_very_much() -> None:
    talks, run = Talks(), make_run()
    while not talks.tired:
        assert "<del>" in talks.talk(make_recording(), run)
        run = make_run(result=make_result("That sounds stressful. Why? " + "so " * 100_000))
    shown = talks.talk(make_recording(), make_run())
    assert "<del>" not in shown
    assert "What happened?" in shown
