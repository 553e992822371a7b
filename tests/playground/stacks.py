"""Pipelines of tests of indexing: made in the store, indexed by a server, and checked in the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schemas.envelope import Id, utc_now
from schemas.pipeline import Pipeline, PipelineDocument, TransformConfig
from schemas.retrieval import RetrievalParams
from schemas.stored import Owner
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.store import Store
from server.store.pipeline_files import StoredFile
from server.transports import keys
from tests.support.passing import passes
from tests.support.running import Server, running, settings_for

WITHIN = 40.0
CUT = TransformConfig(chunk_size=32, chunk_overlap=0)
LONG = " ".join(f"Sentence number {n} says something of its own." for n in range(30))


@dataclass
class Stacks:
    """A server and a store, and what is put into pipelines."""

    server: Server
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.server.app[keys.STORE]

    async def pipeline(self, config: TransformConfig = CUT) -> Pipeline:
        """Make a pipeline."""
        now = utc_now()
        made = Pipeline(
            id=new(),
            org="default",
            owner=Owner(kind="profile", id=new()),
            name=f"Stack {new()}",
            transform_config=config,
            preset_retrieval_parameters=RetrievalParams(),
            created_at=now,
            updated_at=now,
        )
        assert await self.store.pipelines.create(made)
        return made

    async def put(
        self, pipeline: Pipeline, texts: dict[str, str], *, wake: bool = True, **fields: Any
    ) -> None:
        """Put documents by their ids, and have them indexed."""
        documents = [_document(pipeline, name, text=text, **fields) for name, text in texts.items()]
        await self.store.pipeline_documents.put(documents)
        if wake:
            await self.wake(pipeline)

    async def upload(self, pipeline: Pipeline, name: str, data: bytes) -> Id:
        """Put a file as a document with its name for an id; return the file's id."""
        file_id = new()
        file = StoredFile(data=data, name=name, content_type="application/octet-stream")
        await self.store.pipeline_files.put(file_id, file)
        await self.put(pipeline, {name: ""}, file=file_id, metadata={"file_name": name})
        return file_id

    async def wake(self, pipeline: Pipeline) -> None:
        """Have what waits indexed."""
        await self.server.app[keys.INDEXING].wake(pipeline.id)

    async def cut_otherwise(self, pipeline: Pipeline, config: TransformConfig) -> None:
        """Change how a pipeline's documents are cut, and have them indexed."""
        await self.store.pipelines.change(pipeline.id, {"transform_config": config.model_dump()}, preset=None)
        await self.wake(pipeline)

    async def document(self, pipeline: Pipeline, name: str) -> PipelineDocument:
        """Return a document as it is stored."""
        found = await self.store.pipeline_documents.get(pipeline.id, name)
        assert found is not None
        return found

    async def until(self, ready: Callable[[], Any], *, within: float = WITHIN) -> None:
        """Return once something holds in the database."""
        async with asyncio.timeout(within):
            while not await ready():
                await passes(0.02, because="indexing tells nobody but the database")

    async def settled(self, pipeline: Pipeline, *, within: float = WITHIN) -> dict[str, int]:
        """Return how many documents are in each state once none waits, after all chunks were checked."""

        async def ready() -> bool:
            return not await self.store.indexing.waits(pipeline.id)

        await self.until(ready, within=within)
        await self.check(pipeline)
        return {
            state: n for state, n in (await self.store.pipeline_documents.states(pipeline.id)).items() if n
        }

    async def check(self, pipeline: Pipeline, *, embedder: str | None = None) -> None:
        """Check that each document's chunks are whole, at their places and embedded by the server's model."""
        name = embedder or self.server.app[keys.EMBEDDER].name
        _, live = await self.store.chunks.live(pipeline.id)
        documents = await self.store.pipeline_documents.many(live, texts=True)
        for key, revision in live.items():
            document = documents[key]
            chunks = await self.store.chunks.of_documents({key: revision})
            assert [chunk.number for chunk in chunks] == list(range(document.chunks)), document.id
            for chunk in chunks:
                vector = np.frombuffer(chunk.vector, "<f4")
                assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5)
                assert (chunk.embedder, chunk.document_id) == (name, document.id)
                if document.state == "indexed":
                    assert chunk.text == document.text[chunk.start : chunk.end]

    async def texts(self, pipeline: Pipeline) -> set[str]:
        """Return the texts that are searched."""
        _, live = await self.store.chunks.live(pipeline.id)
        return {chunk.text for chunk in await self.store.chunks.of_documents(live)}

    async def all_chunks(self, pipeline: Pipeline) -> int:
        """Return how many chunks are stored of a pipeline, also loose ones."""
        return await self.store.database.chunks.count_documents({"pipeline_id": pipeline.id})

    async def sweep(self) -> None:
        """Remove what has become loose, as the keeper does some seconds later."""
        sweeps = self.store.database.chunk_sweeps
        await sweeps.update_many({}, [{"$set": {"at": {"$subtract": ["$$NOW", 20_000]}}}])
        while await self.store.chunks.sweep():
            pass


def _document(pipeline: Pipeline, name: str, *, text: str, **fields: Any) -> PipelineDocument:
    now = utc_now()
    return PipelineDocument(
        key=new(),
        id=name,
        pipeline_id=pipeline.id,
        org=pipeline.org,
        text=text,
        created_at=now,
        updated_at=now,
        **fields,
    )


OpenStacks = Callable[..., AbstractAsyncContextManager[Stacks]]


@asynccontextmanager
async def stacks_on(
    mongod_url: str, model: tuple[ScriptedModel, str], **changes: Any
) -> AsyncIterator[Stacks]:
    """Run a server with some settings."""
    settings = settings_for(mongod_url, model[1]).model_copy(update=changes)
    async with running(settings) as (url, app):
        yield Stacks(Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1")))


def database_of(stacks: Stacks) -> str:
    """Return the name of a server's database."""
    return stacks.server.app[keys.SETTINGS].mongodb_database
