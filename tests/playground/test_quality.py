"""How good what is found is, through the retrieve endpoint, on the labelled set of the demo content."""

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import pytest

from schemas.envelope import Id
from tests.playground.client import indexed
from tests.playground.labelled import Question, documents, ndcg, questions, ranking
from tests.support.rest import Rest, people_of
from tests.support.running import Server

HALVES: Mapping[str, dict[str, Any]] = {"hybrid": {}, "sparse": {"alpha": 0}, "dense": {"alpha": 1}}
LEAST = {"hybrid": 0.70, "sparse": 0.68, "dense": 0.60}  # measured: 0.735, 0.709, 0.632
LEAST_GERMAN = {"hybrid": 0.64, "sparse": 0.65, "dense": 0.57}  # measured: 0.681, 0.697, 0.601
SLACK = 0.01


async def filled(author: Rest) -> Id:
    """Return a pipeline that holds the whole set, indexed."""
    pipeline_id: Id = (await author.put("pipelines", {"name": "Demo content"}))["id"]
    await author.put(f"pipelines/{pipeline_id}/documents", documents())
    assert (await indexed(author, pipeline_id))["status"] == "SUCCESS"
    return pipeline_id


async def scores(author: Rest, pipeline_id: Id, asked: list[Question]) -> dict[str, list[float]]:
    """Return nDCG@10 of each question, by the preset and by each half of it alone."""
    return {
        name: [
            ndcg(await ranking(author, pipeline_id, each.question, **settings), each.relevant)
            for each in asked
        ]
        for name, settings in HALVES.items()
    }


async def test_the_preset_finds_at_least_what_each_half_of_it_finds(server: Server) -> None:
    asked = questions()
    async with people_of(server) as people:
        author = people.a("author")
        pipeline_id = await filled(author)
        preset = (await author.get(f"pipelines/{pipeline_id}"))["preset_retrieval_parameters"]
        assert preset["alpha"] == 0.25
        found = await scores(author, pipeline_id, asked)
    everything = {name: fmean(each) for name, each in found.items()}
    german = {
        name: fmean(score for score, question in zip(each, asked, strict=True) if question.language == "de")
        for name, each in found.items()
    }
    print(everything, german)
    assert everything["hybrid"] >= max(everything.values()) - SLACK, everything
    assert {name: score for name, score in everything.items() if score < LEAST[name]} == {}
    assert {name: score for name, score in german.items() if score < LEAST_GERMAN[name]} == {}


def test_the_set_is_as_large_as_it_should_be_and_its_grades_name_its_passages() -> None:
    asked, held = questions(), {document["id"] for document in documents()}
    assert len(held) == len(documents()) >= 60
    assert len({each.question for each in asked}) == len(asked) >= 60
    assert {name for each in asked for name in each.relevant} <= held
    assert {grade for each in asked for grade in each.relevant.values()} == {1, 2}
    assert all(2 in each.relevant.values() for each in asked)


def test_a_ranking_is_worth_more_the_earlier_it_answers() -> None:
    grades = {"a": 2, "b": 1}
    assert ndcg(["a", "b"], grades) == 1
    assert ndcg(["b", "a"], grades) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))
    assert ndcg([*"0123456789", "a"], grades) == 0
