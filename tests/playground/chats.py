"""Verbs of playground sessions over HTTP: a pipeline, its session, and chats as JSON or as a stream."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from schemas.envelope import Id
from tests.support.clients import Socket, socket
from tests.support.rest import Rest
from tests.support.running import Server

Data = dict[str, Any]
DOCUMENTS: list[Data] = [
    {
        "id": "opening",
        "text": "The library opens at nine in the morning.",
        "metadata": {"file_name": "hours.md", "year": 2024},
    },
    {
        "id": "cats",
        "text": "Cats may not be brought into the reading room.",
        "metadata": {"file_name": "rules.md", "year": 2023},
    },
]


@dataclass
class Told:
    """What a stream has told, in its order."""

    status: int
    content_type: str
    events: list[tuple[str, Data]] = field(default_factory=list)
    body: bytes = b""

    @property
    def names(self) -> list[str]:
        """Return the names of the events, equal neighbours once."""
        names = [name for name, _ in self.events]
        return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    def named(self, name: str) -> list[Data]:
        """Return the payloads of the events of a name."""
        return [data for found, data in self.events if found == name]


def said(*texts: str) -> list[Data]:
    """Return a conversation in which user and assistant speak in turn, beginning with the user."""
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


async def pipeline_of(author: Rest, *, name: str = "Handbook", **fields: Any) -> Id:
    """Create a pipeline that the organisation may read, without documents."""
    made = await author.put("pipelines", {"name": name, "shared": True, **fields})
    pipeline_id: Id = made["id"]
    return pipeline_id


async def session_of(rest: Rest, pipeline_id: Id, status: int = 200) -> Data:
    """Return somebody's session of a pipeline."""
    found: Data = await rest.get(f"pipelines/{pipeline_id}/playground-session", status=status)
    return found


async def chat(
    rest: Rest,
    pipeline_id: Id,
    messages: Sequence[Data],
    *,
    status: int = 200,
    key: str | None = None,
    **fields: Any,
) -> Data:
    """Say something and return the whole answer."""
    body = await rest.ask(
        "POST",
        f"pipelines/{pipeline_id}/chat",
        status=status,
        data=orjson.dumps({"messages": messages, **fields}),
        headers={"Idempotency-Key": key} if key else None,
    )
    answer: Data = orjson.loads(body)
    return answer


@asynccontextmanager
async def opened(
    http: aiohttp.ClientSession, url: str, *, headers: dict[str, str], body: Data
) -> AsyncIterator[tuple[Told, AsyncIterator[tuple[str, Data]]]]:
    """Open the stream of a chat; what is iterated over is told."""
    wanted = {**headers, "Accept": "text/event-stream"}
    async with http.post(url, json=body, headers=wanted) as response:
        told = Told(response.status, response.content_type)
        yield told, _events(response, told)


async def streamed(
    rest: Rest, pipeline_id: Id, messages: Sequence[Data], *, key: str | None = None, **fields: Any
) -> Told:
    """Say something and return what the stream told until it ended."""
    headers = {**rest.headers, **({"Idempotency-Key": key} if key else {})}
    body = {"messages": messages, **fields}
    async with (
        aiohttp.ClientSession() as http,
        opened(http, address(rest, pipeline_id), headers=headers, body=body) as (told, events),
    ):
        async for _ in events:
            pass
        return told


@asynccontextmanager
async def hanging(
    http: aiohttp.ClientSession, rest: Rest, pipeline_id: Id, *, key: str | None = None
) -> AsyncIterator[tuple[Told, AsyncIterator[tuple[str, Data]]]]:
    """Say something and give the stream once its first words have come; at the end the client is gone."""
    headers = {**rest.headers, **({"Idempotency-Key": key} if key else {})}
    body = {"messages": said("Hello?")}
    async with opened(http, address(rest, pipeline_id), headers=headers, body=body) as (told, events):
        async for name, _ in events:
            if name == "playground_progress":
                break
        assert told.names[-1] == "playground_progress", told
        yield told, events


@asynccontextmanager
async def watching(server: Server, rest: Rest, pipeline_id: Id) -> AsyncIterator[Socket]:
    """Follow the room of somebody's session over a socket."""
    token = rest.headers["Authorization"].removeprefix("Bearer ")
    async with socket(server.url, {"token": token}) as client:
        await client.send("playground_join", pipeline_id=pipeline_id)
        yield client


def address(rest: Rest, pipeline_id: Id) -> str:
    """Return where a chat is posted."""
    return f"{rest.url}/api/v1/pipelines/{pipeline_id}/chat"


async def _events(response: aiohttp.ClientResponse, told: Told) -> AsyncIterator[tuple[str, Data]]:
    if response.status != 200:
        told.body = await response.read()
        return
    name = ""
    async for line in response.content:
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            told.events.append((name, orjson.loads(value)))
            yield told.events[-1]
