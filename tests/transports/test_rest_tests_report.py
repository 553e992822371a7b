"""Reports of tests: what is in each format, what cannot get out of it, and who gets it."""

import csv
import io
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from schemas.content import Agent
from schemas.test import Run
from server.engine.ids import derive, new
from server.engine.replay.report_csv import REPORT_COLUMNS
from server.engine.reports.cells import FORMULA
from server.transports import keys
from tests.engine.grading_cases import uid
from tests.support.rest import People, Rest
from tests.support.running import Server
from tests.support.stored_replays import (
    INVOCATION,
    TEST,
    make_grade,
    make_invocation,
    make_recording,
    make_result,
    make_run,
    make_test,
    put,
)
from tests.transports.test_rest_export import Page

SECOND = uid("second")
EVIL = (
    "</script><script>alert(1)</script>",
    "]]><failure message='x'/>",
    "=cmd|' /C calc'!A0",
    "a\x00b\x1b[31mc\x0bd\ufffee",
    "\u202eevil\u2066 reversed",
    "{{7*7}} <img src=x onerror=alert(1)> &amp; \"'",
    "\t=1+1",
)
TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "junit": "application/xml",
    "html": "text/html",
}


def evil_run(text: str, position: int) -> Run:
    """Return a failed-to-please run in which every text is the same."""
    grade = make_grade(passed=False, description=text)
    groups = [g.model_copy(update={"feedback": text, "name": text}) for g in grade.groups]
    messages = [m.model_copy(update={"content": text}) for m in make_result().messages]
    return make_run(
        f"evil-{position}",
        position=position,
        name=text,
        grades=[grade.model_copy(update={"groups": groups})],
        result=make_result(messages=messages, error=text, code="upstream"),
    )


RUNS = [
    make_run("one", grades=[make_grade(passed=False), make_grade()]),
    make_run("two", position=2, grades=[make_grade(passed=False)]),
    make_run("three", position=3, state="failed", result=make_result(error="No answer.", code="upstream")),
    make_run("four", position=4),
    make_run("one", cycle=2, state="pending"),
    make_run("one", invocation_id=SECOND, grades=[make_grade()]),
]


@pytest.fixture
async def author(server: Server, people: People) -> Rest:
    """Store a test with two agents, and return somebody who may read it."""
    await put(
        server.app[keys.STORE],
        make_test(invocation_ids=[INVOCATION, SECOND]),
        make_invocation(cycle=2, total_runs=4, infinite_mode=True),
        make_invocation("second", position=1, agent=Agent(id=uid("bold"), name="Bold 2.5")),
        *RUNS,
        *(make_recording(name) for name in ("one", "two", "three", "four")),
    )
    return people.a("author")


async def report(person: Rest, name: str, query: str = "") -> bytes:
    """Return a report."""
    return await person.ask("GET", f"tests/{TEST}/report?format={name}{query}", status=200)


