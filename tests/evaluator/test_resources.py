"""Agents, scenarios and what belongs to them: stored, read, changed, deleted, and by whom."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from schemas.evaluator import RESOURCES
from tests.evaluator.client import NOWHERE, Client, Desk, desk_of
from tests.support.running import Server

KINDS = [*RESOURCES]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
NAMES = {"aiagents": "agent_name"}


@pytest_asyncio.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    async with desk_of(server) as found:
        yield found


@pytest_asyncio.fixture
async def author(desk: Desk) -> Client:
    return await desk.person()


async def made(author: Client, kind: str, **body: Any) -> int:
    """Store a resource that needs no other of the test's."""
    if kind == "scenarios" and "agent" not in body:
        body["agent"] = await author.create("aiagents")
    return await author.create(kind, **body)


async def test_a_resource_is_stored_read_changed_and_deleted(author: Client) -> None:
    for kind in KINDS:
        await live(author, kind)


async def live(author: Client, kind: str) -> None:
    """Take a resource through its life."""
    number = await made(author, kind)
    assert author.answered["Location"] == f"/test_framework/v1/{kind}/{number}/"
    found = await author.get(f"{kind}/{number}/")
    assert found["id"] == number
    assert STAMP.fullmatch(found["created_at"])
    assert STAMP.fullmatch(found["updated_at"])
    name = NAMES.get(kind, "name")
    changed = await author.ask("PATCH", f"{kind}/{number}/", {name: "another"}, status=200)
    assert {**changed, "updated_at": ""} == {**found, name: "another", "updated_at": ""}
    body = {k: v for k, v in changed.items() if k not in ("id", "created_at", "updated_at")}
    again = await author.ask("PUT", f"{kind}/{number}/", {**body, name: "third"}, status=200)
    assert again[name] == "third"
    assert (await author.get(f"{kind}/"))["results"] == [again]
    assert await author.ask("DELETE", f"{kind}/{number}/", status=204) is None
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await author.ask(method, f"{kind}/{number}/", body, status=404)
        assert list(answer) == ["detail"]


async def test_every_spelling_is_answered_without_a_redirect(author: Client) -> None:
    for kind in KINDS:
        for version in ("v1", "v2"):
            for name in (kind, f"{kind}-external"):
                for slash in ("", "/"):
                    number = await made(author, kind)
                    address = f"/test_framework/{version}/{name}"
                    assert (await author.get(address + slash))["count"] >= 1
                    one = f"{address}/{number}{slash}"
                    assert (await author.get(one))["id"] == number
                    await author.ask("DELETE", one, status=204)


async def test_lists_come_in_pages_with_the_addresses_of_their_neighbours(author: Client) -> None:
    numbers = [await author.create("personalities", name=f"p{n}") for n in range(5)]
    address: str | None = "personalities/?page_size=2"
    seen: list[int] = []
    pages: list[dict[str, Any]] = []
    while address:
        page = await author.get(address)
        assert list(page) == ["count", "next", "previous", "results"]
        assert page["count"] == 5
        seen += [item["id"] for item in page["results"]]
        pages.append(page)
        address = page["next"].removeprefix(author.url) if page["next"] else None
    assert seen == numbers[::-1]
    assert pages[0]["previous"] is None
    assert pages[1]["previous"] == f"{author.url}/test_framework/v1/personalities/?page_size=2&page=1"
    assert (await author.get("personalities/?page=4&page_size=2", 404)) == {"detail": "Invalid page."}
    await author.get(f"personalities/?page={2**53}&page_size=200", 404)
    for query in ("page=0", "page=x", "page=-1", "page_size=201", "page_size=1.5", f"page={10**17}"):
        assert list(await author.get(f"personalities/?{query}", 400)) == [query.partition("=")[0]]


async def test_scenarios_are_listed_by_agent(author: Client) -> None:
    agents = [await author.create("aiagents") for _ in range(2)]
    scenarios = [await author.create("scenarios", agent=agent) for agent in agents]
    for agent, scenario in zip(agents, scenarios, strict=True):
        page = await author.get(f"scenarios/?agent_id={agent}")
        assert [item["id"] for item in page["results"]] == [scenario]
    assert list(await author.get("scenarios/?agent_id=x", 400)) == ["agent_id"]


async def test_secrets_are_written_and_never_read_back(desk: Desk, author: Client) -> None:
    number = await author.create(
        "aiagents",
        websocket_secret="s3cret-1",
        webhook_secret="s3cret-2",
        websocket_headers={"Authorization": "Bearer s3cret-3"},
    )
    answers = [
        await author.raw("GET", f"aiagents/{number}/", status=200),
        await author.raw("GET", "aiagents/", status=200),
        await author.raw("PATCH", f"aiagents/{number}/", status=200, data=b'{"description": "x"}'),
        await author.raw("PUT", f"aiagents/{number}/", status=200, data=b'{"agent_name": "y"}'),
    ]
    assert all(b"s3cret-1" not in answer and b"s3cret-2" not in answer for answer in answers)
    found = await author.get(f"aiagents/{number}/")
    assert (found["has_websocket_secret"], found["has_webhook_secret"]) == (True, True)
    assert found["websocket_headers"] == {}  # PUT replaces what can be read
    gone = await author.ask("PATCH", f"aiagents/{number}/", {"websocket_secret": None}, status=200)
    assert (gone["has_websocket_secret"], gone["has_webhook_secret"]) == (False, True)
    headers = {"websocket_headers": {"Authorization": "Bearer s3cret-3"}}
    await author.ask("PATCH", f"aiagents/{number}/", headers, status=200)
    ops = await desk.person("ops")
    assert b"s3cret-3" not in await ops.raw("GET", f"aiagents/{number}/", status=200)


