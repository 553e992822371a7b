"""Verbs of searching: a pipeline with documents, whether they are indexed, and what is found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from schemas.envelope import Id
from schemas.pipeline import Pipeline
from server.engine.playground.retrieval.syncing import Indexes
from server.transports import keys
from tests.playground.client import indexed
from tests.support.rest import People, Rest, people_of
from tests.support.running import Server

Data = dict[str, Any]
ANIMALS = {
    "fox": "The fox hunts at night and sleeps through the day.",
    "hen": "The hen lays an egg every morning in the barn.",
    "invoice": "Invoices are paid within thirty days by bank transfer.",
}


@dataclass
class Search:
    """A pipeline of an author, and what is done with it."""

    rest: Rest
    pipeline_id: Id

    async def put(self, *documents: Data, **texts: str) -> None:
        """Put documents, or texts under their ids, and wait until they can be found."""
        sent = [*documents, *({"id": name, "text": text} for name, text in texts.items())]
        await self.rest.put(f"pipelines/{self.pipeline_id}/documents", sent)
        await self.indexed()

    async def delete(self, document_id: str) -> None:
        """Delete a document."""
        await self.rest.delete(f"pipelines/{self.pipeline_id}/documents/{document_id}")

    async def indexed(self) -> None:
        """Wait until nothing of the pipeline waits to be indexed; nothing may have failed."""
        status = await indexed(self.rest, self.pipeline_id)
        assert status["status"] == "SUCCESS", status

    async def ask(self, query: str, *, status: int = 200, by: Rest | None = None, **settings: Any) -> Data:
        """Return the answer of the endpoint."""
        body = {"query": query, **settings}
        answer: Data = await (by or self.rest).post(
            f"pipelines/{self.pipeline_id}/retrieve", body, status=status
        )
        return answer

    async def found(self, query: str, *, by: Rest | None = None, **settings: Any) -> list[str]:
        """Return the ids of the documents that are found, best first."""
        return [source_of(node) for node in (await self.ask(query, by=by, **settings))["retrieval_nodes"]]


@asynccontextmanager
async def search_of(server: Server, **fields: Any) -> AsyncIterator[tuple[Search, People]]:
    """Create a pipeline of an author."""
    async with people_of(server) as people:
        author = people.a("author")
        made = await author.put("pipelines", {"name": "Search", **fields})
        yield Search(author, made["id"]), people


@asynccontextmanager
async def also_at(server: Server, search: Search) -> AsyncIterator[Search]:
    """Do the same at another server, as the same author."""
    async with people_of(server) as people:
        yield Search(people.a("author", profile=search.rest.profile), search.pipeline_id)


def source_of(node: Data) -> str:
    """Return the id of a node's document."""
    found: str = node["node"]["relationships"]["1"]["node_id"]
    return found


def indexes_of(server: Server) -> Indexes:
    """Return what a server has in memory."""
    return server.app[keys.INDEXES]


async def stored(server: Server, pipeline_id: Id) -> Pipeline:
    """Return a pipeline as it is stored."""
    found = await server.app[keys.STORE].pipelines.get(pipeline_id)
    assert found is not None
    return found
