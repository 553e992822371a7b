"""Texts as vectors: offline by the WordLlama in the package, or by the model endpoint's embeddings."""

import asyncio
import base64
import binascii
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import openai
import orjson
import structlog
from openai import AsyncOpenAI, DefaultAioHttpClient

from server.errors import Upstream
from server.llm.bodies import ENCODINGS, FAILURES, bound, whole
from server.llm.failures import UNREADABLE, Refused, late, refusal, reported, upstream
from server.llm.providers import OPENAI_URL
from server.llm.tracing import asking
from server.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from server.llm.word_vectors import WordVectors

    Vectors = NDArray[np.float32]

OFFLINE_NAME = "wordllama-l2-supercat-256"
AT_ONCE = 64  # texts in a request
REQUEST_CHARS = 200_000  # endpoints count tokens of all texts of a request, 300,000 at OpenAI
CONNECT_TIMEOUT = 10.0
_SHORT = 1_000  # characters of a query
_PIECE = 32  # texts that are embedded offline between two looks whether somebody still wants them
_NO_KEY = "none"
_log = structlog.get_logger(__name__)


class Embedder(Protocol):
    """Makes vectors of texts; those of the same `name` may be compared."""

    @property
    def name(self) -> str:
        """Name the model that makes the vectors."""

    @property
    def offline(self) -> bool:
        """Tell whether this is the model in the package."""

    async def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return a normalised float32 row for each text, in their order; cancelling is safe.

        Raises Upstream. A text without any word has a row of zeros, which is near nothing.
        """

    async def embed_query(self, text: str) -> "Vectors":
        """Return the one row of what is searched for; raises Upstream."""

    async def aclose(self) -> None:
        """Close what is open."""


def make_embedder(settings: Settings) -> Embedder:
    """Return the configured embedder: the endpoint's when a model is named, otherwise the offline one."""
    if settings.embedding_model is None:
        return OfflineEmbedder()
    return EndpointEmbedder(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
        model=settings.embedding_model,
        timeout=settings.model_timeout,
        retries=settings.model_retries,
    )


def package() -> Path:
    """Return the folder of WordLlama; it is not imported, because that configures logging for all."""
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package wordllama is not installed; run make install")
    return Path(spec.origin).parent


def tokenizer_file() -> Path:
    """Return the tokenizer by whose tokens texts are cut."""
    return package() / "tokenizers" / "l2_supercat_tokenizer_config.json"


