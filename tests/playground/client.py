"""What people do with pipelines and their documents over HTTP."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from schemas.envelope import Id
from tests.support.passing import passes
from tests.support.rest import Rest

Data = dict[str, Any]
WITHIN = 30.0


async def pipeline(author: Rest, name: str = "Handbook", *, status: int = 201, **fields: Any) -> Data:
    """Create a pipeline and return it, or how it was refused."""
    made: Data = await author.post("pipelines", {"name": name, **fields}, status=status)
    return made


async def put(author: Rest, pipeline_id: Id, documents: Sequence[Data], *, status: int = 200) -> Any:
    """Put documents."""
    return await author.put(f"pipelines/{pipeline_id}/documents", list(documents), status=status)


async def filled(author: Rest, *texts: str, **fields: Any) -> Id:
    """Return a pipeline with documents d0, d1, …, once they are indexed."""
    made = await pipeline(author, **fields)
    pipeline_id: Id = made["id"]
    await put(author, pipeline_id, [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)])
    await indexed(author, pipeline_id)
    return pipeline_id


async def indexed(rest: Rest, pipeline_id: Id, *, document: str | None = None) -> Data:
    """Return the status of a pipeline, or of a document, once nothing is being indexed."""
    part = f"/documents/{document}" if document is not None else ""
    async with asyncio.timeout(WITHIN):
        while True:
            status: Data = await rest.get(f"pipelines/{pipeline_id}{part}/status")
            if status["status"] != "IN_PROGRESS":
                return status
            await passes(0.05, because="HTTP clients are not told when a pipeline is indexed")


async def upload(
    author: Rest,
    pipeline_id: Id,
    files: Mapping[str, bytes],
    *,
    method: str = "POST",
    status: int = 200,
    **fields: str,
) -> Any:
    """Send files as a form."""
    form = aiohttp.FormData(quote_fields=False)
    for name, value in fields.items():
        form.add_field(name, value)
    for name, data in files.items():
        form.add_field("file", io.BytesIO(data), filename=name)
    return await send(author, method, f"pipelines/{pipeline_id}/documents", form, status=status)


async def put_large(author: Rest, pipeline_id: Id, documents: Sequence[Data], *, status: int) -> Any:
    """Put documents of many bytes."""
    data = io.BytesIO(orjson.dumps(documents))
    return await send(author, "PUT", f"pipelines/{pipeline_id}/documents", data, status=status)


async def send(
    author: Rest, method: str, path: str, data: aiohttp.FormData | io.BytesIO, *, status: int
) -> Any:
    """Send something large and return the answer."""
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{author.url}/api/v1/{path}", data=data, headers=author.headers) as response,
    ):
        body = await response.read()
        assert response.status == status, (response.status, body[:2000])
        return orjson.loads(body)
