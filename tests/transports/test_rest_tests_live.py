"""Reading a test back while it runs and after it has ended: what is read agrees with what was seen."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from tests.conftest import Cast
from tests.support.attempts import FULL_MARKS
from tests.support.rest import People, Rest
from tests.support.running import Server
from tests.support.trials import HANGING, LOOKUP, begin

Row = dict[str, Any]


async def until(person: Rest, path: str, holds: Callable[[Row], bool]) -> Row:
    """Read an object until something holds."""
    found: Row = await person.get(path)
    while not holds(found):
        found = await person.get(path)
    return found


def rests(test: Row) -> bool:
    """Tell whether nothing of a test is under way."""
    return not any(test["counts"][name] for name in ("pending", "queued", "running", "grading"))


async def test_a_run_is_read_as_it_was_seen(server: Server, cast: Cast, people: People) -> None:
    await server.script(LOOKUP, {"reply": "Hello!"})
    author = await cast.author()
    trial = await begin(author)
    run_id = await trial.run("order")
    person = people.a("ops")
    run = await person.get(f"runs/{run_id}")
    assert (run["id"], run["run_id"], run["state"]) == (trial.run_key("order"), run_id, "done")
    said = [m["content"] for m in run["messages"] if m["role"] == "assistant"]
    seen = [text for kind, text in trial.steps(run_id) if kind == "assistant_turn"]
    assert said[-len(seen) :] == seen
    assert run["figures"]["tool_calls"] == run["figures"]["matched_calls"] == 1
    assert run["offset"] == max(d["offset"] for _, d in trial.entries())
    assert run["running"] is None
    assert [m["matched"] for m in run["messages"] if m["role"] == "tool"] == [True]
    invocation = await person.get(f"invocations/{trial.invocation_id}")
    assert (invocation["remaining_runs"], invocation["counts"]["done"]) == (2, 1)
    assert [i["id"] for i in (await person.get("tests"))["items"]] == [trial.test_id]


async def test_a_running_run_shows_what_it_has_said(server: Server, cast: Cast, people: People) -> None:
    await server.script(HANGING)
    author = await cast.author()
    trial = await begin(author)
    run_id = await trial.send("short")
    await trial.hears(run_id, "Half of it")
    person = people.a("author")
    run = await person.get(f"runs/{run_id}")
    assert (run["state"], run["messages"], run["outcome"]) == ("running", [], "unfinished")
    assert (run["running"]["run_id"], run["running"]["text"]) == (run_id, "Half of it")
    assert [turn["type"] for turn in run["running"]["turns"]] == ["user_turn"]
    root = ElementTree.fromstring(
        await person.ask("GET", f"tests/{trial.test_id}/report?format=junit", status=200)
    )
    skipped = {case.get("name"): case.find("skipped") for case in root.iter("testcase")}
    found = skipped["003 short"]
    assert found is not None
    assert found.get("message") == "The replay is running."
    await author.send("test_stop", invocation_id=trial.invocation_id)
    await until(person, f"tests/{trial.test_id}", lambda test: test["counts"]["pending"] == 3)
    assert await person.refused(f"runs/{run_id}", status=404) == "not_found"  # that replay is gone
    assert (await person.get(f"runs/{trial.run_key('short')}"))["state"] == "pending"


async def test_a_whole_benchmark_ends_in_a_junit_file(server: Server, cast: Cast, people: People) -> None:
    await server.script(
        *FULL_MARKS, LOOKUP, {"match": {"last_contains": "loop"}, "status": 400}, {"reply": "Hi!"}
    )
    author = await cast.author()
    trial = await begin(author)
    await author.send("test_group", **trial.ids)
    await author.until("test_all_complete")
    person = people.a("author")
    await author.send("test_end_all", test_id=trial.test_id)
    test = await until(person, f"tests/{trial.test_id}", rests)
    assert (test["status"], test["figures"]["judged"]) == ("ended", 3)
    root = ElementTree.fromstring(
        await person.ask("GET", f"tests/{trial.test_id}/report?format=junit", status=200)
    )
    verdicts = {c.get("name"): [v.tag for v in c if v.tag != "system-out"] for c in root.iter("testcase")}
    assert verdicts == {"001 greeting": ["error"], "002 order": [], "003 short": []}
    assert (root.get("tests"), root.get("errors"), root.get("failures")) == ("3", "1", "0")
    page = await person.ask("GET", f"tests/{trial.test_id}/report?format=html", status=200)
    assert b"lookup(" in page
