"""Documents of pipelines as clients put, read and delete them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from schemas.envelope import Id, JsonObject, Problem, utc_now
from schemas.pipeline import (
    MAX_DOCUMENT,
    MAX_DOCUMENTS,
    MAX_METADATA,
    MAX_METADATA_ELEMENTS,
    MAX_METADATA_KEYS,
    DocumentWrite,
    Pipeline,
    PipelineDocument,
)
from server.engine.access import Identity
from server.engine.ids import derive, new
from server.engine.playground.pipelines import Pipelines, Wake
from server.engine.playground.views import chunk_view
from server.errors import BadRequest, Conflict, NotFound
from server.store import Store
from server.store.pipeline_files import StoredFile

MOST_BYTES = 16 * 1024 * 1024  # of documents that one reading returns, unless one alone is larger
SHOWN = 20  # ids that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A document as it came, with the file that its text is to be read from, if it is one."""

    write: DocumentWrite
    file: StoredFile | None = None


class Documents:
    """Puts documents into pipelines to be indexed, and reads them back."""

    def __init__(self, store: Store, pipelines: Pipelines, *, wake: Wake, most: int = MAX_DOCUMENTS) -> None:
        """`wake` has a pipeline's documents looked at for indexing; `most` are in a pipeline."""
        self._most = most
        self._documents = store.pipeline_documents
        self._files = store.pipeline_files
        self._chunks = store.chunks
        self._pipelines = pipelines
        self._wake = wake

    async def put(
        self,
        caller: Identity,
        pipeline_id: Id,
        sent: Sequence[Sent],
        *,
        replace: bool,
        key: str | None = None,
    ) -> list[PipelineDocument]:
        """Store documents and return them; those without an id get one, the same each time under a `key`.

        With `replace` they take the place of those with their ids; otherwise ids that other documents have
        raise Conflict, and nothing is stored. Raises BadRequest for what is too large or named twice.
        """
        pipeline = await self._pipelines.writable(caller, pipeline_id)
        _check(sent)
        named = _key(caller, key)
        made = [_made(pipeline, one, n=n, key=named) for n, one in enumerate(sent)]
        await self._check_number(made)
        if not replace and (there := await self._documents.differing(made)):
            raise _there(there)
        for document, one in zip(made, sent, strict=True):
            if document.file is not None and one.file is not None:
                await self._files.put(document.file, one.file)
        if replace:
            await self._documents.put(made)
        elif there := await self._documents.insert(made):  # somebody was faster
            raise _there(there)
        await self._pipelines.readable(caller, pipeline_id)  # it may be deleted by now, and they with it
        await self._wake(pipeline.id)
        return made

    async def listed(
        self, caller: Identity, pipeline_id: Id, *, skip: int, limit: int
    ) -> list[PipelineDocument]:
        """Return some documents, oldest first; fewer than the limit when they are large."""
        pipeline = await self._pipelines.readable(caller, pipeline_id)
        return await self._documents.listed(pipeline.id, skip=skip, limit=limit, most_bytes=MOST_BYTES)

    async def count(self, caller: Identity, pipeline_id: Id) -> int:
        """Return how many documents a pipeline has."""
        pipeline = await self._pipelines.readable(caller, pipeline_id)
        return await self._documents.count(pipeline.id)

    async def get(self, caller: Identity, pipeline_id: Id, document_id: str) -> PipelineDocument:
        """Return a document; raises NotFound."""
        pipeline = await self._pipelines.readable(caller, pipeline_id)
        document = await self._documents.get(pipeline.id, document_id)
        if document is None:
            raise _missing()
        return document

    async def delete(self, caller: Identity, pipeline_id: Id, document_id: str) -> None:
        """Remove a document; it is found by nobody from now on. Raises NotFound."""
        pipeline = await self._pipelines.writable(caller, pipeline_id)
        if await self._documents.delete(pipeline.id, document_id) is None:
            raise _missing()
        # Its file is removed once it is old and nobody names it: somebody may be putting it again right now.

    async def chunks(
        self, caller: Identity, pipeline_id: Id, document_id: str, *, skip: int, limit: int
    ) -> list[JsonObject]:
        """Return some of the chunks of a document in their order; there are none before it is indexed."""
        document = await self.get(caller, pipeline_id, document_id)
        found = await self._chunks.of_document(
            document.key, revision=document.indexed, skip=skip, limit=limit
        )
        return [chunk_view(chunk, document) for chunk in found]

    # --- parts ----------------------------------------------------------------------------------------------

    async def _check_number(self, made: Sequence[PipelineDocument]) -> None:
        """Raise Conflict when there would be too many; those that are there already are not counted twice."""
        if not made:
            return
        pipeline_id = made[0].pipeline_id
        room = self._most - await self._documents.count(pipeline_id)
        if len(made) <= room:
            return
        if len(made) - await self._documents.known(pipeline_id, [one.id for one in made]) > room:
            raise Conflict(f"A pipeline has at most {self._most} documents; delete some, or use another.")


