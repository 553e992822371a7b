"""Recorded results answer calls with the same name and equal arguments; recordings are split into rounds."""

import json

import pytest

from schemas.content import Agent, RecordedMessage, RecordedRun, ReplayMode, ToolCall
from server.engine.replay.dialogue import Dialogue, rounds_of
from server.engine.replay.matching import Matcher, canonical
from tests.engine.grading_cases import uid

NESTED = "[" * 5000


def call(arguments: str, *, name: str = "look", key: str = "c") -> ToolCall:
    return ToolCall(id=key, name=name, arguments=arguments)


def calls(*made: ToolCall) -> RecordedMessage:
    return RecordedMessage(role="assistant", tool_calls=list(made))


def result(key: str, content: str) -> RecordedMessage:
    return RecordedMessage(role="tool", tool_call_id=key, content=content)


def said(role: str, content: str) -> RecordedMessage:
    return RecordedMessage.model_validate({"role": role, "content": content})


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}'),
        ('{"a": 1}', '{"a": 1.0}'),
        ("{}", ""),
        ('{"a": "\\u00e4"}', '{"a": "ä"}'),
        (" not json", "not json "),
    ],
)
def test_equal_arguments(one: str, two: str) -> None:
    assert canonical(one) == canonical(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": null}', "{}"),
        (NESTED, NESTED + "["),
        ('{"a": 1e999}', '{"a": 1e99}'),
    ],
)
def test_different_arguments(one: str, two: str) -> None:
    assert canonical(one) != canonical(two)


def test_a_result_is_used_once_before_any_is_used_again() -> None:
    recorded = [
        calls(call('{"n": 1}', key="a"), call('{"n": 1}', key="b")),
        result("b", "second"),
        result("a", "first"),
        calls(call('{"n": 1}', key="a")),  # an id that is used again
        result("a", "third"),
    ]
    matcher = Matcher(recorded)
    assert len(matcher) == 3
    answers = [matcher.answer(call('{"n": 1.0}')).result for _ in range(4)]
    assert answers == ["second", "first", "third", "third"]


def test_what_is_not_recorded_is_an_error_for_the_model() -> None:
    matcher = Matcher([calls(call('{"n": 1}', key="a"), call("{}", key="open")), result("a", "one")])
    for wrong in (call('{"n": 2}'), call('{"n": 1}', name="listen"), call("{}")):
        answer = matcher.answer(wrong)
        assert not answer.matched
        assert wrong.name in json.loads(answer.result)["error"]
    assert matcher.answer(call('{"n": 1}')).matched


def test_rounds_begin_where_the_user_speaks_after_an_answer() -> None:
    opening, rounds = rounds_of(
        [
            said("system", "Be brief."),
            said("assistant", "Hello."),
            said("user", "One."),
            said("user", "Two."),
            calls(call("{}", key="a")),
            result("a", "r"),
            said("assistant", "Yes."),
            said("system", "Now be long."),
            said("user", "Three."),
        ]
    )
    assert [m.content for m in opening] == ["Be brief.", "Hello."]
    assert [[m.content for m in r.asked] for r in rounds] == [["One.", "Two."], ["Now be long.", "Three."]]
    assert [r.last_words for r in rounds] == ["Yes.", None]


@pytest.mark.parametrize(
    ("mode", "instructions", "shown"),
    [
        ("auto_regressive", "", ["Be brief.", "Hello."]),
        ("auto_regressive", "I am new.", ["I am new.", "Hello."]),
        ("last_turn", "I am new.", ["I am new.", "Hello.", "One.", "Yes."]),
    ],
)
def test_what_the_model_is_shown_first(mode: ReplayMode, instructions: str, shown: list[str]) -> None:
    texts = [("system", "Be brief."), ("assistant", "Hello."), ("user", "One."), ("assistant", "Yes.")]
    run = RecordedRun(
        id=uid("run"), name="run", messages=[said(*text) for text in (*texts, ("user", "Two."))]
    )
    agent = Agent(id=uid("agent"), name="agent", instructions=instructions)
    dialogue = Dialogue(run, agent, replay_id=uid("replay"), mode=mode)
    assert [t["content"] for t in dialogue.turns] == shown
    assert len(dialogue.rounds) == (2 if mode == "auto_regressive" else 1)
