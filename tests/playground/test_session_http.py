"""Playground sessions over HTTP: their shape, whose they are, and their settings."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.transports import keys
from tests.playground.chats import Data, chat, pipeline_of, said, session_of
from tests.support.process import server_process
from tests.support.rest import Rest, people_of
from tests.support.running import Server

LLM = {
    "model_name": "GPT_4O_MINI",
    "system_prompt": None,
    "temperature": 0.1,
    "use_chain_of_thought_reasoning": None,
    "class_name": "base_component",
}
RETRIEVAL = {
    "dense_similarity_top_k": 30,
    "dense_similarity_cutoff": 0.0,
    "sparse_similarity_top_k": 30,
    "enable_reranking": None,
    "rerank_top_n": 6,
    "alpha": 0.25,  # of pipelines on the offline embedder
    "search_filters": None,
    "files_top_k": 1,
    "retrieval_mode": "chunks",
    "retrieve_image_nodes": False,
    "class_name": "base_component",
}
FILTERS = {
    "filters": [
        {"key": "year", "value": ["2023"], "operator": "in"},
        {"filters": [{"key": "draft", "value": None, "operator": "is_empty"}], "condition": "or"},
    ],
    "condition": "and",
}


async def test_a_session_has_the_whole_shape_and_stays_the_same(server: Server) -> None:
    async with people_of(server) as people:
        pipeline_id = await pipeline_of(people.a("author"))
        learner = people.a("learner")
        found = await session_of(learner, pipeline_id)
        ids = {name: found.pop(name) for name in ("id", "llm_params_id", "retrieval_params_id")}
        times = [found.pop(name) for name in ("created_at", "updated_at")]
        assert found == {
            "pipeline_id": pipeline_id,
            "user_id": learner.profile,
            "llm_params": LLM,
            "retrieval_params": RETRIEVAL,
            "chat_messages": [],
        }
        assert len(set(ids.values())) == 3
        assert all(datetime.fromisoformat(time).tzinfo and time.endswith("Z") for time in times)
        again = await session_of(learner, pipeline_id)
        assert {name: again[name] for name in ids} == ids


async def test_a_session_begins_with_the_preset_of_its_pipeline(server: Server) -> None:
    async with people_of(server) as people:
        author = people.a("author")
        preset = {"alpha": 0.7, "files_top_k": 3, "search_filters": FILTERS}
        pipeline_id = await pipeline_of(author, preset_retrieval_parameters=preset)
        learner = people.a("learner")
        assert (await session_of(learner, pipeline_id))["retrieval_params"] == {**RETRIEVAL, **preset}
        await author.put(f"pipelines/{pipeline_id}", {"preset_retrieval_parameters": {"alpha": 0.1}})
        assert (await session_of(learner, pipeline_id))["retrieval_params"]["alpha"] == 0.7
        assert (await session_of(people.a("learner"), pipeline_id))["retrieval_params"]["alpha"] == 0.1


async def test_everybody_has_a_session_of_their_own(server: Server) -> None:
    async with people_of(server) as people:
        author = people.a("author")
        pipeline_id = await pipeline_of(author)
        everybody = [author, *(people.a(role) for role in ("learner", "learner", "ops", "admin"))]
        found = [await session_of(somebody, pipeline_id) for somebody in everybody]
        assert len({session["id"] for session in found}) == len(everybody)
        assert [session["user_id"] for session in found] == [somebody.profile for somebody in everybody]
        other = await pipeline_of(author, name="Another")
        assert (await session_of(author, other))["id"] != found[0]["id"]


async def test_the_cookie_is_as_good_as_the_token(server: Server) -> None:
    async with people_of(server) as people:
        pipeline_id = await pipeline_of(people.a("author"))
        learner = people.a("learner")
        cookie = {"Cookie": f"session={learner.headers['Authorization'].removeprefix('Bearer ')}"}
        found = await session_of(learner, pipeline_id)
        nobody = people.with_token(None)
        nobody.headers = cookie
        assert await session_of(nobody, pipeline_id) == found
        address = f"pipelines/{pipeline_id}/playground-session"
        for origin, status in ((server.url, 200), ("https://elsewhere.example", 403)):
            nobody.headers = {**cookie, "Origin": origin}
            await nobody.ask("PATCH", address, status=status, data=b'{"llm_params": {"temperature": 0.5}}')


async def test_nobody_and_strangers_are_told_apart_by_status_only(server: Server) -> None:
    async with people_of(server) as people:
        pipeline_id = await pipeline_of(people.a("author"))
        private = await pipeline_of(people.a("author"), name="Mine", shared=False)
        learner, stranger = people.a("learner"), people.a("author", org="elsewhere")
        for method, path, body in requests_of(pipeline_id):
            for nobody in (people.with_token(None), people.with_token("nonsense")):
                assert await refused(nobody, method, path, body, status=401)
            assert await refused(stranger, method, path, body, status=404)
        for unknown in (private, new()):
            answers = [await refused(learner, *request, status=404) for request in requests_of(unknown)]
            assert answers == [answers[0]] * len(answers)


async def test_what_is_no_uuid_is_invalid_and_listed(server: Server) -> None:
    async with people_of(server) as people:
        learner = people.a("learner")
        for bad in ("1", "not-a-uuid", "{}", f"{new()}x"):
            for method, path, body in requests_of(bad):
                (problem,) = await refused(learner, method, path, body, status=422)
                assert problem["loc"] == ["path", "pipeline_id"]
                assert set(problem) == {"loc", "msg", "type"}


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"llm_params": {"temperature": 2.1}}, ["body", "llm_params", "temperature"]),
        ({"llm_params": {"model_name": "gpt-4o"}}, ["body", "llm_params", "model_name"]),
        ({"llm_params": {"system_prompt": 1}}, ["body", "llm_params", "system_prompt"]),
        ({"retrieval_params": {"alpha": 1.01}}, ["body", "retrieval_params", "alpha"]),
        ({"retrieval_params": {"files_top_k": 6}}, ["body", "retrieval_params", "files_top_k"]),
        ({"retrieval_params": {"rerank_top_n": 0}}, ["body", "retrieval_params", "rerank_top_n"]),
        (
            {"retrieval_params": {"search_filters": {}}},
            ["body", "retrieval_params", "search_filters", "filters"],
        ),
        ({"retrieval_params": {"retrieval_mode": "all"}}, ["body", "retrieval_params", "retrieval_mode"]),
        ([], ["body"]),
    ],
)
async def test_settings_out_of_bounds_are_refused_and_nothing_changes(
    server: Server, body: Any, loc: list[str]
) -> None:
    async with people_of(server) as people:
        pipeline_id = await pipeline_of(people.a("author"))
        learner = people.a("learner")
        before = await session_of(learner, pipeline_id)
        path = f"pipelines/{pipeline_id}/playground-session"
        problems = await refused(learner, "PATCH", path, body, status=422)
        assert [problem["loc"] for problem in problems] == [loc]
        assert await session_of(learner, pipeline_id) == before


async def test_settings_that_are_given_change_and_the_others_stay(server: Server) -> None:
    async with people_of(server) as people:
        pipeline_id = await pipeline_of(people.a("author"))
        learner = people.a("learner")
        before = await session_of(learner, pipeline_id)
        changes: list[Data] = [
            {"llm_params": {"system_prompt": "Be brief.", "temperature": 0.9}},
            {"retrieval_params": {"alpha": 0, "search_filters": FILTERS}},
            {"llm_params": {"system_prompt": None}, "retrieval_params": {"search_filters": None}},
            {},
        ]
        for change in changes:
            answered = await patch(learner, pipeline_id, change)
            assert answered == await session_of(learner, pipeline_id)
            for part, settings in change.items():
                before[part] = {**before[part], **settings}
            assert {part: answered[part] for part in ("llm_params", "retrieval_params")} == {
                part: before[part] for part in ("llm_params", "retrieval_params")
            }
        assert answered["llm_params"]["temperature"] == 0.9
        assert answered["updated_at"] >= before["updated_at"]


async def test_nothing_of_a_forgotten_session_is_left(server: Server) -> None:
    async with people_of(server) as people:
        pipeline_id = await pipeline_of(people.a("author"))
        learner = people.a("learner")
        await patch(learner, pipeline_id, {"llm_params": {"temperature": 1.5}})
        await chat(learner, pipeline_id, said("Remember the marmalade."))
        before = await session_of(learner, pipeline_id)
        assert len(before["chat_messages"]) == 2
        path = f"pipelines/{pipeline_id}/playground-session"
        for _ in range(2):
            assert await learner.delete(path) is None
        after = await session_of(learner, pipeline_id)
        assert after["id"] != before["id"]
        assert (after["chat_messages"], after["llm_params"]) == ([], LLM)
        room = f"playground_{before['id']}"
        await learner.get(f"rooms/{room}/entries", status=404)


async def test_fifty_at_once_over_two_processes_find_one_session(server: Server, tmp_path: Path) -> None:
    settings = server.app[keys.SETTINGS]
    async with people_of(server) as people, server_process(settings, tmp_path / "server.log") as other:
        await other.start()
        pipeline_id = await pipeline_of(people.a("author"))
        learner = people.a("learner")
        async with aiohttp.ClientSession(headers=learner.headers) as http:

            async def get(url: str) -> Data:
                path = f"{url}/api/v1/pipelines/{pipeline_id}/playground-session"
                async with http.get(path) as response:
                    assert response.status == 200, await response.text()
                    found: Data = await response.json()
                    return found

            found = await asyncio.gather(*(get((server.url, other.url)[i % 2]) for i in range(50)))
        assert all(session == found[0] for session in found)


def requests_of(pipeline_id: str) -> list[tuple[str, str, Any]]:
    """Return a valid request for each address of a session."""
    path = f"pipelines/{pipeline_id}/playground-session"
    return [
        ("GET", path, None),
        ("PATCH", path, {"llm_params": {"temperature": 0}}),
        ("DELETE", path, None),
        ("POST", f"pipelines/{pipeline_id}/chat", {"messages": said("Hello?")}),
    ]


async def refused(rest: Rest, method: str, path: str, body: Any, *, status: int) -> Any:
    """Return the detail with which a request is refused."""
    data = None if body is None else orjson.dumps(body)
    answer = orjson.loads(await rest.ask(method, path, status=status, data=data))
    assert set(answer) == {"detail"}
    return answer["detail"]


async def patch(rest: Rest, pipeline_id: str, change: Data) -> Data:
    """Change settings of a session and return it."""
    path = f"pipelines/{pipeline_id}/playground-session"
    answer: Data = orjson.loads(await rest.ask("PATCH", path, status=200, data=orjson.dumps(change)))
    return answer
