"""Verbs of playground sessions over sockets: a pipeline with documents, joining, saying, stopping."""

import asyncio
from dataclasses import dataclass
from typing import Any

from schemas.envelope import Id
from schemas.pipeline import DocumentWrite, PipelineWrite
from server.engine.access import Identity
from server.engine.playground.documents import Sent
from server.transports import keys
from tests.support.attempts import Client
from tests.support.clients import PATIENCE
from tests.support.passing import passes
from tests.support.running import Server

Data = dict[str, Any]
HOURS = {"text": "The library opens at nine in the morning.", "metadata": {"title": "Hours", "year": 2024}}
CATS = {
    "text": "Cats may not be brought into the reading room.",
    "metadata": {"title": "Rules", "year": 2023},
}


async def pipeline(
    server: Server, author_id: Id, *documents: Data, name: str = "Handbook", **fields: Any
) -> Id:
    """Create a shared pipeline and wait until its documents are indexed."""
    author = Identity(kind="profile", id=author_id, role="author")
    write = PipelineWrite.model_validate({"name": name, "shared": True, **fields})
    made = await server.app[keys.PIPELINES].create(author, write)
    if documents:
        sent = [Sent(write=DocumentWrite.model_validate(document)) for document in documents]
        await server.app[keys.DOCUMENTS].put(author, made.id, sent, replace=True)
        await indexed(server, made.id)
    return made.id


async def indexed(server: Server, pipeline_id: Id) -> None:
    """Wait until no document of a pipeline waits to be indexed."""
    documents = server.app[keys.STORE].pipeline_documents
    async with asyncio.timeout(PATIENCE):
        while (await documents.states(pipeline_id))["queued"]:
            await passes(0.05, because="nobody is told when a pipeline is indexed")


@dataclass
class Session:
    """Somebody's session of a pipeline, followed."""

    client: Client
    pipeline_id: Id
    session_id: Id
    ack: Data

    @property
    def room(self) -> str:
        """Return the session's room."""
        return f"playground_{self.session_id}"

    async def send(self, message: str = "When does the library open?", **more: Any) -> Data:
        """Say something and return the ack."""
        return await self.client.send(
            "playground_message", pipeline_id=self.pipeline_id, message=message, **more
        )

    async def say(self, message: str = "When does the library open?") -> Data:
        """Say something and return the answer when it is complete."""
        ack = await self.send(message)
        return await self.client.until("playground_complete", message_id=ack["assistant_message_id"])

    async def fails(self, message: str = "When does the library open?") -> Data:
        """Say something and return the error that follows."""
        ack = await self.send(message)
        return await self.client.until("playground_error", message_id=ack["assistant_message_id"])

    async def hears(self, text: str) -> None:
        """Wait until the parts of an answer add up to a text."""

        def heard() -> bool:
            parts = self.client.named("playground_progress", room=self.room)
            return "".join(part["content"] for part in parts).endswith(text)

        await self.client.when(heard)

    def sources(self, ack: Data) -> list[str]:
        """Return the excerpts that the answer to a message rests on."""
        (told,) = self.client.named("playground_sources", message_id=ack["assistant_message_id"])
        return [source["excerpt"] for source in told["sources"]]

    async def snapshot(self) -> Data:
        """Return the session's snapshot, as somebody who comes anew gets it."""
        await self.client.send("room_leave", room=self.room)
        ack = await self.client.send("playground_join", pipeline_id=self.pipeline_id)
        shown: Data = ack["snapshot"]
        return shown

    def names(self) -> list[str]:
        """Return the names of what was heard of the room, parts of answers once."""
        names = self.client.names(self.room)
        return [n for i, n in enumerate(names) if n != "playground_progress" or names[i - 1] != n]


async def join(client: Client, pipeline_id: Id) -> Session:
    """Follow one's own session of a pipeline."""
    ack = await client.send("playground_join", pipeline_id=pipeline_id)
    return Session(client, pipeline_id, ack["session_id"], ack)