def rows_of(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


# --- the formats --------------------------------------------------------------------------------------------


async def test_json_holds_everything(author: Rest) -> None:
    whole = orjson.loads(await report(author, "json"))
    assert list(whole) == ["exported_at", "test", "figures", "invocations", "recordings"]
    read = await author.get(f"tests/{TEST}")
    assert whole["test"] == {name: read[name] for name in whole["test"]}
    assert whole["figures"] == read["figures"]
    first, second = whole["invocations"]
    assert [i["figures"] for i in (first, second)] == [i["figures"] for i in read["invocations"]]
    assert [(r["name"], r["cycle"]) for r in first["runs"]] == [
        *(("one", 1), ("one", 2), ("two", 1), ("three", 1), ("four", 1))
    ]
    run = await author.get(f"runs/{RUNS[0].id}")
    assert first["runs"][0] == {name: run[name] for name in first["runs"][0]}
    assert run["recording"] in whole["recordings"]
    assert len(whole["recordings"]) == 4


async def test_csv_has_a_row_for_each_run_and_cycle(author: Rest) -> None:
    rows = rows_of(await report(author, "csv"))
    assert tuple(rows[0]) == REPORT_COLUMNS
    assert [(r["agent"], r["name"], r["cycle"], r["outcome"]) for r in rows] == [
        ("Careful", "one", "1", "passed"),
        ("Careful", "one", "2", "unfinished"),
        ("Careful", "two", "1", "not_passed"),
        ("Careful", "three", "1", "failed"),
        ("Careful", "four", "1", "ungraded"),
        ("Bold 2.5", "one", "1", "passed"),
    ]
    assert (rows[0]["passed"], rows[0]["score"], rows[0]["cost_usd"]) == ("yes", "6.0", "0.002")
    assert rows[0]["feedback"] == "6 of 8 points.\nListening: 3 of 4. You named no date."
    assert (rows[3]["error_code"], rows[3]["error"]) == ("upstream", "No answer.")


async def test_junit_is_what_build_servers_read(author: Rest) -> None:
    root = ElementTree.fromstring(await report(author, "junit"))
    assert_junit(root)
    assert (root.get("name"), root.get("tests"), root.get("failures"), root.get("errors")) == (
        *("Office hours", "6", "1", "1"),
    )
    first, second = root
    assert (first.get("name"), first.get("tests"), first.get("skipped")) == ("Careful", "5", "2")
    assert [(c.get("name"), [v.tag for v in c if v.tag != "system-out"]) for c in first.iter("testcase")] == [
        ("001 one", []),
        ("001 one (cycle 2)", ["skipped"]),
        ("002 two", ["failure"]),
        ("003 three", ["error"]),
        ("004 four", ["skipped"]),
    ]
    failure = next(first.iter("failure"))
    assert failure.get("message") == "2 of 8 points, 4 needed"
    assert "You named no date." in (failure.text or "")
    assert next(first.iter("error")).attrib == {"message": "No answer.", "type": "upstream"}
    case = next(second.iter("testcase"))
    assert (case.get("classname"), case.get("time")) == ("Bold 2_5", "1.500")
    assert f"run_id: {RUNS[5].replay_id}" in (case.findtext("system-out") or "")
    found = {p.get("name"): p.get("value") for p in first.iter("property")}
    assert (found["model"], found["mode"], found["cycles"]) == ("scripted", "auto_regressive", "2")
    assert (found["pass^1"], found["prompt_tokens"], found["cost_usd"]) == ("0.333333", "800", "0.008")


async def test_the_page_shows_agents_side_by_side_and_differences(author: Rest) -> None:
    text = (await report(author, "html")).decode()
    page = Page(text.split("\n", 1)[1])
    assert page.within("h1") == ["Office hours"]
    assert page.within("h2") == ["Careful", "Bold 2.5"]
    heads = page.within("th")
    assert {"Passed", "Cost of the replays", "First token, p95", "pass^1", "Recorded run"} <= set(heads)
    cells = page.within("td")
    assert {"1 of 3 (33.3%)", "1 of 1 (100.0%)", "not replayed"} <= set(cells)
    links = {a["href"] for name, a in page.tags if name == "a"}
    targets = {f"#{a['id']}" for _, a in page.tags if a.get("id")}
    assert links <= targets
    assert {f"#run-{run.id}" for run in RUNS} <= links
    assert "That sounds stressful. What happened?" in page.within("del")
    assert "Can you tell me more?" in page.within("ins")
    assert 'find_date({"week": 3})' in page.within("div")


async def test_one_invocation_or_cycle_alone(author: Rest) -> None:
    assert {r["agent"] for r in rows_of(await report(author, "csv", f"&invocation_id={SECOND}"))} == {
        "Bold 2.5"
    }
    assert len(rows_of(await report(author, "csv", "&cycle=2"))) == 1
    only = orjson.loads(await report(author, "json", f"&invocation_id={SECOND}"))
    assert (only["figures"]["runs"], only["figures"]["pass_rate"]) == (1, 1.0)
    assert [i["id"] for i in only["invocations"]] == [SECOND]
    empty = ElementTree.fromstring(await report(author, "junit", "&cycle=9"))
    assert_junit(empty)
    assert empty.get("tests") == "0"


@pytest.mark.parametrize("name", TYPES)
async def test_a_test_without_runs(server: Server, people: People, name: str) -> None:
    await put(server.app[keys.STORE], make_test(), make_invocation())
    text = await report(people.a("author"), name)
    if name == "junit":
        assert_junit(ElementTree.fromstring(text))
    elif name == "json":
        assert orjson.loads(text)["recordings"] == []
    elif name == "html":
        assert b"There are no runs." in text
    else:
        assert rows_of(text) == []


# --- what cannot get out ------------------------------------------------------------------------------------


@pytest.fixture
async def victim(server: Server, people: People) -> Rest:
    """Store a test whose every text is an attack."""
    agent = Agent(id=uid("agent"), name=EVIL[0] + EVIL[1] + EVIL[3], instructions=EVIL[5], model=EVIL[4])
    benchmark = make_test().benchmark.model_copy(update={"name": EVIL[2] + EVIL[5] + EVIL[4]})
    await put(
        server.app[keys.STORE],
        make_test(benchmark=benchmark),
        make_invocation(agent=agent),
        *(evil_run(text, position) for position, text in enumerate(EVIL, 1)),
        make_run(
            "error", position=9, state="failed", result=make_result(error=EVIL[1] + EVIL[3], code="upstream")
        ),
        *(make_recording(f"evil-{n}", name=text) for n, text in enumerate(EVIL, 1)),
    )
    return people.a("author")


async def test_nothing_gets_out_of_junit(victim: Rest) -> None:
    text = await report(victim, "junit")
    root = ElementTree.fromstring(text)
    assert_junit(root)
    cases = list(root.iter("testcase"))
    assert len(cases) == len(EVIL) + 1
    assert [len(case.findall("failure")) for case in cases] == [1] * len(EVIL) + [0]
    assert cases[0].get("name") == f"001 {EVIL[0]}"
    assert EVIL[1] in (cases[1].findtext("failure") or "")
    assert cases[3].get("name") == "004 ab[31mcde"
    assert cases[4].get("name") == "005 evil reversed"


async def test_nothing_gets_out_of_the_page(victim: Rest) -> None:
    text = (await report(victim, "html")).decode()
    page = Page(text.split("\n", 1)[1])
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "form", "svg", "failure"}
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert all(a["href"] and a["href"].startswith("#") for name, a in page.tags if name == "a")
    assert "url(" not in text
    assert not any(sign in text for sign in "\x00\x1b\x0b\u202e\u2066")