async def test_what_is_in_use_is_not_deleted_and_the_answer_names_who_uses_it(author: Client) -> None:
    used = {
        "agent": ("aiagents", await author.create("aiagents")),
        "personality": ("personalities", await author.create("personalities")),
        "test_profile": ("test-profiles", await author.create("test-profiles")),
        "metrics": ("metrics", await author.create("metrics")),
    }
    body = {field: [number] if field == "metrics" else number for field, (_, number) in used.items()}
    scenario = await author.create("scenarios", name="orders cups", **body)
    for kind, number in used.values():
        answer = await author.ask("DELETE", f"{kind}/{number}/", status=409)
        assert f"scenario {scenario} “orders cups”" in answer["detail"]
    await author.ask("DELETE", f"scenarios/{scenario}/", status=204)
    for kind, number in used.values():
        await author.ask("DELETE", f"{kind}/{number}/", status=204)


async def test_an_assistant_id_may_be_a_number_and_is_kept_as_text(author: Client) -> None:
    agent = await author.create("aiagents", assistant_id=12345678901, websocket_url=NOWHERE)
    assert (await author.get(f"aiagents/{agent}/"))["assistant_id"] == "12345678901"
    await author.create("scenarios", agent=agent)
    body = {"scenarios": "all", "assistant_id": 12345678902}
    refused = await author.post("scenarios/run_scenarios_text/", body, 400)
    assert refused == {"assistant_id": ["Invalid assistant ID or agent not found"]}
    answer = await author.post("scenarios/run_scenarios_text/", {**body, "assistant_id": 12345678901})
    assert answer["agent"] == agent


async def test_an_assistant_id_belongs_to_one_agent_of_a_project(desk: Desk, author: Client) -> None:
    answers = await asyncio.gather(
        *(author.outcome("aiagents/", {"agent_name": "a", "assistant_id": "assistant-1"}) for _ in range(4))
    )
    assert sorted(status for status, _ in answers) == [201, 400, 400, 400]
    refused = next(body for status, body in answers if status == 400)
    assert list(refused) == ["assistant_id"]
    other = await author.create("aiagents")
    answer = await author.ask("PATCH", f"aiagents/{other}/", {"assistant_id": "assistant-1"}, status=400)
    assert list(answer) == ["assistant_id"]
    foreign = await desk.person(org="elsewhere")
    await foreign.create("aiagents", assistant_id="assistant-1")
    first = next(body["id"] for status, body in answers if status == 201)
    await author.ask("PATCH", f"aiagents/{first}/", {"assistant_id": None}, status=200)
    await author.ask("PATCH", f"aiagents/{other}/", {"assistant_id": "assistant-1"}, status=200)


async def test_changes_of_one_resource_at_the_same_time_are_all_kept(author: Client) -> None:
    number = await author.create("aiagents")
    changes: list[dict[str, Any]] = [
        {"description": "d"},
        {"inbound": False},
        {"websocket_url": "wss://agent.example.org/"},
    ]
    await asyncio.gather(*(author.ask("PATCH", f"aiagents/{number}", c, status=200) for c in changes))
    found = await author.get(f"aiagents/{number}")
    assert all(found[name] == value for change in changes for name, value in change.items())


async def test_what_is_put_to_use_while_it_is_deleted_is_there_or_unused(author: Client) -> None:
    agent = await author.create("aiagents")
    kept = await author.create("scenarios", agent=agent)
    for n in range(20):
        metric = await author.create("metrics")
        body = {"name": "s", "agent": agent, "instructions": "i", "metrics": [metric]}
        path, method = (f"scenarios/{kept}", "PATCH") if n % 2 else ("scenarios/", "POST")
        deleted, (status, answer) = await asyncio.gather(
            author.status("DELETE", f"metrics/{metric}"), author.outcome(path, body, method=method)
        )
        assert (deleted, status) in ((204, 400), (409, 201), (409, 200), (409, 400)), answer
        there = await author.status("GET", f"metrics/{metric}")
        users = [one for one in (await author.get("scenarios/"))["results"] if metric in one["metrics"]]
        assert there == (200 if deleted == 409 else 404)
        assert not users or there == 200


async def test_of_deletions_at_the_same_time_one_finds_something(author: Client) -> None:
    number = await author.create("metrics")
    answers = await asyncio.gather(*(author.status("DELETE", f"metrics/{number}/") for _ in range(4)))
    assert sorted(answers) == [204, 404, 404, 404]


async def test_keys_of_free_objects_mean_nothing_to_the_database(author: Client) -> None:
    strange = {"$ref": "a", "$id": 1, "a.b": 2, "$set": {"x": 1}, "": 3, "__proto__": {"_id": "x"}}
    information = {"main_agent_variables": strange, "testing_agent_variables": {"a": [strange, None]}}
    number = await author.create("test-profiles", information=information)
    assert (await author.get(f"test-profiles/{number}"))["information"] == information
