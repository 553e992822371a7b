"""The ready job, byte for byte over the real WebSocket, against its mirror and a scripted model."""

import random
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from ruamel.yaml import YAML

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.batch.seed_table import (
    ENGLISH,
    FIGURES,
    REQUESTS,
    ROWS,
    SCRIPT,
    TOTAL,
    TRANSLATION,
    expected,
)
from tests.support.batch_jobs import KEYS, KLARNA, MIRROR, Message, is_summary, seed_job, talk
from tests.support.running import Server, running, settings_for


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that reads plugins from the mirror, with a model that answers the ready job."""
    async with running(settings_for(mongod_url, model[1], url_mirror=MIRROR)) as (url, app):
        model[0].script(SCRIPT)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest.fixture
def author(server: Server) -> str:
    return server.token(new(), role="author")


def untimed(results: list[Message]) -> list[Message]:
    """Return results as the table has them, in an order of their own: a result's cost has no translation."""
    kept = []
    for result in results:
        shown = {k: v for k, v in result.items() if k in expected(*next(iter(ROWS)))}
        kept.append(shown | {"llm_api_cost": round(shown["llm_api_cost"], 9)})
    return sorted(kept, key=lambda r: (r["permutation_name"], r["test_case_name"], r["language"]))


def without_translation(results: list[Message]) -> list[Message]:
    """Take what the one translation cost out of the one result that it was counted with."""
    tokens, cost = TRANSLATION
    paid = [r for r in results if r["total_llm_tokens_used"] > expected(*key_of(r))["total_llm_tokens_used"]]
    assert [r["language"] for r in paid] == ["Spanish"]
    taken = {
        "total_llm_tokens_used": paid[0]["total_llm_tokens_used"] - tokens,
        "llm_api_cost": paid[0]["llm_api_cost"] - cost,
    }
    return [r | taken if r is paid[0] else r for r in results]


def key_of(result: Message) -> tuple[str, str, str]:
    return result["permutation_name"], result["test_case_name"], result["language"]


def assert_is_the_table(results: list[Message]) -> None:
    assert untimed(without_translation(results)) == [expected(*key) for key in sorted(ROWS)]
    assert [r["index"] for r in results] == list(range(len(ROWS)))


async def whole_job(server: Server, author: str, first: object) -> tuple[list[Message], Message]:
    async with talk(server.url, author, first) as socket:
        return await socket.whole()


async def test_every_run_comes_to_what_was_worked_out_by_hand(server: Server, author: str) -> None:
    results, summary = await whole_job(server, author, seed_job())
    assert_is_the_table(results)
    for result in results:
        assert tuple(result)[: len(KEYS)] == KEYS
        assert isinstance(result["response_time_sec"], float)
        assert result["response_time_sec"] == round(result["response_time_sec"], 2)
        assert result["job_id"] == summary["job_id"]
    assert summary["status"] == "completed"
    assert summary["job_name"].startswith("klarna_plugin_test-1.1.0-20")
    assert summary["details"] == results
    assert {k: summary["summary"][k] for k in FIGURES} == FIGURES
    assert summary["summary"]["total_llm_api_cost"] == pytest.approx(TOTAL[1], abs=1e-9)
    assert sum(r["cached_calls"] for r in results) == FIGURES["cached_calls"]
    parts = {part["name"]: (part["passed"], part["failed"]) for part in summary["summary_by_permutation"]}
    assert parts == dict.fromkeys(("permutation1", "permutation2", "permutation3"), (2, 2))
    parts = {part["name"]: (part["passed"], part["failed"]) for part in summary["summary_by_language"]}
    assert parts == {"English": (6, 0), "Spanish": (0, 6)}


async def test_the_model_is_asked_each_question_once(server: Server, author: str) -> None:
    await whole_job(server, author, seed_job())
    asked = server.model.requests
    assert len(asked) == len({orjson.dumps(request.body) for request in asked}) == REQUESTS
    translations = [r for r in asked if "translator" in str(r.messages[0]["content"])]
    assert [r.messages[-1]["content"] for r in translations] == [ENGLISH]
    for request in asked:
        if request not in translations:
            sent = {k: request.body[k] for k in ("temperature", "max_tokens", "top_p", "n")}
            assert sent == {"temperature": 0, "max_tokens": 1024, "top_p": 1, "n": 1}
        assert "best_of" not in request.body