async def test_no_cell_begins_a_formula(victim: Rest) -> None:
    text = (await report(victim, "csv")).decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not [c for c in cells if c.startswith(FORMULA) or c.lstrip().startswith(FORMULA)]
    assert "'" + EVIL[2] in cells
    assert not any(sign in text for sign in "\x00\x1b\x0b\u202e\u2066")


async def test_json_keeps_every_text_as_it_is(victim: Rest) -> None:
    whole = orjson.loads(await report(victim, "json"))
    runs = whole["invocations"][0]["runs"]
    assert [r["name"] for r in runs[:-1]] == list(EVIL)
    assert [r["messages"][0]["content"] for r in runs[:-1]] == list(EVIL)


# --- sending ------------------------------------------------------------------------------------------------


async def test_how_reports_are_sent(author: Rest) -> None:
    for name, content_type in TYPES.items():
        body = await report(author, name)
        assert author.answered["Content-Type"] == f"{content_type}; charset=utf-8"
        assert int(author.answered["Content-Length"]) == len(body)
        assert author.answered["X-Content-Type-Options"] == "nosniff"
        assert author.answered["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
        extension = "xml" if name == "junit" else name
        assert f'filename="test-{TEST}.{extension}"' in author.answered["Content-Disposition"]
        assert await author.ask("HEAD", f"tests/{TEST}/report?format={name}", status=200) == b""
    assert orjson.loads(await author.ask("GET", f"tests/{TEST}/report", status=200))["test"]["id"] == TEST


async def test_who_gets_reports(author: Rest, people: People) -> None:
    address = f"tests/{TEST}/report"
    for person in (people.a("ops"), people.a("admin")):
        assert await report(person, "csv")
    foreign = (people.a("author", org="elsewhere"), people.a("learner"), people.with_token(None))
    for person in foreign:
        for name in TYPES:
            assert await person.refused(f"{address}?format={name}", status=404) == "not_found"
        assert await person.refused(f"tests/{new()}/report", status=404) == "not_found"
    assert await people.with_token("x").refused(address, status=401) == "unauthenticated"
    assert await author.refused(f"{address}?format=pdf", status=400) == "bad_request"
    assert await author.refused(f"{address}?cycle=x", status=400) == "bad_request"
    assert await author.refused(f"{address}?invocation_id={new()}", status=404) == "not_found"


async def test_many_runs_in_every_format(server: Server, people: People) -> None:
    count = 450  # some pages of each kind of reading
    store = server.app[keys.STORE]
    await put(store, make_test(), make_invocation(total_runs=count), make_recording())
    runs = [
        make_run("one", position=n, id=derive("run", str(n)), replay_id=derive("replay", str(n)))
        for n in range(1, count + 1)
    ]
    await store.runs.make(runs)
    person = people.a("author")
    assert len(rows_of(await report(person, "csv"))) == count
    cases = ElementTree.fromstring(await report(person, "junit")).iter("testcase")
    assert [c.get("name", "")[:3] for c in cases] == [f"{n:03d}" for n in range(1, count + 1)]
    assert len(orjson.loads(await report(person, "json"))["invocations"][0]["runs"]) == count
    assert (await report(person, "html")).count(b'class="run"') == count


# --- the structure that readers of JUnit files rely on ------------------------------------------------------

REQUIRED: dict[str, set[str]] = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "id"},
    "testcase": {"name", "classname", "time"},
    "property": {"name", "value"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}
CHILDREN: dict[str, list[str]] = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "properties": ["property"],
    "testcase": ["skipped", "error", "failure", "system-out"],
}


def assert_junit(root: ElementTree.Element) -> None:
    """Check what the usual schemas of JUnit files demand: names, attributes, order, and sums that agree."""
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == REQUIRED.get(element.tag, set()), element.tag
        allowed = CHILDREN.get(element.tag, [])
        places = [allowed.index(child.tag) for child in element]
        assert places == sorted(places)
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for verdict, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(name, "")) == len([c for c in cases if c.find(verdict) is not None])
        assert abs(float(suite.get("time", "")) - sum(float(c.get("time", "")) for c in cases)) < 0.01
    sums: dict[str, Any] = {n: sum(int(s.get(n, "")) for s in root) for n in ("tests", "failures", "errors")}
    assert {name: int(root.get(name, "")) for name in sums} == sums
