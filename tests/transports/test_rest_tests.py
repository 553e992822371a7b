"""Tests, invocations and runs over HTTP: pages, filters, single objects, and who sees them."""

import base64
from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas.content import Agent
from schemas.test import Grading
from server.engine.ids import new
from server.transports import keys
from tests.engine.grading_cases import NOW, uid
from tests.support.rest import People, Rest
from tests.support.running import Server
from tests.support.stored_replays import (
    INVOCATION,
    TEST,
    make_grade,
    make_invocation,
    make_recording,
    make_run,
    make_test,
    put,
)

SECOND = uid("second")
TOO_LARGE = base64.urlsafe_b64encode(orjson.dumps([1, 2**63, "x"])).decode()
RUNS = [
    make_run("one", grades=[make_grade(passed=False), make_grade()]),
    make_run("two", position=2, grades=[make_grade(passed=False, grade_id=uid("missed"))]),
    make_run("three", position=3, state="failed"),
    make_run("four", position=4, grading=Grading(grade_id=uid("coming"))),
    make_run("one", cycle=2, state="pending", created_at=NOW + timedelta(minutes=5)),
    make_run("one", invocation_id=SECOND, grades=[make_grade(grade_id=uid("other"))]),
]


@pytest.fixture
async def author(server: Server, people: People) -> Rest:
    """Store a test with two agents, and return somebody who may read it."""
    await put(
        server.app[keys.STORE],
        make_test(invocation_ids=[INVOCATION, SECOND]),
        make_invocation(cycle=2, total_runs=4, infinite_mode=True),
        make_invocation(
            "second",
            position=1,
            agent=Agent(id=uid("bold"), name="Bold"),
            created_at=NOW + timedelta(milliseconds=1),  # made one after the other
        ),
        *RUNS,
        *(make_recording(name) for name in ("one", "two")),
    )
    return people.a("author")


async def names(person: Rest, path: str) -> list[tuple[str, int]]:
    """Return the runs of a page: what was recorded, and the cycle."""
    return [(item["name"], item["cycle"]) for item in (await person.get(path))["items"]]


async def test_a_test_with_its_figures(author: Rest) -> None:
    listed = (await author.get("tests"))["items"]
    whole = await author.get(f"tests/{TEST}")
    assert listed == [{name: whole[name] for name in listed[0]}]
    assert (whole["benchmark"]["name"], whole["status"]) == ("Office hours", "open")
    assert "runs" not in whole["benchmark"]
    assert whole["counts"] == {
        "total": 6,
        "pending": 1,
        "queued": 0,
        "running": 0,
        "done": 4,
        "failed": 1,
        "grading": 1,
        "graded": 3,
        "passed": 2,
    }
    assert (whole["figures"]["judged"], whole["figures"]["pass_rate"]) == (4, 0.5)
    assert [i["agent"]["name"] for i in whole["invocations"]] == ["Careful", "Bold"]
    assert [i["figures"]["judged"] for i in whole["invocations"]] == [3, 1]
    assert whole["invocations"][0] == await author.get(f"invocations/{INVOCATION}")


async def test_an_invocation_says_from_where_its_room_goes_on(author: Rest) -> None:
    first, second = (await author.get(f"invocations?test_id={TEST}"))["items"]
    assert (first["room"], first["offset"]) == (f"test_{INVOCATION}", 0)
    assert first["epoch"]
    assert (first["position"], second["position"]) == (0, 1)
    assert (first["cycle"], first["total_runs"], first["remaining_runs"]) == (2, 4, 4)
    assert first["counts"]["total"] == 5
    assert second["counts"]["passed"] == 1
    page = await author.get(f"invocations?test_id={TEST}&limit=1")
    rest = await author.get(f"invocations?test_id={TEST}&cursor={page['next_cursor']}")
    assert [*page["items"], *rest["items"]] == [first, second]
    assert (await author.get("invocations"))["items"] == [second, first]
    await author.refused(f"invocations?cursor={page['next_cursor']}", status=400)  # of another order


