"""What is indexed and asked: passages put together from the labelled set, the same in each run."""

import json
import random
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

SET = Path(__file__).parents[2] / "tests" / "data" / "retrieval"
SENTENCES = 6  # in a passage: some 100 words, as in a handbook
ALPHA = 0.25
CUT = {"chunk_size": 160, "chunk_overlap": 0}  # tokens: about as many chunks as passages


def passages(count: int) -> list[str]:
    """Return so many passages, each of sentences that were drawn from all documents."""
    texts = [document["text"] for document in _read("documents.json")]
    sentences = sorted({part for text in texts for part in re.split(r"(?<=[.?!])\s+", text) if part})
    drawn = random.Random(10_000)
    return [" ".join(drawn.sample(sentences, SENTENCES)) + f" No. {number}" for number in range(count)]


def documents(texts: Sequence[str], each: int) -> list[dict[str, str]]:
    """Return passages as documents of so many; each has a heading, so that it becomes a chunk."""
    lots = [texts[at : at + each] for at in range(0, len(texts), each)]
    return [
        {"id": f"d{n}", "text": "\n\n".join(f"## Part\n\n{t}" for t in lot)} for n, lot in enumerate(lots)
    ]


def queries(count: int) -> list[str]:
    """Return so many questions, each with a word of its own, so that no answer can be remembered."""
    questions = [question["question"] for question in _read("questions.json")]
    rounds = (f"{question} {number}" for number in range(count) for question in questions)
    return list(islice(rounds, count))


def _read(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((SET / name).read_text())
    return found
