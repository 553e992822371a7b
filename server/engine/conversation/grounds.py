"""What pipelines have to what is said in attempts and replays."""

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.envelope import Id
from schemas.pipeline import Pipeline
from schemas.retrieval import Found, RetrievalParams
from server.engine.playground.grounding import within
from server.errors import NotFound
from server.llm import ChatTurn
from server.store import Store

MAX_QUERY = 8_000  # characters


class Retrieving(Protocol):
    """What searches pipelines."""

    async def retrieve(self, pipeline: Pipeline, query: str, params: RetrievalParams) -> Found:
        """Return what was found; raises Unavailable and Upstream."""


class Grounds:
    """Searches the pipelines that content names; who may name them was decided when it was stored."""

    def __init__(self, store: Store, retrieval: Retrieving) -> None:
        self._store = store
        self._retrieval = retrieval

    async def find(self, pipeline_id: Id, said: str, *, org: str, budget: int) -> Found:
        """Search a pipeline of an organisation as its preset says, for so many characters of passages.

        Raises NotFound when it is gone, Unavailable and Upstream when it cannot be searched now.
        """
        pipeline = await self._store.pipelines.get(pipeline_id)
        if pipeline is None or pipeline.org != org:
            raise NotFound("The pipeline that this is to rest on does not exist any more.")
        params = pipeline.preset_retrieval_parameters
        return within(await self._retrieval.retrieve(pipeline, said[-MAX_QUERY:], params), budget=budget)


def instructed(turns: Sequence[ChatTurn], instruct: Callable[[str | None], str]) -> list[ChatTurn]:
    """Return turns that begin with the instructions made of theirs, or of None when they have none."""
    first = turns[0] if turns and turns[0]["role"] == "system" else None
    system = instruct(first["content"] if first else None)
    return [ChatTurn(role="system", content=system), *turns[1 if first else 0 :]]