async def test_runs_come_newest_first_and_by_position(author: Rest) -> None:
    expected = [("one", 2), ("one", 1), ("two", 1), ("three", 1), ("four", 1)]
    assert await names(author, f"runs?invocation_id={INVOCATION}") == expected
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await author.get(f"runs?limit=2{cursor}")
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(found) == len(RUNS) == len({item["id"] for item in found})
    assert found == (await author.get("runs"))["items"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", [("three", 1)]),
        ("state=queued", []),
        ("cycle=2", [("one", 2)]),
        (f"original_id={uid('two')}", [("two", 1)]),
        (f"invocation_id={INVOCATION}&passed=1", [("one", 1)]),
        (f"invocation_id={INVOCATION}&passed=0", [("two", 1), ("three", 1)]),
        (f"test_id={TEST}&invocation_id={SECOND}", [("one", 1)]),
        (f"test_id={TEST}&state=pending&cycle=1", []),
    ],
)
async def test_filters(author: Rest, query: str, expected: list[tuple[str, int]]) -> None:
    assert await names(author, f"runs?{query}") == expected


async def test_a_run_by_its_id_and_by_that_of_its_replay(author: Rest) -> None:
    run = RUNS[0]
    whole = await author.get(f"runs/{run.id}")
    assert whole == await author.get(f"runs/{run.replay_id}")
    assert (whole["id"], whole["run_id"]) == (run.id, run.replay_id)
    assert [m["role"] for m in whole["messages"]] == ["user", "assistant", "user", "assistant", "assistant"]
    assert whole["messages"][1]["content"] == "Can you tell me more?"
    assert whole["messages"][1]["recorded"] == "That sounds stressful. What happened?"
    assert len(whole["recording"]["messages"]) == 6
    assert [g["passed"] for g in whole["grades"]] == [False, True]
    assert (whole["passed"], whole["score"], whole["outcome"]) == (True, 6, "passed")
    assert whole["figures"] == {
        "first_token_ms": 120.0,
        "duration_ms": 1500.0,
        "prompt_tokens": 200,
        "completion_tokens": 40,
        "cost_usd": 0.002,
        "tool_calls": 2,
        "matched_calls": 1,
        "recorded_calls": 2,
    }
    assert (whole["room"], whole["offset"]) == (f"test_{INVOCATION}", 0)
    row = (await author.get(f"runs?invocation_id={INVOCATION}&passed=1"))["items"][0]
    assert "messages" not in row
    assert row == {name: whole[name] for name in row}


async def test_a_run_that_has_not_begun(author: Rest) -> None:
    run = await author.get(f"runs/{RUNS[4].id}")
    assert (run["run_id"], run["messages"], run["grades"], run["outcome"]) == (None, [], [], "unfinished")
    assert set(run["figures"].values()) == {None}


async def test_the_grade_of_a_run(author: Rest, people: People) -> None:
    grade = await author.get(f"grades/{uid('missed')}")
    assert (grade["chat_id"], grade["run_id"], grade["passed"]) == (None, uid("replay"), False)
    for person in (people.a("learner"), people.a("author", org="elsewhere")):
        assert await person.refused(f"grades/{uid('missed')}", status=404) == "not_found"


async def test_only_authors_ops_and_admins_of_the_organisation_see_tests(
    author: Rest, people: People
) -> None:
    addresses = [
        f"tests/{TEST}",
        f"invocations/{INVOCATION}",
        f"runs/{RUNS[0].id}",
        f"runs/{RUNS[0].replay_id}",
    ]
    for person in (people.a("ops"), people.a("admin")):
        for address in addresses:
            assert await person.get(address)
    foreign = (people.a("author", org="elsewhere"), people.a("admin", org="elsewhere"))
    for person in (people.a("learner"), people.with_token(None), *foreign):
        for kind in ("tests", "invocations", "runs"):
            assert await person.get(kind) == {"items": [], "next_cursor": None}
            assert await person.refused(f"{kind}/{new()}", status=404) == "not_found"
        for address in addresses:
            assert await person.refused(address, status=404) == "not_found"
        assert await person.refused(f"runs?test_id={TEST}", status=404) == "not_found"
        assert await person.refused(f"invocations?invocation_id={INVOCATION}", status=404) == "not_found"
    assert await people.with_token("x").refused("tests", status=401) == "unauthenticated"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("runs?state=ready", 400),
        ("runs?passed=maybe", 400),
        ("runs?cycle=-1", 400),
        ("runs?limit=201", 400),
        ("runs?cursor=x", 400),
        ("tests?cursor=x", 400),
        ("runs?cursor=WzEsMl0=", 400),
        (f"runs?cursor={TOO_LARGE}", 400),
        ("runs?test_id=one", 404),
        ("runs/one", 404),
        (f"runs/{uid('one')}", 404),  # a recorded run has as many runs as agents and cycles
    ],
)
async def test_what_cannot_be_answered(author: Rest, path: str, status: int) -> None:
    await author.refused(path, status=status)
