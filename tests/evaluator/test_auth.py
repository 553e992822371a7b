"""Who may use evaluators over HTTP, and with which key."""

from collections.abc import AsyncIterator

import pytest_asyncio

from server.engine.ids import new
from tests.evaluator.client import Desk, desk_of
from tests.evaluator.lab import OpenLab
from tests.support.running import Server

HEADERS = ["X-VOCERA-API-KEY", "X-CEKURA-API-KEY", "X-API-Key", "Authorization"]
WRONG: list[dict[str, str]] = [
    {},
    {"X-Guest-Id": new()},
    {"X-VOCERA-API-KEY": "gr_unknown"},
    {"X-VOCERA-API-KEY": ""},
    {"X-CEKURA-API-KEY": "nonsense"},
    {"X-VOCERA-API-KEY": "gr_schlüssel"},
    {"Authorization": "Bearer "},
    {"Authorization": "Basic Z3I6Z3I="},
    {"Authorization": "Bearer a.b.c"},
]


@pytest_asyncio.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    async with desk_of(server) as found:
        yield found


async def test_a_key_is_shown_in_any_of_the_headers_and_a_token_does_as_well(desk: Desk) -> None:
    for header in HEADERS:
        assert (await (await desk.person(header=header)).get("aiagents/"))["count"] == 0
    token = desk.server.token(new(), role="author")
    assert await desk.showing({"Authorization": f"Bearer {token}"}).get("aiagents/")


async def test_a_wrong_or_missing_key_is_answered_alike_everywhere(desk: Desk) -> None:
    for headers in WRONG:
        nobody = desk.showing(headers)
        for method, path in (
            ("GET", "aiagents/"),
            ("POST", "scenarios-external"),
            ("GET", "/test_framework/v2/metrics/1"),
            ("DELETE", "personalities/1/"),
        ):
            answer = await nobody.ask(method, path, status=401)
            assert list(answer) == ["detail"]
            assert nobody.answered["WWW-Authenticate"] == "Bearer"


async def test_ops_read_and_learners_do_not(desk: Desk) -> None:
    author = await desk.person()
    number = await author.create("aiagents")
    ops, learner = await desk.person("ops"), await desk.person("learner")
    assert (await ops.get(f"aiagents/{number}"))["id"] == number
    assert (await ops.get("aiagents"))["count"] == 1
    body = {"agent_name": "mine"}
    for person in (ops, learner):
        assert list(await person.post("aiagents/", body, 403)) == ["detail"]
        for method in ("PUT", "PATCH", "DELETE"):
            await person.ask(method, f"aiagents/{number}", body, status=403)
    await learner.get("aiagents/", 403)
    await learner.get(f"aiagents/{number}/", 403)
    assert (await (await desk.person("admin")).get(f"aiagents/{number}"))["agent_name"] == "shop"


async def test_what_is_another_projects_is_as_good_as_missing(desk: Desk) -> None:
    author, foreign = await desk.person(), await desk.person(org="elsewhere")
    agent = await author.create("aiagents")
    missing = await foreign.get(f"aiagents/{agent + 1000}", 404)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert await foreign.ask(method, f"aiagents/{agent}", {"agent_name": "x"}, status=404) == missing
    assert (await foreign.get("aiagents"))["results"] == []
    refused = await foreign.post("scenarios", {"name": "s", "instructions": "i", "agent": agent}, 400)
    assert refused == {"agent": [f"There is no agent {agent}."]}


async def test_what_is_no_address_is_answered_in_the_same_way(desk: Desk) -> None:
    author = await desk.person()
    for path in ("nothing/", "aiagents/x/", "aiagents/1/2/", "aiagents//", "/test_framework/v3/aiagents/"):
        assert list(await author.get(path, 404)) == ["detail"]
    for number in ("0", "9" * 15, "9" * 40, "00000000000000000000001"):
        assert list(await author.get(f"aiagents/{number}/", 404)) == ["detail"]
    answer = await author.ask("DELETE", "aiagents/", status=405)
    assert list(answer) == ["detail"]
    assert {"GET", "POST"} <= set(author.answered["Allow"].split(", "))


async def test_who_asks_too_often_is_told_when_to_come_back(open_lab: OpenLab) -> None:
    async with open_lab(events_per_second=0.1, events_burst=3) as lab, desk_of(lab.server) as desk:
        author = await desk.person()
        for _ in range(3):
            await author.get("metrics/")
        assert list(await author.get("metrics/", 429)) == ["detail"]
        assert int(author.answered["Retry-After"]) >= 1
        await (await desk.person()).get("metrics/")
        nobody = desk.showing({"X-VOCERA-API-KEY": "gr_guessed"})
        while await nobody.status("GET", "metrics/") != 429:
            pass
