"""Built-in metrics of transcripts."""

from typing import Any, get_args

import pytest

from schemas.evaluator import BuiltIn
from schemas.evaluator_run import Talked
from server.engine.evaluator.judging.built_in import compute, percentile
from server.engine.evaluator.judging.facts import facts, plain
from tests.engine.evaluator.judging import AGENT, CALLER, answered, called, item, talked


def value(name: BuiltIn, run: Talked) -> float | bool | None:
    return compute(name, run).value


def test_latency_is_the_time_to_the_first_words_of_each_answer() -> None:
    run = talked()  # a greeting answers nothing; a second frame belongs to the same answer
    assert value("latency_p50", run) == 400.0
    assert value("latency_p90", run) == value("latency_p99", run) == 1100.0


def test_functions_do_not_shorten_a_wait() -> None:
    assert value("latency_p99", talked(called("book"), answered("ok"))) == 1100.0


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (50, 90, 95, 99)] == [50, 90, 95, 99]
    assert [percentile([3.0], p) for p in (1, 50, 99)] == [3, 3, 3]
    assert percentile([2.0, 1.0], 50) == 1


def test_turns_are_answers_however_many_frames_they_have() -> None:
    assert value("turns", talked()) == 3


@pytest.mark.parametrize(
    ("lines", "duration", "longest"),
    [
        ([(AGENT, "Hi", 0.2), (CALLER, "A table.", 9.0), (AGENT, "Done.", 10.5)], 30.0, 1.5),
        ([(AGENT, "Hi", 2.0), (CALLER, "A table.", 3.0), (AGENT, "Done.", 3.5)], 5.0, 2.0),
        ([(AGENT, "Hi", 0.2), (CALLER, "A table.", 4.0)], 20.0, 16.0),
        ([(CALLER, "Hello?", 3.0), (AGENT, "Hi", 3.1)], 4.0, 0.1),
        ([], 7.0, 7.0),
    ],
)
def test_silence_is_the_longest_time_in_which_the_agent_owed_a_word(
    lines: Any, duration: float, longest: float
) -> None:
    assert value("silence", talked(lines=lines, duration=duration)) == longest


def test_repetition_counts_turns_that_say_the_same_again() -> None:
    lines: Any = [
        (AGENT, "For which day?", 1.0),
        (CALLER, "Friday.", 2.0),
        (AGENT, "for  which DAY", 3.0),
        (CALLER, "Friday!", 4.0),
        (AGENT, "Booked.", 5.0),
        (AGENT, "¡¿!", 5.1),
    ]
    assert value("repetition", talked(lines=lines)) == round(1 / 3, 4)
    assert value("repetition", talked()) == 0


def test_talk_ratio_is_the_agents_share_of_the_words() -> None:
    assert value("talk_ratio", talked(lines=[(CALLER, "one two", 1), (AGENT, "a b c d e f", 2)])) == 0.75


@pytest.mark.parametrize(
    ("result", "succeeded"),
    [
        ("ok", True),
        ("", True),
        (None, True),
        ('{"error": null, "id": 4}', True),
        ({"success": True}, True),
        ("[1]", True),
        ("{broken", True),
        ("Error: no such table", False),
        ('{"error": "full"}', False),
        ({"isError": True}, False),
        ({"success": False}, False),
        ({"ok": False}, False),
        ('{"status": "error"}', False),
    ],
)
def test_a_function_succeeded_unless_its_result_says_otherwise(result: Any, succeeded: bool) -> None:
    run = talked(called("book"), answered(result))
    assert value("tool_call_success", run) == (1 if succeeded else 0)


def test_a_function_without_a_result_failed_and_results_are_matched_by_id() -> None:
    run = talked(
        called("book", key="1"),
        called("pay", key="2"),
        called("mail", key=3),
        answered("ok", key="2"),
        answered("ok", key="3"),
    )
    computed = compute("tool_call_success", run)
    assert computed.value == round(1 / 3, 4)
    assert "book, mail" in computed.explanation
    assert value("tool_call_success", talked()) == 1


@pytest.mark.parametrize(
    ("changes", "appropriate"),
    [
        ({}, True),
        ({"ended_reason": "Main agent-ended-call"}, True),
        ({"ended_reason": "Main agent-silence-timed-out", "status": "timeout"}, False),
        ({"ended_reason": "exceeded-max-turns"}, False),
        ({"lines": [(CALLER, "Hello?", 1)]}, False),
        (
            {"lines": [(AGENT, "Hi", 1), (CALLER, "A table", 2)], "ended_reason": "Main agent-ended-call"},
            False,
        ),
    ],
)
def test_a_call_ends_well_when_a_side_ends_it_and_no_answer_is_owed(
    changes: dict[str, Any], appropriate: bool
) -> None:
    assert value("appropriate_termination", talked(**changes)) is appropriate


def test_a_call_does_not_end_well_before_a_functions_result() -> None:
    assert value("appropriate_termination", talked(called("book"))) is False


@pytest.mark.parametrize("name", get_args(BuiltIn))
@pytest.mark.parametrize("changes", [{}, {"duration": 0.0}, {"metadata": {"a": 1}}])
def test_every_metric_of_an_empty_run_explains_itself(name: BuiltIn, changes: dict[str, Any]) -> None:
    run = talked(lines=[], **changes)
    assert compute(name, run).explanation.endswith(".")


def test_facts_hold_functions_with_their_decoded_arguments_and_results() -> None:
    run = talked(called("book", arguments='{"guests": 2}'), answered('{"id": 9}'), metadata={"n": 2**70})
    found = facts(run)
    assert found["tools"] == [
        {
            "id": "c1",
            "name": "book",
            "arguments": {"guests": 2},
            "result": {"id": 9},
            "answered": True,
            "failed": False,
        }
    ]
    assert found["turns"] == 3
    assert found["metadata"] == {"n": float(2**70)}


def test_what_an_agent_nests_deeply_is_cut_off() -> None:
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    cut = plain(deep)
    for _ in range(60):
        cut = (cut or {}).get("a")
    assert cut is None
    nested = called("book", arguments='{"a":' * 900 + "1" + "}" * 900, key=deep)
    assert facts(talked(nested))["tools"][0]["name"] == "book"
    assert facts(talked(item(AGENT, "[" * 100_000, 1)))["turns"] == 3