class OfflineEmbedder:
    """Embeds by WordLlama, in a thread; it is loaded at the first use."""

    name = OFFLINE_NAME
    offline = True

    def __init__(self) -> None:
        self._loading = asyncio.Lock()
        self._words: WordVectors | None = None

    async def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return a row for each text."""
        import numpy as np

        words = await self._loaded()
        parts = [texts[at : at + _PIECE] for at in range(0, len(texts), _PIECE)]
        rows = [await asyncio.to_thread(words.embed, part) for part in parts]
        return np.concatenate(rows) if rows else words.embed([])

    async def embed_query(self, text: str) -> "Vectors":
        """Return the row of a text; that of a short one costs less than a turn of a thread."""
        if self._words is not None and len(text) <= _SHORT:
            short: Vectors = self._words.embed([text])[0]
            return short
        row: Vectors = (await self.embed([text]))[0]
        return row

    async def aclose(self) -> None:
        """Do nothing: the model stays in memory as long as this does."""

    async def _loaded(self) -> "WordVectors":
        async with self._loading:
            if self._words is None:
                self._words = await asyncio.to_thread(_load)
        return self._words


class EndpointEmbedder:
    """Embeds by an OpenAI-compatible endpoint; `timeout` (s) bounds a request with its retries."""

    offline = False

    def __init__(
        self, *, base_url: str | None, api_key: str | None, model: str, timeout: float, retries: int
    ) -> None:
        self.name = model
        self._timeout = timeout
        self._packed = True  # some endpoints refuse base64
        self._client = AsyncOpenAI(
            base_url=base_url or OPENAI_URL,
            api_key=api_key or _NO_KEY,
            max_retries=retries,
            timeout=openai.Timeout(None, connect=min(CONNECT_TIMEOUT, timeout)),
            http_client=DefaultAioHttpClient(
                headers={"Accept-Encoding": ENCODINGS}, event_hooks={"response": [bound]}
            ),
        )

    async def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return a row for each text, by as many requests as it needs; texts without a word are not sent."""
        import numpy as np

        places = [place for place, text in enumerate(texts) if text.strip()]
        rows = [row for part in _batches([texts[p] for p in places]) for row in await self._request(part)]
        width = len(rows[0]) if rows else 1
        if any(len(row) != width for row in rows):
            raise Upstream(UNREADABLE, retryable=False)
        found = np.zeros((len(texts), width), dtype=np.float32)
        if rows:
            found[places] = normalised(np.stack(rows))
        return found

    async def embed_query(self, text: str) -> "Vectors":
        """Return the row of a text."""
        row: Vectors = (await self.embed([text]))[0]
        return row

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _request(self, texts: Sequence[str]) -> "list[Vectors]":
        with asking("embeddings", self.name):
            try:
                async with asyncio.timeout(self._timeout):
                    return _rows(await self._answer(texts), len(texts))
            except TimeoutError:
                raise late(self._timeout) from None

    async def _answer(self, texts: Sequence[str]) -> bytes:
        while True:
            form = "base64" if self._packed else "float"
            body = {"model": self.name, "input": list(texts), "encoding_format": form}
            try:
                # Past the SDK's parameters, as elsewhere: it walks through each by its types.
                request = self._client.embeddings.with_streaming_response.create(
                    model=self.name, input="", extra_body=body
                )
                async with request as response:
                    return await whole(response)
            except openai.APIStatusError as error:
                refused = Refused.of(error)
                if self._packed and refused.status in (400, 422) and _speaks_of_form(refused):
                    self._packed = False
                    continue
                _log.warning("embedding model refused", status=refused.status, code=refused.code)
                raise refusal(refused) from None
            except FAILURES as error:
                _log.warning("embedding model failed", kind=type(error).__name__)
                raise upstream(error) from None


def normalised(rows: "Vectors") -> "Vectors":
    """Return rows of length one; those of length zero stay as they are."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    scaled: Vectors = (rows / lengths).astype(np.float32, copy=False)
    return scaled


def _load() -> "WordVectors":
    from server.llm.word_vectors import WordVectors  # numpy and the weights take a while

    return WordVectors.load()


def _speaks_of_form(refused: Refused) -> bool:
    return "encoding_format" in refused.said or "base64" in refused.said


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts in lots that a request may hold."""
    lot: list[str] = []
    size = 0
    for text in texts:
        if lot and (len(lot) == AT_ONCE or size + len(text) > REQUEST_CHARS):
            yield lot
            lot, size = [], 0
        lot.append(text)
        size += len(text)
    if lot:
        yield lot


def _rows(body: bytes, count: int) -> "list[Vectors]":
    """Read an answer; raises Upstream for one that is not a finite vector for each text."""
    try:
        answer = orjson.loads(body)
        if answer.get("error"):
            raise reported(answer["error"])
        items = sorted(answer["data"], key=lambda item: int(item["index"]))
        if [item["index"] for item in items] != list(range(count)):
            raise Upstream(UNREADABLE)
        return [_vector(item["embedding"]) for item in items]
    except (ValueError, TypeError, AttributeError, KeyError, binascii.Error):
        raise Upstream(UNREADABLE) from None


def _vector(given: Any) -> "Vectors":
    import numpy as np

    row: Vectors = np.array(given, np.float32) if isinstance(given, list) else _unpacked(given)
    if row.ndim != 1 or not row.size or not np.isfinite(row).all():
        raise ValueError("not a vector")
    return row


def _unpacked(given: str) -> "Vectors":
    import numpy as np

    return np.frombuffer(base64.b64decode(given, validate=True), "<f4").astype(np.float32)
