"""A labelled retrieval set: passages of the demo content, questions, and which passages answer them.

`documents.json` has the personas, scenarios, rubrics, handbook pages (a rule each) and recorded chats of
content/, and the handbook's rules once more in German. `questions.json` grades passages for each question:
2 answers it, 1 belongs to it. A question is about passages in its own language, unless it is about a name.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson
from pydantic import BaseModel, TypeAdapter

from schemas.envelope import Id
from tests.imports import ROOT
from tests.support.rest import Rest

SET = ROOT / "tests" / "data" / "retrieval"
TOP = 10
NOT_SAID = ["kind", "language", "pack"]  # of the metadata: what filters act on, and nobody searches for


class Question(BaseModel):
    """A question with the grades of the passages that matter to it."""

    question: str
    language: Literal["en", "de"]
    relevant: dict[str, int]


def documents() -> list[dict[str, Any]]:
    """Return the passages as they are put into a pipeline."""
    found: list[dict[str, Any]] = orjson.loads((SET / "documents.json").read_bytes())
    return [{**document, "excluded_embed_metadata_keys": NOT_SAID} for document in found]


def questions() -> list[Question]:
    """Return the questions."""
    return TypeAdapter(list[Question]).validate_json((SET / "questions.json").read_bytes())


def ndcg(ranking: Sequence[str], relevant: Mapping[str, int]) -> float:
    """Return how good the first ten of a ranking are, 1 being as good as can be."""
    best = sorted(relevant.values(), reverse=True)
    return _gain([relevant.get(found, 0) for found in ranking]) / _gain(best)


def _gain(grades: Sequence[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades[:TOP]))


async def ranking(rest: Rest, pipeline_id: Id, question: str, **settings: Any) -> list[str]:
    """Return the documents that the endpoint finds, best first, each once."""
    body = {"query": question, **settings}
    answer = await rest.post(f"pipelines/{pipeline_id}/retrieve", body, status=200)
    found = [node["node"]["relationships"]["1"]["node_id"] for node in answer["retrieval_nodes"]]
    return list(dict.fromkeys(found))
