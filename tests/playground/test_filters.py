"""Filters through the endpoint: every operator, nested conditions, and what is refused."""

from typing import Any

from server.llm.scripted import ScriptedModel
from tests.playground.fixed import CORPUS, NO_JUDGE, asking, corpus
from tests.playground.searching import search_of
from tests.support.running import Server

QUERY = "vehicle goods days garage"
FOUND: list[tuple[str, str, Any, str]] = [
    ("year", "==", 2023, "returns"),
    ("year", "==", "2023", "song"),
    ("year", "!=", 2023, "repairs song holiday"),
    ("lang", "!=", "de", "returns repairs holiday"),
    ("year", ">", 2021, "returns holiday"),
    ("year", ">=", 2021, "returns repairs holiday"),
    ("year", "<", 2023, "repairs"),
    ("year", "<=", "2023", "song"),
    ("year", "in", ["2023"], "returns song"),
    ("year", "in", [2023, 2024], "returns song holiday"),
    ("year", "nin", ["2023", "2021"], "holiday"),
    ("lang", "nin", ["de", "en"], "returns holiday"),
    ("tags", "any", ["money", "works"], "returns repairs holiday"),
    ("tags", "all", ["money", "staff"], "holiday"),
    ("tags", "contains", "shop", "returns"),
    ("file_name", "contains", "policy", "returns"),
    ("file_name", "text_match", ".md", "returns repairs"),
    ("file_name", "text_match", "Policy", ""),
    ("lang", "is_empty", None, "returns holiday"),
    ("tags", "is_empty", None, "song"),
    ("note", "is_empty", None, "returns repairs song holiday"),
]
YOUNG = {"key": "year", "operator": ">", "value": 2022}
MONEY = {"key": "tags", "operator": "contains", "value": "money"}
POEM = {"key": "file_name", "operator": "text_match", "value": "poem"}
SHOP = {"key": "tags", "operator": "any", "value": ["shop"]}


async def test_every_operator_and_nested_conditions(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, _):
        assert len(await search.found(QUERY)) == len(CORPUS)
        for key, operator, value, expected in FOUND:
            found = await search.found(QUERY, search_filters=asking(key, operator, value))
            assert set(found) == set(expected.split()), (key, operator, value)

        async def passing(*filters: Any, condition: str | None = "and") -> set[str]:
            return set(
                await search.found(QUERY, search_filters={"filters": list(filters), "condition": condition})
            )

        assert await passing(YOUNG, MONEY) == {"returns", "holiday"}
        assert await passing(YOUNG, MONEY, condition=None) == {"returns", "holiday"}
        assert await passing(POEM, SHOP, condition="or") == {"song", "returns"}
        either = {"filters": [POEM, SHOP], "condition": "or"}
        assert await passing(either, YOUNG) == {"returns"}
        assert await passing(either, {"filters": [YOUNG, MONEY]}, condition="or") == {
            "song",
            "returns",
            "holiday",
        }
        assert await passing(POEM, {"filters": []}, condition="or") == {d["id"] for d in CORPUS}
        # written anew, a document is found by what it says now
        await search.put({**CORPUS[2], "metadata": {"file_name": "song.txt"}})
        assert await passing(POEM) == set()


DEEP: Any = {"filters": []}
for _ in range(8):
    DEEP = {"filters": [DEEP]}
REFUSED: list[Any] = [
    {},
    {"filters": [{"key": "a"}]},
    {"filters": [{"key": "", "value": 1}]},
    {"filters": [{"key": "a", "value": {"$gt": 1}}]},
    {"filters": [{"key": "a", "value": 1, "operator": "$gt"}]},
    {"filters": [{"key": "a", "value": [[1]]}]},
    {"filters": [{"key": "a", "value": 2**63}]},
    {"filters": [{"key": "a", "value": "x\0"}]},
    {"filters": [{"key": "a", "value": "x" * 8_001}]},
    {"filters": [{"key": "a", "value": list(range(1_001))}]},
    {"filters": [{"key": "a", "value": list(range(999)), "operator": "in"}] * 3},
    {"filters": [], "condition": "not"},
    DEEP,
]


async def test_filters_that_mean_nothing_or_too_much_are_refused(server: Server) -> None:
    async with search_of(server) as (search, _):
        for filters in REFUSED:
            answer = await search.ask("fox", search_filters=filters, status=422)
            assert all(problem["loc"][0] == "body" for problem in answer["detail"]), filters
            preset = {"name": "x", "preset_retrieval_parameters": {"search_filters": filters}}
            await search.rest.put("pipelines", preset, status=422)
