"""The tables and rules of drafting: every type can be asked for, numbers are checked, points add up."""

import pytest
from pydantic import BaseModel, ValidationError

from schemas.generation import ARTIFACTS, ArtifactName
from server.engine.drafting.build_talk import adjust
from server.engine.drafting.checks import checked
from server.engine.drafting.prompt import fitting
from server.engine.drafting.resources import entry_of, resource_of
from server.engine.drafting.resources_sets import Order, ScenarioRubrics
from server.engine.drafting.resources_talk import Options, Standards
from server.engine.drafting.views import shown_to
from server.llm.scripted_answers import instance
from server.llm.structured import Shape, strict
from tests.support.generating import RUBRIC_PART

EVERY = [(a, kind) for a, parts in ARTIFACTS.items() for kind in parts.resources]


@pytest.mark.parametrize(("artifact", "kind"), EVERY)
def test_every_resource_type_is_known_and_strict(artifact: ArtifactName, kind: str) -> None:
    resource = resource_of(artifact, kind)
    assert resource.asked is not None or resource.linked is not None or kind == "uploads"
    for form in (resource.asked, resource.linked):
        if form is not None:
            assert strict(Shape.of(form).schema, bounds=True)["additionalProperties"] is False
            assert form.__doc__
            assert instance(form.model_json_schema())


def test_every_entry_type_is_known() -> None:
    for parts in ARTIFACTS.values():
        assert all(entry_of(kind).asked for kind in parts.entries)


def option(question: int, *, right: bool = True) -> dict[str, object]:
    options = [{"text": "A", "is_correct": right}, {"text": "B", "is_correct": False}]
    return {"question": question, "options": options}


def standard(group: int, level: int) -> dict[str, object]:
    return {"group": group, "level": level, "name": "L", "points": level, "description": "Seen."}


@pytest.mark.parametrize(
    ("asked", "sizes", "value", "problem"),
    [
        (Options, {"question": 2}, {"options": [option(1)]}, "question 2 has no options"),
        (Options, {"question": 1}, {"options": [option(1, right=False)]}, "no option of question 1 is right"),
        (Options, {"question": 1}, {"options": [option(1), option(2)]}, "question 2 does not exist"),
        (Standards, {"group": 1}, {"standards": [standard(1, 0), standard(1, 0)]}, "level 0 more than once"),
        (
            Standards,
            {"group": 2},
            {"standards": [standard(1, 0), standard(1, 1)]},
            "group 2 needs at least two standards",
        ),
        (Order, {"order": 2}, {"order": [1, 3]}, "order 3 does not exist, there are 2"),
        (Order, {"order": 2}, {"order": [1, 1]}, "more than once"),
        (
            ScenarioRubrics,
            {"item": 1},
            {"rubrics": [RUBRIC_PART], "assigned": [{"item": 1, "rubric": 2}]},
            "rubric 2 does not exist",
        ),
    ],
)
def test_answers_are_checked_against_the_numbered_items(
    asked: type[BaseModel], sizes: dict[str, int], value: dict[str, object], problem: str
) -> None:
    form = checked(asked, sizes)
    assert Shape.of(form).name == asked.__name__
    with pytest.raises(ValidationError, match=problem):
        form.model_validate(value)


def test_points_are_scaled_and_add_up() -> None:
    groups = [
        {"points": 4, "pass_points": 2, "standards": [{"points": 0}, {"points": 3}]},
        {"points": 4, "pass_points": 4, "standards": [{"points": 0}, {"points": 6}]},
    ]
    body = {"groups": groups}
    adjust(body, points=10, pass_points=None)
    assert [g["points"] for g in groups] == [3.33, 6.67]
    assert [g["pass_points"] for g in groups] == [1.67, 6.67]
    assert body["points"] == pytest.approx(10)
    assert body["pass_points"] == pytest.approx(6)


def test_prompts_keep_to_their_budget() -> None:
    lines = [{"wish": "x" * 500}, {"wish": "short"}, {"exists": "y" * 5_000}]
    found = fitting(lines, budget=400)
    assert sum(len(line) + 1 for line in found) <= 400
    assert any("short" in line for line in found)


def test_learners_do_not_see_what_personas_know() -> None:
    value = {"name": "A", "instructions": "S", "options": [{"text": "a", "is_correct": True}]}
    assert shown_to(value, author=False) == {"name": "A", "options": [{"text": "a"}]}
    assert shown_to(value, author=True) == value
