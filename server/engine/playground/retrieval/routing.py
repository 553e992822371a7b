"""Chooses how a query is answered best: by chunks, or by whole files."""

import re
from collections.abc import Sequence
from typing import Literal

import structlog
from pydantic import BaseModel

from schemas.pipeline import Pipeline
from schemas.retrieval import RetrievalMode
from server.engine.playground.retrieval.judging import Shown, can_judge, turns_of
from server.engine.playground.retrieval.shelf import Shelves
from server.errors import Upstream
from server.llm import Models

NAMES_SHOWN = 50
LONG_WORD = 4  # letters; a name of shorter words alone is said by chance
log = structlog.get_logger(__name__)
_WORD = re.compile(r"\w+")
_ENDING = re.compile(r"\.\w{1,5}$")
_WHOLE = re.compile(
    r"\b(summar(y|ies|i[sz]e\w*|i[sz]ing)|overview|outline|entire|whole|full text|tl;?dr"
    r"|zusammenfass\w*|fasse?\b.*\bzusammen|überblick|übersicht|gesamte\w*|ganze\w*|vollständige\w*)\b",
    re.IGNORECASE,
)
_TASK = (
    "You choose how documents are searched for a query. `chunks`: it asks for a fact or a passage."
    " `files_via_metadata`: it asks for one of the files by its name, kind, date or another property."
    " `files_via_content`: answering it takes a whole file, such as a summary or a comparison, which is to be"
    " found by what is in it. What is shown are names of some of the files."
)


class ModeChoice(BaseModel):
    """How documents are searched."""

    mode: Literal["chunks", "files_via_metadata", "files_via_content"]


class Router:
    """Chooses a mode for each query; a model does, where one can judge, else a rule."""

    def __init__(self, *, shelves: Shelves, models: Models) -> None:
        self._shelves = shelves
        self._models = models

    async def choose(self, query: str, *, pipeline: Pipeline) -> RetrievalMode:
        """Return a mode, never auto_routed; raises Unavailable."""
        shelf = await self._shelves.of(pipeline)
        names = [label.name for label in shelf.labels if label.name]
        if can_judge(self._models):
            shown = [Shown(number, name) for number, name in enumerate(names[:NAMES_SHOWN], start=1)]
            turns = turns_of(_TASK, query=query, shown=shown)
            try:
                answer = await self._models.parse(ModeChoice, turns, model=self._models.judge_name)
            except Upstream as error:
                log.warning("mode not chosen by a model", code=error.code)
            else:
                return answer.value.mode
        return by_rule(query, names)


def by_rule(query: str, names: Sequence[str]) -> RetrievalMode:
    """Return files_via_metadata for a query that names a file, files_via_content for one about a whole."""
    asked = f" {_words(query)} "
    for name in names:
        said = _words(_ENDING.sub("", name))
        if any(len(word) >= LONG_WORD for word in said.split()) and f" {said} " in asked:
            return "files_via_metadata"
    return "files_via_content" if _WHOLE.search(query) else "chunks"


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold().replace("_", " ")))
