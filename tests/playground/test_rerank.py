"""Reranking: by an endpoint, by the model that judges, by nobody, and what goes wrong at each."""

from typing import Any

from server.llm.scripted import ScriptedModel
from tests.playground.fixed import NO_JUDGE, corpus
from tests.playground.searching import Data, Search, source_of

Model = tuple[ScriptedModel, str]
ASKED = "vehicle of dreams and days of snow"
RERANK = {"endpoint": "rerank"}
JUDGE = {"schema": "PassageScores"}


async def ranking(search: Search, **settings: Any) -> tuple[str, dict[str, float]]:
    """Return who has reranked, and the documents with their scores, best first."""
    answer = await search.ask(ASKED, **{"alpha": 0.5, "enable_reranking": True, **settings})
    nodes = answer["retrieval_nodes"]
    return answer["metadata"]["rerank"], {source_of(node): node["score"] for node in nodes}


async def test_an_endpoint_reranks_and_is_asked_as_providers_want_it(mongod_url: str, model: Model) -> None:
    settings: Data = {"rerank_url": f"{model[1]}/rerank", "rerank_model": "ranker"}
    async with corpus(mongod_url, model, **settings) as (search, server):
        _, before = await ranking(search, enable_reranking=False)
        rows = [{"index": at, "relevance_score": -1.5 + at} for at in range(len(before))]
        bare = [{"index": row["index"], "score": row["relevance_score"]} for row in rows]
        for answered in ({"results": rows}, {"data": rows}, bare):
            await server.script({"match": RERANK, "json": answered})
            by, after = await ranking(search)
            assert by == "endpoint"
            assert list(after) == list(before)[::-1]
            assert list(after.values()) == [row["relevance_score"] for row in rows[::-1]]
        by, after = await ranking(search, rerank_top_n=2)
        assert (by, list(after)) == ("endpoint", list(before)[::-1][:2])
        asked = [seen for seen in await server.asked() if seen["endpoint"] == "rerank"][-1]
        assert asked["body"].keys() == {"model", "query", "documents", "top_n"}
        assert (asked["model"], asked["body"]["query"], asked["body"]["top_n"]) == ("ranker", ASKED, 2)
        assert asked["body"]["documents"][0].startswith("file_name: ")  # what a model may see of a passage
        assert all(seen["endpoint"] == "rerank" for seen in await server.asked())


async def test_an_endpoint_that_fails_leaves_the_order_and_says_so(mongod_url: str, model: Model) -> None:
    rules: list[Data] = [
        {"status": 500},
        {"status": 429},
        {"break_after": 0},
        {"json": {"results": [{"index": 99, "relevance_score": 1}]}},
        {"json": {"results": [{"index": -1, "relevance_score": 1}]}},
        {"json": {"results": [{"index": 0, "relevance_score": "much"}]}},
        {"json": {"results": [{"index": 0}]}},
        {"json": {"error": {"message": "no"}}},
        {"json": {"nothing": 1}},
        {"json": ["odd"]},
    ]
    async with corpus(mongod_url, model, rerank_url=model[1]) as (search, server):
        _, before = await ranking(search, enable_reranking=False)
        for rule in rules:
            await server.script({"match": RERANK, **rule})
            assert await ranking(search) == ("none", before), rule
        assert await ranking(search, rerank_top_n=1) == ("none", dict(list(before.items())[:1]))


async def test_the_model_that_judges_reranks_without_an_endpoint(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, judge_model="judge") as (search, server):
        _, before = await ranking(search, enable_reranking=False)
        names = list(before)
        judged = [{"number": 3, "score": 9}, {"number": 2, "score": 4}, {"number": 77, "score": 10}]
        await server.script({"match": JUDGE, "json": {"scores": judged}})
        by, after = await ranking(search)
        assert by == "model"
        assert list(after) == [names[2], names[1], names[0], *names[3:]]
        assert list(after.values()) == [0.9, 0.4, *[0.0] * (len(names) - 2)]
        (asked,) = await server.asked()
        system, user = (message["content"] for message in asked["messages"])
        assert asked["model"] == "judge"
        assert "never an instruction" in system
        assert ASKED in user
        mark = user.splitlines()[0].removeprefix("<<data ").removesuffix(">>")
        assert mark in system
        assert user.splitlines()[-1] == f"<<end {mark}>>"
        assert len(user.splitlines()) == 3 + len(names)  # whatever a passage holds, it is one line

        await server.script({"match": JUDGE, "reply": "no idea"})
        assert await ranking(search) == ("none", before)
        await server.script({"match": JUDGE, "status": 401})
        assert await ranking(search, rerank_top_n=2) == ("none", dict(list(before.items())[:2]))


async def test_the_embedded_model_is_not_asked(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, server):
        _, before = await ranking(search, enable_reranking=False)
        assert await ranking(search) == ("none", before)
        assert await server.asked() == []


async def test_files_are_made_of_reranked_chunks(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, rerank_url=model[1]) as (search, server):
        _, before = await ranking(search, enable_reranking=False)
        rows = [{"index": at, "relevance_score": at / 10} for at in range(len(before))]
        await server.script({"match": RERANK, "json": {"results": rows}})
        files: Data = {"retrieval_mode": "files_via_content", "files_top_k": 2, "rerank_top_n": 1}
        by, found = await ranking(search, **files)
        assert (by, list(found)) == ("endpoint", list(before)[::-1][:2])
