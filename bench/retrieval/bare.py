"""The same libraries with nothing around them: aiohttp, WordLlama, numpy and tantivy in one process.

`POST /index` takes a list of texts in place of those before, `POST /retrieve` a query. Nothing is stored,
nobody is asked who they are, and the texts stay in memory.
"""

import asyncio
import sys
from typing import Any

import numpy as np
import orjson
import tantivy
import uvloop
from aiohttp import web
from numpy.typing import NDArray

from bench.retrieval.work import ALPHA
from server.llm.word_vectors import WordVectors

TOP = 30
NUMBER, TEXT = "number", "text"
WRITER_BYTES = 50_000_000


class Bare:
    """An index in memory."""

    def __init__(self) -> None:
        self._words = WordVectors.load()
        self._texts: list[str] = []
        self._vectors: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._index = _empty()
        self._searcher = self._index.searcher()

    async def index(self, request: web.Request) -> web.Response:
        """Index all texts."""
        self._texts = orjson.loads(await request.read())
        self._vectors = self._words.embed(self._texts)
        self._index = _empty()
        writer = self._index.writer(WRITER_BYTES, 1)
        for number, text in enumerate(self._texts):
            writer.add_document(tantivy.Document(number=number, text=text))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()
        return web.Response()

    async def retrieve(self, request: web.Request) -> web.Response:
        """Answer the best passages of both searches."""
        query = orjson.loads(await request.read())["query"]
        dense, sparse = _scaled(self._dense(query)), _scaled(self._sparse(query))
        scores = {
            number: ALPHA * dense.get(number, 0) + (1 - ALPHA) * sparse.get(number, 0)
            for number in dense.keys() | sparse.keys()
        }
        best = sorted(scores, key=lambda number: -scores[number])[:TOP]
        nodes = [{"node": {"text": self._texts[number]}, "score": scores[number]} for number in best]
        return _answer({"retrieval_nodes": nodes})

    def _dense(self, query: str) -> dict[int, float]:
        # Not a product of matrices: where cores are busy, BLAS spends ten times as long waiting for itself.
        scores = np.vecdot(self._vectors, self._words.embed([query])[0])
        best = np.argpartition(-scores, TOP)[:TOP]
        return {int(number): float(scores[number]) for number in best}

    def _sparse(self, query: str) -> dict[int, float]:
        parsed, _ = self._index.parse_query_lenient(query, [TEXT])
        hits = self._searcher.search(parsed, TOP, count=False).hits
        return {self._searcher.doc(address)[NUMBER][0]: score for score, address in hits}


def _empty() -> tantivy.Index:
    schema = tantivy.SchemaBuilder().add_integer_field(NUMBER, stored=True)
    return tantivy.Index(schema.add_text_field(TEXT, tokenizer_name="en_stem").build())


def _scaled(scores: dict[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {number: (score - low) / (high - low) if high > low else 1.0 for number, score in scores.items()}


def _answer(body: Any) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")


async def serve() -> None:
    """Print the address and serve until the standard input ends."""
    bare, app = Bare(), web.Application(client_max_size=1 << 30)
    app.add_routes([web.post("/index", bare.index), web.post("/retrieve", bare.retrieve)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve())