def _key(caller: Identity, key: str | None) -> str:
    return new() if key is None else f"{caller.key}\x1f{key}"


def _made(pipeline: Pipeline, sent: Sent, *, n: int, key: str) -> PipelineDocument:
    write, now = sent.write, utc_now()
    document_id = write.id or derive("pipeline document", pipeline.id, key, str(n))
    return PipelineDocument(
        key=new(),
        id=document_id,
        pipeline_id=pipeline.id,
        org=pipeline.org,
        text=write.text,
        metadata=write.metadata,
        excluded_embed_metadata_keys=write.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=write.excluded_llm_metadata_keys,
        file=_file_id(pipeline, document_id, sent.file) if sent.file else None,
        created_at=now,
        updated_at=now,
    )


def _file_id(pipeline: Pipeline, document_id: str, file: StoredFile) -> Id:
    """Return the id of a file: the same file for the same document has the same again."""
    digest = hashlib.sha256(file.data).hexdigest()
    return derive("pipeline file", pipeline.id, document_id, digest, file.name, file.content_type)


def _check(sent: Sequence[Sent]) -> None:
    """Raise BadRequest for documents that are too large, or share an id."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for n, one in enumerate(sent):
        if len(one.write.text.encode()) > MAX_DOCUMENT:
            problems.append(_problem(n, "text", f"this should have at most {MAX_DOCUMENT} bytes"))
        if wrong := _wrong_metadata(one.write.metadata):
            problems.append(_problem(n, "metadata", f"this should have at most {wrong}"))
        if one.write.id is not None and one.write.id in seen:
            problems.append(_problem(n, "id", "another document above has this id"))
        seen.add(one.write.id or "")
    if problems:
        raise BadRequest("The documents are not as they should be.", details=problems[:SHOWN])


def _wrong_metadata(metadata: JsonObject) -> str | None:
    """Return what metadata has too much of, None when all is well."""
    if len(metadata) > MAX_METADATA_KEYS:
        return f"{MAX_METADATA_KEYS} keys"
    if sum(len(value) for value in metadata.values() if isinstance(value, list)) > MAX_METADATA_ELEMENTS:
        return f"{MAX_METADATA_ELEMENTS} elements in its lists together"
    return f"{MAX_METADATA} bytes as JSON" if len(orjson.dumps(metadata)) > MAX_METADATA else None


def _problem(n: int, field: str, message: str) -> Problem:
    return Problem(loc=["body", n, field], msg=message, type="value_error")


def _there(ids: Sequence[str]) -> Conflict:
    names = ", ".join(name[:100] for name in sorted(ids)[:SHOWN])
    return Conflict(f"The pipeline has documents with these ids already (PUT replaces them): {names}")


def _missing() -> NotFound:
    return NotFound("There is no such document, or it is not yours.")
