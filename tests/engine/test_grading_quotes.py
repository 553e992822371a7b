"""Quotes: only what stands in a message is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engine.grading.quotes import exact_span, find_message, verify_quotes
from tests.engine.grading_cases import TALK

text = st.text(max_size=60)


@pytest.mark.parametrize("reference", ["m2", "M2", " m2 ", "[m2]", "2", "m02"])
def test_a_reference_names_a_message(reference: str) -> None:
    assert find_message(TALK, reference) is TALK[1]


@pytest.mark.parametrize("reference", ["", "m", "m0", "m5", "-1", "m1.5", "m2 m3", "None", "m9999999", "²"])
def test_other_references_name_nothing(reference: str) -> None:
    assert find_message(TALK, reference) is None


def test_quotes_differing_in_white_space_become_the_exact_span() -> None:
    quotes, dropped = verify_quotes([("m2", " stressful. What\nhappened? ")], TALK)
    assert [(q.message_id, q.text) for q in quotes] == [(TALK[1].id, "stressful.  What happened?")]
    assert dropped == 0


def test_false_quotes_are_dropped_and_counted() -> None:
    claims = [
        ("m2", "That sounds stressful."),
        ("m2", "That sounds stressful."),  # again: once is enough
        ("m3", "That sounds stressful."),  # of another message
        ("m2", "that sounds stressful."),  # in other letters
        ("m9", "I work nights."),
        ("m3", "  "),
    ]
    quotes, dropped = verify_quotes(claims, TALK)
    assert [q.text for q in quotes] == ["That sounds stressful."]
    assert dropped == 4


@given(before=text, inside=text.filter(str.strip), after=text)
def test_every_span_is_found_and_stands_in_the_message(before: str, inside: str, after: str) -> None:
    content = before + inside + after
    assert exact_span(inside, content) == inside
    loose = exact_span("\n ".join(inside.split()), content)
    assert loose is not None
    assert loose in content


@given(claim=text, content=text)
def test_what_is_kept_always_stands_in_the_message(claim: str, content: str) -> None:
    span = exact_span(claim, content)
    assert span is None or (span in content and span.split() == claim.split())
