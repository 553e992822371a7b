"""Real answers, and real refusals, are what /openapi.json says of them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from schemas.content import CONTENT_KINDS
from schemas.evaluator import RESOURCES
from server.engine.ids import new
from tests.documents.checked import Checked
from tests.support.batches import job_of
from tests.support.passing import passes
from tests.support.running import Server, practice
from tests.support.trials import benchmark

WITHIN = 60.0
CLIENT = "/socket/v5/client/"
V1 = "/api/v1/"
EVALUATORS = "/test_framework/v1/"
NOBODY = "ws://127.0.0.1:9/agent"
REFUSED: tuple[tuple[str, str, object, int], ...] = (
    ("GET", V1 + "personas?limit=0", None, 400),
    ("GET", V1 + f"personas/{new()}", None, 404),
    ("PATCH", V1 + "personas", None, 405),
    ("POST", V1 + "personas", {"name": 7}, 400),
    ("GET", V1 + "attempts/none", None, 404),
    ("GET", V1 + "rooms/none", None, 404),
    ("GET", V1 + f"tests/{new()}/report", None, 404),
    ("GET", V1 + "docs/none", None, 404),
    ("POST", V1 + "drafts", {"artifact_type": "none"}, 400),
    ("POST", CLIENT + "attempt/start", {"practice_id": 7}, 400),
    ("POST", CLIENT + "attempt/message", {"attempt_id": new(), "chat_id": new(), "message": "Hello"}, 404),
    ("POST", CLIENT + "test/stop", {"invocation_id": new()}, 404),
    ("POST", CLIENT + "connect", {"token": "none"}, 401),
    ("POST", "/api/start-job", {"version": "1.0"}, 400),
    ("GET", f"/api/jobs/{new()}", None, 404),
    ("GET", V1 + "pipelines/none", None, 422),
    ("POST", V1 + "pipelines", {}, 422),
    ("GET", V1 + f"pipelines/{new()}", None, 404),
    ("GET", EVALUATORS + "results/999/", None, 404),
    ("POST", EVALUATORS + "aiagents/", {}, 400),
    ("GET", EVALUATORS + "runs/?page=0", None, 400),
)


@pytest.mark.parametrize("authorized", [True, False])
async def test_refusals(checked: Checked, authorized: bool) -> None:
    """Whatever is refused is refused as documented, and everything without a valid token."""
    if not authorized:
        checked.headers["Authorization"] = "Bearer none"
    for method, path, body, status in REFUSED:
        open_to_all = status in (405, 401)
        await checked.ask(method, path, body, status=status if authorized or open_to_all else 401)


async def test_beside_the_page(checked: Checked) -> None:
    for path in (
        "/healthz",
        "/readyz",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
    ):
        await checked.ask("GET", path)


async def test_content_and_drafts(checked: Checked) -> None:
    for kind in CONTENT_KINDS:
        found = await checked.ask("GET", f"{V1}{kind}s?limit=3")
        for item in found["items"]:
            assert (await checked.ask("GET", f"{V1}{kind}s/{item['id']}"))["version"] == item["version"]
    made = await checked.ask(
        "POST", V1 + "personas", {"name": "Eve", "instructions": "You are Eve."}, status=201
    )
    one = f"{V1}personas/{made['id']}"
    await checked.ask("PUT", one, {"name": "Eva", "instructions": "You are Eva."})
    await checked.ask(
        "PUT", one, {"name": "Eva", "instructions": "You are Eva."}, status=409, **{"If-Match": "1"}
    )
    await checked.ask("POST", f"{one}/duplicate", status=201)
    await checked.ask("GET", f"{one}/export")
    await checked.ask("DELETE", one, status=204)
    draft = await checked.ask("POST", V1 + "drafts", {"artifact_type": "persona"}, status=201)
    one = f"{V1}drafts/{draft['id']}"
    change = {"expected_version": 1, "changes": {"names": {"name": "Ada"}}}
    await checked.ask("PATCH", one, change)
    await checked.ask("PATCH", one, change, status=409)
    for path in (one, f"{one}/runs", V1 + "drafts", V1 + "docs/persona"):
        await checked.ask("GET", path)
    await checked.ask("GET", f"{one}/export", status=409)  # it cannot be saved yet
    await checked.ask("POST", f"{one}/duplicate", status=201)
    await checked.ask("DELETE", one, status=204)


async def test_a_learner_practises_and_is_read_back(checked: Checked, server: Server) -> None:
    author = dict(checked.headers)
    checked.headers["Authorization"] = f"Bearer {server.token(new())}"
    await checked.ask("POST", V1 + "personas", {"name": "Eve"}, status=403)
    opened = await checked.ask("POST", CLIENT + "connect", {})
    within = {"X-Session-Id": opened["session_id"]}
    begun = await checked.ask("POST", CLIENT + "attempt/start", {"practice_id": practice("one")}, **within)
    chat = {"chat_id": begun["chat_id"]}
    said = {**chat, "attempt_id": begun["attempt_id"]}
    await checked.ask("POST", CLIENT + "attempt/message", {**said, "message": "What is a loop?"}, **within)
    one = f"{V1}chats/{begun['chat_id']}"
    found = await until(checked, one, lambda read: len(read["messages"]) == 2 and not read["running"])
    await checked.ask("POST", CLIENT + "attempt/stop", said, status=409)
    await checked.ask("POST", CLIENT + "attempt/join", said, **within)
    await checked.ask("POST", CLIENT + "attempt/end", {**said, "grade": True}, **within)
    await until(checked, one, lambda read: read["ended"])
    attempt = f"{V1}attempts/{begun['attempt_id']}"
    room = f"{V1}rooms/attempt_{begun['chat_id']}"
    for path in (
        attempt,
        f"{attempt}/export",
        f"{attempt}/export?format=csv",
        f"{attempt}/export?format=html",
    ):
        await checked.ask("GET", path)
    for path in (V1 + "attempts", V1 + "chats", V1 + "messages", V1 + "rooms", room, f"{room}/entries"):
        await checked.ask("GET", path)
    await checked.ask("GET", f"{V1}messages/{found['messages'][0]['id']}")
    grades = await checked.ask("GET", f"{V1}grades?chat_id={begun['chat_id']}")
    for grade in grades["items"]:
        await checked.ask("GET", f"{V1}grades/{grade['grade_id']}")
    for kind in ("personas", "scenarios", "practices", "homes", "rubrics"):
        await checked.ask("GET", V1 + kind)
    checked.headers = author
    runs = f"{V1}benchmarks/{benchmark('desk')}/runs"
    await checked.ask("POST", runs, {"chat_id": begun["chat_id"]}, status=201)
    await checked.ask("POST", runs, {}, status=400)


async def test_a_benchmark_is_replayed_and_read_back(checked: Checked) -> None:
    begun = await checked.ask("POST", CLIENT + "test/start", {"benchmark_id": benchmark("desk")})
    test = {"test_id": begun["test_id"]}
    invocation_id = begun["invocations"][0]["invocation_id"]
    await checked.ask("POST", CLIENT + "test/group", {**test, "test_invocation_id": invocation_id})
    one = f"{V1}invocations/{invocation_id}"
    await until(checked, one, lambda read: read["remaining_runs"] == 0)
    runs = await checked.ask("GET", f"{V1}runs?test_id={begun['test_id']}")
    for run in runs["items"]:
        await checked.ask("GET", f"{V1}runs/{run['id']}")
    await checked.ask("POST", CLIENT + "test/next", test)
    report = f"{V1}tests/{begun['test_id']}/report"
    for form in ("json", "csv", "junit", "html"):
        await checked.ask("GET", f"{report}?format={form}")
    for path in (V1 + "tests", f"{V1}tests/{begun['test_id']}", V1 + "invocations", one):
        await checked.ask("GET", path)
    await checked.ask("POST", CLIENT + "test/end_all", test)


async def test_batch_jobs(checked: Checked) -> None:
    begun = await checked.ask("POST", "/api/start-job?async=1", job_of(), status=202)
    one = f"/api/jobs/{begun['job_id']}"
    await until(checked, one, lambda read: read["summary"] is not None)
    for path in ("/api/jobs", f"{one}/results", f"{one}/request"):
        await checked.ask("GET", path)
    for form in ("html", "csv", "junit.xml"):
        await checked.ask("GET", f"{one}/report.{form}")
    await checked.ask("DELETE", one)


async def test_evaluators(checked: Checked) -> None:
    agent = await checked.ask(
        "POST", EVALUATORS + "aiagents/", {"agent_name": "Desk", "websocket_url": NOBODY}, status=201
    )
    scenario = await checked.ask(
        *("POST", EVALUATORS + "scenarios/"),
        {"name": "Calls", "instructions": "Ask for cups.", "agent": agent["id"]},
        status=201,
    )
    one = f"{EVALUATORS}aiagents/{agent['id']}/"
    await checked.ask("PATCH", one, {"agent_name": "Front desk"})
    for kind in RESOURCES:
        await checked.ask("GET", f"{EVALUATORS}{kind}/")
    asked = {"agent_id": agent["id"], "scenarios": [scenario["id"]]}
    begun = await checked.ask("POST", EVALUATORS + "scenarios/run_scenarios_text/", asked, status=201)
    result = f"{EVALUATORS}results/{begun['id']}/"
    ended = await until(checked, result, lambda read: read["ended_at"] is not None)
    run = next(iter(ended["runs"]))
    paths = (
        "results/",
        "runs/",
        f"runs/bulk/?run_ids={run}",
        f"runs/{run}/",
        f"results/{begun['id']}/report.html/",
    )
    for path in paths:
        await checked.ask("GET", EVALUATORS + path)
    await checked.ask("DELETE", result, status=204)


async def test_pipelines_and_playgrounds(checked: Checked) -> None:
    made = await checked.ask("POST", V1 + "pipelines", {"name": "Handbook"}, status=201)
    one = f"{V1}pipelines/{made['id']}"
    text = "Cups are washed by hand."
    await checked.ask("PUT", f"{one}/documents", [{"id": "d0", "text": text}])
    await until(checked, f"{one}/status", lambda read: read["status"] == "SUCCESS")
    found = await checked.ask("POST", f"{one}/retrieve", {"query": "How are cups washed?"})
    assert found["retrieval_nodes"]
    said = {"messages": [{"role": "user", "content": "How are cups washed?"}]}
    await checked.ask("POST", f"{one}/chat", said)
    for path in ("", "/documents", "/documents/paginated", "/documents/d0", "/documents/d0/status"):
        await checked.ask("GET", one + path)
    for path in ("/documents/d0/chunks", "/playground-session"):
        await checked.ask("GET", one + path)
    await checked.ask("GET", V1 + "pipelines")
    await checked.ask("PUT", one, {"name": "Manual"})
    await checked.ask("POST", f"{one}/sync")
    for path in ("/playground-session", "/documents/d0", ""):
        await checked.ask("DELETE", one + path, status=204)


async def until(checked: Checked, path: str, done: Callable[[Any], bool]) -> Any:
    """Read until something is done; every answer on the way is held to the document too."""
    async with asyncio.timeout(WITHIN):
        while not done(read := await checked.ask("GET", path)):
            await passes(0.05, because="HTTP clients without a stream are not told")
        return read
