"""What documents of a pipeline say of themselves, as it was read from MongoDB last, in memory."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from schemas.envelope import Id
from schemas.pipeline import PipelineDocument
from server.store import Store

_FIXED_BYTES = 2_200  # of a document without metadata, measured
_SPREAD = 8  # bytes for each of metadata's JSON, measured: 4 of texts, 7 of numbers, 21 of empty lists


class _Kept(NamedTuple):
    revision: int  # of the chunks it was read for
    document: PipelineDocument
    size: int


class Described:
    """Keeps documents without their texts, up to about `limit` bytes: those used last.

    One is read again when another revision of it is searched, and when the pipeline's `rewrites` has grown:
    clients are told what they have written last, also before that is indexed.
    """

    def __init__(self, store: Store, *, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._kept: OrderedDict[Id, _Kept] = OrderedDict()
        self._rewrites = -1
        self.size = 0

    async def get(self, revisions: Mapping[Id, int], *, rewrites: int) -> dict[Id, PipelineDocument]:
        """Return documents by their keys, each for the revision of it that is searched.

        They are not older than a pipeline that was read with these `rewrites`; what is gone may be left out.
        """
        if rewrites > self._rewrites:
            self._rewrites = rewrites
            self._forget()
        found = {key: self._known(key, revision) for key, revision in revisions.items()}
        documents = {key: document for key, document in found.items() if document}
        if missing := revisions.keys() - documents.keys():
            known = self._rewrites
            read = await self._store.pipeline_documents.many(missing)
            if known == self._rewrites:  # else they may be what was there before
                for key, document in read.items():
                    self._keep(key, revisions[key], document)
            documents |= read
        return documents

    def _known(self, key: Id, revision: int) -> PipelineDocument | None:
        kept = self._kept.get(key)
        if kept is None or kept.revision != revision:
            return None
        self._kept.move_to_end(key)
        return kept.document

    def _keep(self, key: Id, revision: int, document: PipelineDocument) -> None:
        size = _FIXED_BYTES + _SPREAD * len(orjson.dumps(document.metadata))
        self._drop(key)
        self._kept[key] = _Kept(revision, document, size)
        self.size += size
        while self.size > self._limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Id) -> None:
        if kept := self._kept.pop(key, None):
            self.size -= kept.size

    def _forget(self) -> None:
        self._kept.clear()
        self.size = 0
