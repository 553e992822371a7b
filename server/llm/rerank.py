"""An endpoint that reranks: `POST /rerank` as Cohere, Jina, Voyage, vLLM and others take it."""

import math
from collections.abc import Sequence
from typing import Any

import orjson
import structlog

from server.errors import Upstream
from server.llm.failures import UNREADABLE, Refused, refusal, reported
from server.llm.posting import Poster, Reply
from server.settings import Settings

LONGEST_SECONDS = 20.0  # somebody waits for the answer that comes after it
PATH = "/rerank"
MAX_SAID = 10_000  # bytes of a refusal that is no JSON
log = structlog.get_logger(__name__)


class RerankEndpoint:
    """Scores texts by how well they answer a query; `timeout` (s) bounds an answer."""

    def __init__(self, url: str, *, model: str | None, api_key: str | None, timeout: float) -> None:
        self._url = url if url.rstrip("/").endswith(PATH) else url.rstrip("/") + PATH
        self._model = model
        self._key = api_key
        self._poster = Poster(timeout=min(timeout, LONGEST_SECONDS))

    async def scores(self, query: str, texts: Sequence[str], *, top_n: int) -> dict[int, float]:
        """Return the scores of the best texts by their places; raises Upstream. Cancelling is safe."""
        asked: dict[str, Any] = {"query": query, "documents": list(texts), "top_n": min(top_n, len(texts))}
        if self._model is not None:
            asked["model"] = self._model
        reply = await self._poster.post(self._url, orjson.dumps(asked), key=self._key)
        if not 200 <= reply.status < 300:
            raise _refused(reply)
        return _scores(reply.body, count=len(texts))

    async def aclose(self) -> None:
        """Close the connections; requests under way break off."""
        await self._poster.aclose()


def make_rerank_endpoint(settings: Settings) -> RerankEndpoint | None:
    """Return the configured endpoint, None when there is none."""
    if settings.rerank_url is None:
        return None
    return RerankEndpoint(
        settings.rerank_url,
        model=settings.rerank_model,
        api_key=settings.rerank_key.get_secret_value() if settings.rerank_key else None,
        timeout=settings.model_timeout,
    )


def _refused(reply: Reply) -> Upstream:
    try:
        body = orjson.loads(reply.body)
    except ValueError:
        body = reply.body[:MAX_SAID].decode(errors="replace")
    refused = Refused.read(reply.status, body=body, headers=reply.headers)
    log.warning("rerank endpoint refused", status=refused.status, code=refused.code)
    return refusal(refused)


def _scores(body: bytes, *, count: int) -> dict[int, float]:
    """Read an answer; raises Upstream for one that scores anything else than the texts that were sent."""
    try:
        answer = orjson.loads(body)
        if isinstance(answer, dict) and answer.get("error"):
            raise reported(answer["error"])
        items = answer if isinstance(answer, list) else answer.get("results", answer.get("data"))
        found = {int(item["index"]): float(item.get("relevance_score", item.get("score"))) for item in items}
    except (ValueError, TypeError, AttributeError, KeyError):
        raise Upstream(UNREADABLE) from None
    if not all(0 <= place < count and math.isfinite(score) for place, score in found.items()):
        raise Upstream(UNREADABLE)
    return found
