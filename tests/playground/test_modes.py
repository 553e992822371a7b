"""Whole files: by their content, by their names and metadata, and who chooses the mode."""

from typing import Any

from server.engine.ids import new
from server.engine.playground.retrieval.modes import MAX_FILE_TEXT
from server.llm.scripted import ScriptedModel
from tests.engine.playground.pdfs import encrypted
from tests.playground.client import indexed, upload
from tests.playground.fixed import NO_JUDGE, asking, corpus
from tests.playground.searching import Data, Search, source_of

Model = tuple[ScriptedModel, str]
BY_NAME: Data = {"retrieval_mode": "files_via_metadata", "files_top_k": 5}
JUDGE = {"schema": "PassageScores"}
CHOOSE = {"schema": "ModeChoice"}
# Chunks are 1,024 tokens, so that of the book there are many.
SENTENCE = "The lighthouse keeper counts the ships of the harbour at dawn. "
BOOK: Data = {"id": "book", "text": SENTENCE * 2_000, "metadata": {"title": "Harbour Chronicle"}}


async def routed(search: Search, query: str, **settings: Any) -> str:
    """Return the mode that is chosen for a query."""
    answer = await search.ask(query, retrieval_mode="auto_routed", **settings)
    mode: str = answer["metadata"]["mode"]
    return mode


async def test_a_file_is_given_whole_once_and_up_to_a_bound(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, BOOK, openai_model=NO_JUDGE) as (search, _):
        chunks = await search.ask("harbour lighthouse keeper", alpha=0)
        assert {source_of(node) for node in chunks["retrieval_nodes"]} == {"book"}
        assert len(chunks["retrieval_nodes"]) > 5
        by_content: Data = {"retrieval_mode": "files_via_content", "files_top_k": 3, "alpha": 0}
        answer = await search.ask("harbour lighthouse keeper", **by_content)
        (node,) = answer["retrieval_nodes"]
        assert node["score"] == max(chunk["score"] for chunk in chunks["retrieval_nodes"])
        assert node["node"]["text"] == BOOK["text"][:MAX_FILE_TEXT]
        assert (node["node"]["start_char_idx"], node["node"]["end_char_idx"]) == (0, MAX_FILE_TEXT)
        assert node["node"]["extra_info"] == BOOK["metadata"]
        assert answer["metadata"] == {"mode": "files_via_content", "rerank": "none", "files_cut": "1"}
        # a short file beside it is whole, and nothing is said of it
        answer = await search.ask("poem", **BY_NAME)
        assert answer["metadata"] == {"mode": "files_via_metadata", "rerank": "none"}


async def test_a_replaced_file_is_whole_as_it_was_until_the_new_one_is_read(
    mongod_url: str, model: Model
) -> None:
    text = SENTENCE * 200  # of several chunks that overlap
    log: Data = {"id": "log", "text": text, "metadata": {"title": "Harbour Log"}}
    async with corpus(mongod_url, model, log, openai_model=NO_JUDGE) as (search, _):
        locked = {"log.pdf": encrypted("The harbour is closed.")}
        await upload(search.rest, search.pipeline_id, locked, method="PUT", id="log")
        status = await indexed(search.rest, search.pipeline_id, document="log")
        assert status["status"] == "ERROR"
        for mode in ("files_via_content", "files_via_metadata"):
            answer = await search.ask("harbour lighthouse log.pdf", retrieval_mode=mode, alpha=0)
            (node,) = answer["retrieval_nodes"]
            assert (source_of(node), node["node"]["text"]) == ("log", text.strip()), mode


