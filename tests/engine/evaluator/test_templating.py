"""Variables of test profiles in texts and headers."""

from typing import Any

import pytest

from schemas.evaluator import Personality
from server.engine.evaluator.callers.making import problems as all_problems
from server.engine.evaluator.callers.templating import filled, headers, prepared, problems
from tests.engine.evaluator.calling import acting, profile, setup

ANN = profile(
    {"name": "Ann", "address": {"city": "Bonn", "zip": 53111}, "vip": True, "list": [1, "ä"]},
    {"account": "A-1", "name": "of the agent", "X-Tenant": "t1", "x-level": 3},
)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("I am {{test_profile.name}}.", "I am Ann."),
        ("{{ test_profile.address.city }}", "Bonn"),
        ("{{test_profile.address.zip}} {{test_profile.vip}}", "53111 true"),
        ("{{test_profile.list}}", '[1, "ä"]'),
        ("{{test_profile.account}}", "A-1"),
        ("{{test_profile.main_agent_variables.name}}", "of the agent"),
        ("{{test_profile.testing_agent_variables.address.city}}", "Bonn"),
        ("{{test_profile.nothing}} {{other.name}} {{}}", "{{test_profile.nothing}} {{other.name}} {{}}"),
        ("no variable", "no variable"),
    ],
)
def test_texts_are_filled(text: str, full: str) -> None:
    assert filled(text, ANN) == full


def test_values_are_not_looked_into() -> None:
    sly = profile({"a": "{{test_profile.b}}", "b": "secret"})
    assert filled("{{test_profile.a}}", sly) == "{{test_profile.b}}"


def test_all_texts_of_a_setup_are_prepared() -> None:
    said = "{{test_profile.name}}"
    one = acting(
        {"id": 0, "action": said},
        {"id": 1, "condition": f'contains "{said}"', "action": said},
        role=said,
        instructions=said,
        first_message=said,
        expected_outcome_prompt=said,
    ).model_copy(update={"profile": ANN, "personality": Personality(name="x", prompt=said)})
    done = prepared(one)
    assert "{{test_profile" not in done.model_copy(update={"profile": None}).model_dump_json()
    acts = done.scenario.conditional_actions
    assert acts
    assert (acts.role, acts.conditions[1].condition) == ("Ann", 'contains "Ann"')
    assert one.scenario.instructions == said  # the frozen one stays


def test_quotation_marks_in_values_do_not_break_conditions() -> None:
    sly = profile({"name": 'Ann "the" O\'Hara \\', "empty": ""})
    one = acting({"id": 1, "condition": 'contains "{{test_profile.name}}"', "action": "Yes."})
    assert all_problems(one.model_copy(update={"profile": sly}), as_text=True) == []
    acts = prepared(one.model_copy(update={"profile": sly})).scenario.conditional_actions
    assert acts
    assert acts.conditions[0].condition == 'contains "Ann \\"the\\" O\\\'Hara \\\\"'


def test_a_value_that_spoils_a_condition_is_a_problem() -> None:
    one = acting({"id": 1, "condition": 'contains "{{test_profile.empty}}"', "action": "Yes."})
    (problem,) = all_problems(one.model_copy(update={"profile": profile({"empty": ""})}), as_text=True)
    assert problem.startswith("Condition 1: The text at character 10 is empty")


def test_unknown_variables_are_problems_with_their_place() -> None:
    one = setup(profile=ANN, instructions="{{test_profile.nothing}} {{test_profile.address.street}}")
    assert problems(one) == [
        (
            "instructions: {{test_profile.address.street}}, {{test_profile.nothing}}:"
            " the test profile has no such value."
        )
    ]
    alone = setup(first_message="{{test_profile.name}}")
    assert problems(alone) == ["first_message: {{test_profile.name}}: there is no test profile."]
    assert problems(setup(profile=ANN)) == []


def test_huge_values_are_a_problem_and_cut() -> None:
    huge = profile({"a": "x" * 60_000})
    text = "{{test_profile.a}}" * 1_500
    assert len(filled(text, huge)) == 64_000
    assert problems(setup(profile=huge, instructions=text)) == [
        "instructions: with the values of the test profile it exceeds 64,000 characters."
    ]


def test_variables_of_the_agent_named_x_are_headers() -> None:
    assert headers(setup(profile=ANN)) == {"X-Tenant": "t1", "x-level": "3"}
    assert headers(setup()) == {}


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"X-Bad": "two\nlines"}, "X-Bad becomes a header"),
        ({"X-Bad": "Zürich"}, "X-Bad becomes a header"),
        ({"X-Bad": {"a": 1}}, "X-Bad becomes a header"),
        ({"X-Bad": None}, "X-Bad becomes a header"),
        ({"X-Bad name": "1"}, "'X-Bad name' is no name of a header"),
        ({"X-A": "1", "x-a": "2"}, "x-a is there twice"),
        ({"x-vocera-secret": "mine"}, "x-vocera-secret is set by the run itself"),
        ({f"X-{i}": "1" for i in range(51)}, "more than 50 headers"),
    ],
)
def test_headers_that_cannot_be_sent_are_problems(variables: dict[str, Any], problem: str) -> None:
    (found,) = problems(setup(profile=profile(main=variables)))
    assert problem in found


def test_a_setup_without_variables_is_left_as_it_is() -> None:
    one = setup(profile=profile({"name": "Ada"}), personality=Personality(name="calm", prompt="Be { calm }."))
    assert prepared(one) is one
