"""Each setting of retrieval acts: its effect on a corpus that never changes, through the endpoint."""

from typing import Any

import pytest

from server.llm.scripted import ScriptedModel
from tests.playground.fixed import CORPUS, NO_JUDGE, RETURNS, asking, corpus
from tests.playground.searching import Data, Search, source_of

ASKED = (
    "summarise the return policy, not the rest of the garage rules"  # words and meaning rank it differently
)
Model = tuple[ScriptedModel, str]


async def scores(search: Search, **settings: Any) -> dict[str, float]:
    """Return the documents that are found with their scores, best first."""
    nodes = (await search.ask(ASKED, **settings))["retrieval_nodes"]
    return {source_of(node): node["score"] for node in nodes}


def spread(found: dict[str, float]) -> dict[str, float]:
    least, most = min(found.values()), max(found.values())
    return {name: (score - least) / (most - least) for name, score in found.items()}


async def test_weights_counts_and_cutoffs(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, _):
        # alpha: 0 is words alone, 1 is meaning alone, and between them both count by their shares
        words, meaning = await scores(search, alpha=0), await scores(search, alpha=1)
        assert list(words) == ["repairs", "returns", "song"]
        assert list(meaning) == ["returns", "repairs", "holiday", "song"]
        for alpha in (0.1, 0.25, 0.5, 0.75, 0.9):
            fused = await scores(search, alpha=alpha)
            assert fused == {
                name: pytest.approx(
                    alpha * spread(meaning).get(name, 0) + (1 - alpha) * spread(words).get(name, 0), abs=1e-5
                )
                for name in words | meaning
            }
            assert list(fused) == sorted(fused, key=lambda name: -fused[name])
        assert next(iter(await scores(search, alpha=0.2))) == "repairs"
        assert next(iter(await scores(search, alpha=0.8))) == "returns"
        # offline, a new pipeline's preset is 0.25; a null means the preset
        assert await scores(search) == await scores(search, alpha=0.25) == await scores(search, alpha=None)

        # dense_similarity_top_k, sparse_similarity_top_k: each for its ranking, the larger for the answer
        assert list(await scores(search, alpha=1, dense_similarity_top_k=2)) == ["returns", "repairs"]
        assert list(await scores(search, alpha=0, sparse_similarity_top_k=1)) == ["repairs"]
        both = {"alpha": 0.5, "dense_similarity_top_k": 1, "sparse_similarity_top_k": 1}
        assert len(await scores(search, **both)) == 1
        both["sparse_similarity_top_k"] = 2
        assert set(await scores(search, **both)) == {"returns", "repairs"}
        assert list(await scores(search, alpha=0, dense_similarity_top_k=1)) == list(words)

        # dense_similarity_cutoff: on cosines, before the rankings become one; hits by words stay
        cut = round((meaning["returns"] + meaning["repairs"]) / 2, 3)
        assert list(await scores(search, alpha=1, dense_similarity_cutoff=cut)) == ["returns"]
        assert list(await scores(search, alpha=1, dense_similarity_cutoff=1)) == []
        assert await scores(search, alpha=0.5, dense_similarity_cutoff=1) == words
        assert await scores(search, alpha=0, dense_similarity_cutoff=1) == words
        assert set(await scores(search, alpha=0.5, dense_similarity_cutoff=cut)) == set(words)


async def test_filters_act_in_every_mode(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, _):
        german = asking("lang", "==", "de")
        for mode in ("chunks", "files_via_content"):
            for alpha in (0, 0.5, 1):
                settings: Data = {"alpha": alpha, "retrieval_mode": mode, "search_filters": german}
                assert await search.found("vehicle", **settings) == ["song"]
        named: Data = {"retrieval_mode": "files_via_metadata", "files_top_k": 5}
        assert await search.found("poem policy", **named, search_filters=german) == ["song"]
        assert set(await search.found("poem policy", **named)) == {"song", "returns"}
        passing: tuple[Data | None, ...] = (None, {"filters": []}, {"filters": [], "condition": "or"})
        for everything in passing:
            assert await scores(search, search_filters=everything) == await scores(search)
        nothing = asking("lang", "in", [])
        for mode in ("chunks", "files_via_content", "files_via_metadata", "auto_routed"):
            assert await search.found(ASKED, retrieval_mode=mode, search_filters=nothing) == []


async def test_reranking_acts_only_when_it_is_enabled(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, rerank_url=model[1], openai_model=NO_JUDGE) as (search, server):
        before = list(await scores(search, alpha=0))
        assert before == list(await scores(search, alpha=0, rerank_top_n=1, enable_reranking=False))
        judged = [{"index": at, "relevance_score": at / 10} for at in range(len(before))]
        await server.script({"match": {"endpoint": "rerank"}, "json": {"results": judged}})
        after = await search.ask(ASKED, alpha=0, enable_reranking=True)
        assert after["metadata"] == {"mode": "chunks", "rerank": "endpoint"}
        assert [source_of(node) for node in after["retrieval_nodes"]] == before[::-1]
        assert len(await scores(search, alpha=0, enable_reranking=True, rerank_top_n=2)) == 2


async def test_modes_and_the_number_of_files(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, _):
        chunks = await search.ask(ASKED)
        content = await search.ask(ASKED, retrieval_mode="files_via_content", alpha=1)
        metadata = await search.ask(ASKED, retrieval_mode="files_via_metadata")
        routed = await search.ask(ASKED, retrieval_mode="auto_routed")
        assert [a["metadata"]["mode"] for a in (chunks, content, metadata, routed)] == [
            "chunks",
            "files_via_content",
            "files_via_metadata",
            "files_via_metadata",
        ]
        assert len(chunks["retrieval_nodes"]) == len(CORPUS)
        for answer in (content, metadata, routed):
            (node,) = answer["retrieval_nodes"]
            assert (source_of(node), node["node"]["text"]) == ("returns", RETURNS)
        for count in (1, 2, 3):
            settings: Data = {"retrieval_mode": "files_via_content", "files_top_k": count, "alpha": 0.5}
            assert await search.found(ASKED, **settings) == list(await scores(search, alpha=0.5))[:count]