async def test_the_same_job_in_yaml_gives_the_same(server: Server, author: str) -> None:
    job = YAML(typ="safe", pure=True).load(KLARNA / "job.yaml")
    assert "permutation" in job["permutations"][0]
    results, _ = await whole_job(server, author, job)
    assert_is_the_table(results)


async def test_the_job_is_what_its_contract_shows() -> None:
    job = orjson.loads(seed_job())
    assert list(job) == [
        "version",
        "name",
        "config",
        "test_plugin",
        "plugin_groups",
        "permutations",
        "test_cases",
    ]
    assert [p["permutation"] for p in job["permutations"]] == [None] * 3
    assert [c["test_case"] for c in job["test_cases"]] == [None] * 2


async def test_another_plugin_is_not_the_expected_one(server: Server, author: str) -> None:
    job = orjson.loads(seed_job()) | {"config": {}}
    job["permutations"] = job["permutations"][:1]
    job["permutations"][0]["tool_selector"]["plugin_group_name"] = "my_group2"
    server.model.script([{"tool_calls": [{"name": "get_search", "arguments": {"q": "T shirt", "count": 5}}]}])
    results, _ = await whole_job(server, author, job)
    assert [r["verdict"] for r in results] == ["Failed", "Failed"]
    for result in results:
        assert (result["match_score"], result["is_plugin_detected"], result["plugin_name"]) == (
            0,
            False,
            None,
        )
        assert [d["plugin_name"] for d in result["detected"]] == ["Imprompt Web Search"]
        assert result["detected"][0]["parameters"] == {"q": "T shirt", "count": 5}
    offered = server.model.requests[0].tools
    assert offered == ["get_public_openai_v0_products", "get_search", "get_news"]  # what manifests allow


@pytest.mark.parametrize("seed", range(4))
async def test_a_job_is_resumed_at_random_points_until_it_ends(
    server: Server, author: str, seed: int
) -> None:
    chance = random.Random(seed)
    slowed = [rule | {"first_delay_ms": chance.uniform(0, 60)} for rule in SCRIPT]
    server.model.script(slowed)
    seen: dict[int, Message] = {}
    first: Any = seed_job()
    while True:
        async with talk(server.url, author, first) as socket:
            heard = await socket.results(chance.randint(1, 6))
        ended = is_summary(heard[-1])
        results = heard[:-1] if ended else heard
        start = first["from"] if isinstance(first, dict) else 0
        assert [r["index"] for r in results] == list(range(start, start + len(results)))
        assert all(seen.setdefault(r["index"], r) == r for r in results)
        if ended:
            break
        first = {"resume": heard[0]["job_id"], "from": chance.randint(0, len(seen))}
    assert_is_the_table([seen[i] for i in sorted(seen)])
    assert heard[-1]["details"] == [seen[i] for i in sorted(seen)]
    assert len(server.model.requests) == REQUESTS


@pytest.mark.parametrize("seed", range(4))
async def test_a_cancelled_job_keeps_what_it_has(server: Server, author: str, seed: int) -> None:
    chance = random.Random(seed)
    server.model.script([rule | {"first_delay_ms": chance.uniform(0, 80)} for rule in SCRIPT])
    async with talk(server.url, author, seed_job()) as socket:
        heard = await socket.results(chance.randint(1, 8))
        await socket.say({"cancel": True})
        rest, summary = await socket.whole()
    results = heard + rest
    assert [r["index"] for r in results] == list(range(len(results)))
    assert summary["status"] in ("cancelled", "completed")
    if summary["status"] == "cancelled":
        assert len(results) < len(ROWS)
    assert summary["details"] == results
    assert summary["summary"]["total_test_cases"] == len(results)
    again, ending = await whole_job(server, author, {"resume": summary["job_id"]})
    assert (again, ending) == (results, summary)