async def test_files_are_found_by_what_they_are_called(mongod_url: str, model: Model) -> None:
    hidden = {
        "id": new(),
        "text": "Nothing of interest.",
        "metadata": {"name": "Zanzibar diary", "secret": "xylophone"},
        "excluded_llm_metadata_keys": ["secret"],
    }
    async with corpus(mongod_url, model, hidden, openai_model=NO_JUDGE) as (search, server):
        assert await search.found("the poem", **BY_NAME) == ["song"]
        assert await search.found("garage and leave", **BY_NAME) != []
        assert await search.found("zanzibar", **BY_NAME) == [hidden["id"]]
        assert await search.found("xylophone lorries", **BY_NAME) == []  # hidden, and only in a text
        assert await search.found("poem garage", **{**BY_NAME, "files_top_k": 1}) in (["song"], ["repairs"])
        works = asking("tags", "any", ["works"])
        assert await search.found("poem garage", **BY_NAME, search_filters=works) == ["repairs"]
        # what is written or deleted is noticed by the next query
        await search.put({"id": "atlas", "text": "Maps.", "metadata": {"title": "Atlas of Patagonia"}})
        assert await search.found("patagonia", **BY_NAME) == ["atlas"]
        await search.put({"id": "atlas", "text": "Maps.", "metadata": {"title": "Atlas of Norway"}})
        assert await search.found("patagonia", **BY_NAME) == []
        await search.delete("atlas")
        assert await search.found("norway", **BY_NAME) == []
        assert await server.asked() == []


async def test_a_model_judges_what_files_are_called(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model) as (search, server):
        await server.script(
            {"match": {**JUDGE, "last_contains": "poem.txt"}, "json": {"scores": [{"number": 1, "score": 8}]}}
        )
        answer = await search.ask("poem", **BY_NAME)
        assert [(source_of(n), n["score"]) for n in answer["retrieval_nodes"]] == [("song", 0.8)]
        (asked,) = await server.asked()
        shown = asked["messages"][-1]["content"]
        assert len(shown.splitlines()) == 3 + 4
        assert "vehicle of dreams" not in shown  # names and metadata only
        # files without the query's words are shown, too, and can be chosen
        await server.script(
            {"match": JUDGE, "json": {"scores": [{"number": n, "score": n} for n in (1, 2, 3)]}}
        )
        answer = await search.ask("verses", **BY_NAME)
        assert [n["score"] for n in answer["retrieval_nodes"]] == [0.3, 0.2, 0.1]
        # what fails the filters is not shown
        await search.ask("verses", **BY_NAME, search_filters=asking("lang", "==", "de"))
        shown = (await server.asked())[-1]["messages"][-1]["content"]
        assert "poem.txt" in shown
        assert "garage_rules" not in shown
        # a model that chooses nothing, or is away, leaves it to the words
        unknown = {"scores": [{"number": 9, "score": 9}]}
        rules: tuple[Data, ...] = ({"json": {"scores": []}}, {"json": unknown}, {"status": 401})
        for rule in rules:
            await server.script({"match": JUDGE, **rule})
            assert await search.found("poem", **BY_NAME) == ["song"]


async def test_a_rule_chooses_the_mode_where_no_model_can(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, _):
        for query in (
            "What does the return-policy say?",
            "show GARAGE RULES",
            "the leave of absence, please",
        ):
            assert await routed(search, query) == "files_via_metadata", query
        for query in (
            "Summarize what we owe customers",
            "an overview",
            "Fasse alles zusammen",
            "der ganze Text",
        ):
            assert await routed(search, query) == "files_via_content", query
        for query in ("How many days?", "wholesale prices", "policy", "rules"):
            assert await routed(search, query) == "chunks", query


async def test_a_model_chooses_the_mode(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model) as (search, server):
        for mode in ("chunks", "files_via_content"):
            await server.script({"match": CHOOSE, "json": {"mode": mode}})
            assert await routed(search, "show poem.txt") == mode
        shown = (await server.asked())[0]["messages"][-1]["content"]
        assert "return-policy.md" in shown
        assert "Leave of Absence" in shown
        for rule in ({"json": {"mode": "auto_routed"}}, {"status": 401}, {"reply": "?"}):
            await server.script({"match": CHOOSE, **rule})
            assert await routed(search, "summarise it") == "files_via_content"


async def test_a_pipeline_without_documents_has_no_files(mongod_url: str, model: Model) -> None:
    async with corpus(mongod_url, model, openai_model=NO_JUDGE) as (search, _):
        for name in ("returns", "repairs", "song", "holiday"):
            await search.delete(name)
        for mode in ("files_via_metadata", "files_via_content", "auto_routed"):
            assert await search.found("poem", retrieval_mode=mode) == []
