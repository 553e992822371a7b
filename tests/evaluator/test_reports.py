"""Reports of results: the page and JUnit; whatever agents and judges say is text in them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from xml.etree import ElementTree

import pytest
import pytest_asyncio

from schemas.envelope import utc_now
from schemas.evaluator import AiAgent, EvaluatorScenario, Personality, TestProfile
from schemas.evaluator_run import (
    EvaluatorResult,
    EvaluatorRun,
    ExpectedOutcome,
    Judgement,
    MetricValue,
    Outcome,
    RunPlan,
    Speaker,
    Talked,
    TranscriptItem,
)
from schemas.stored import Owner
from server.engine.evaluator.frozen import Frozen
from server.engine.evaluator.reports.html import MAX_DETAILS
from server.engine.evaluator.reports.words import MAX_ITEMS
from server.engine.ids import new
from server.engine.reports.words import MAX_TEXT
from server.transports import keys
from tests.evaluator.agents import agent, patient
from tests.evaluator.client import Client, Desk, desk_of
from tests.evaluator.lab import Lab
from tests.support.pages import Page
from tests.support.running import Server

NASTY = "<script>alert(1)</script>\"'&]]>\x00\x0b\u202e\ufffe"
RESULT, FIRST = 41, 500
SPELLINGS = ["v1/results", "v1/results-external", "v2/results", "v2/results-external"]


@pytest_asyncio.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    async with desk_of(server) as found:
        yield found


@pytest_asyncio.fixture
async def author(desk: Desk) -> Client:
    return await desk.person()


def item(role: Speaker, content: str) -> TranscriptItem:
    return TranscriptItem(role=role, content=content, start_time=1.5, end_time=2.0, time="00:01")


def talked(*items: TranscriptItem, **fields: Any) -> Talked:
    said = list(items) or [item("Testing Agent", "Two cups, please."), item("Main Agent", "That is 9 euros.")]
    given = {"status": "completed", "ended_reason": "Testing agent-ended-call", "duration": 4.25, **fields}
    return Talked(transcript=said, **given)


def judged(*, success: bool | None, **fields: Any) -> Judgement:
    outcome = Outcome(outcome="The price is told.", met=bool(success), explanation="It says 9 euros.")
    score = 100.0 if success else 40.0
    expected = ExpectedOutcome(score=score, passed=bool(success), pass_score=100, outcomes=[outcome])
    return Judgement(success=success, **{"expected_outcome": expected, "model": "judge-1", **fields})


ENDS: list[dict[str, Any]] = [
    {"talked": talked(), "judgement": judged(success=True)},
    {"talked": talked(), "judgement": judged(success=False)},
    {"talked": talked(), "judgement": judged(success=False, simulator_error="The caller hung up early.")},
    {
        "talked": talked(),
        "judgement": judged(success=None, expected_outcome=None, error="The judge is away."),
    },
    {
        "talked": Talked(
            status="failed",
            ended_reason="Main agent-call-not-connected",
            error_message="Nobody answers at ws://127.0.0.1:1.",
        )
    },
    {"talked": talked(status="cancelled", ended_reason="run-cancelled-by-user")},
    {
        "talked": talked(status="timeout", ended_reason="Main agent-silence-timed-out"),
        "judgement": Judgement(success=False),
    },
]


async def stored(
    server: Server,
    ends: Sequence[dict[str, Any]],
    *,
    freq: int = 1,
    name: str = "shop",
    played: Sequence[tuple[int | None, int | None]] = (),
) -> None:
    """Store a result with one scenario, repeated for each end; without an end a run goes on.

    `played` are the personality and the test profile of each run.
    """
    store = server.app[keys.STORE]
    frozen = Frozen(
        agent_id=7,
        agent=AiAgent(agent_name="Barista"),
        scenarios={3: EvaluatorScenario(name=name, agent=7)},
        personalities={5: Personality(name="hurried"), 6: Personality(name="calm")},
        profiles={8: TestProfile(name="Ada"), 9: TestProfile(name="Bert")},
    )
    await store.evaluator_results.save_setup(RESULT, frozen.packed())
    played = played or [(None, None)] * len(ends)
    plans = [
        RunPlan(scenario=3, personality=who, test_profile=what, number=n if freq > 1 else None)
        for n, (who, what) in enumerate(played, 1)
    ]
    result = EvaluatorResult(
        id=RESULT,
        org="default",
        owner=Owner(kind="profile", id=new()),
        name=name,
        agent=7,
        run_as_text=True,
        first_run=FIRST,
        plans=plans,
        freq=freq,
        created_at=utc_now(),
    )
    assert await store.evaluator_results.create(result, [])
    for n, (plan, end) in enumerate(zip(plans, ends, strict=True)):
        run = run_of(n, plan, end)
        assert await store.evaluator_runs.create(run, [])
        texts = {name: value.model_dump_json() for name, value in end.items()}
        if texts:
            assert await store.evaluator_runs.change(run.id, when={}, update={"$set": texts}) == []


def run_of(n: int, plan: RunPlan, end: dict[str, Any]) -> EvaluatorRun:
    said, judgement = end.get("talked"), end.get("judgement")
    return EvaluatorRun(
        id=FIRST + n,
        org="default",
        result=RESULT,
        agent=7,
        plan=plan,
        state="ended" if end else "talking",
        status=said.status if said else "in_progress",
        success=judgement.success if judgement else False if said else None,
        created_at=utc_now(),
    )


async def page_of(author: Client) -> Page:
    return Page((await author.raw("GET", f"results/{RESULT}/report.html", status=200)).decode())


async def suites_of(author: Client) -> ElementTree.Element:
    return ElementTree.fromstring(await author.raw("GET", f"results/{RESULT}/report.junit.xml", status=200))


async def test_the_page_shows_runs_with_what_was_said_and_thought(server: Server, author: Client) -> None:
    await stored(server, [*ENDS, {}], freq=8)
    page = await page_of(author)
    assert author.answered["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert author.answered["Content-Disposition"] == f'inline; filename="result-{RESULT}.html"'
    assert author.answered["X-Content-Type-Options"] == "nosniff"
    runs = {f"run-{FIRST + n}" for n in range(8)}
    assert runs <= page.ids
    assert {link.removeprefix("#") for link in page.links} == runs
    for shown in (
        *("1 of 8 runs succeeded (12.5%) · agent Barista · running", "✓ 100", "✗ 40", "pass^2"),
        *("A mistake of the caller, not of the agent: ", "The caller hung up early.", "The judge is away."),
        *("Nobody answers at ws://127.0.0.1:1.", "Main agent-silence-timed-out", "That is 9 euros."),
        *("The price is told.", "It says 9 euros.", "not met", "judged by judge-1"),
    ):
        assert shown in page.text, shown
    assert page.text.index("Without success") < page.text.index("With success")
    (warning,) = [text for text in page.texts if text.startswith("Not counted as success")]
    for told in (
        *("calls that broke: 1", "mistakes of the caller, not of the agent: 1", "cancelled runs: 1"),
        *("runs that could not be judged: 1", "runs that have not ended: 1"),
    ):
        assert told in warning


async def test_junit_tells_failures_of_the_agent_from_errors(server: Server, author: Client) -> None:
    await stored(server, [*ENDS, {}], freq=8)
    root = await suites_of(author)
    assert author.answered["Content-Disposition"] == f'attachment; filename="result-{RESULT}.junit.xml"'
    (suite,) = root
    for sums in (root, suite):
        counts = [sums.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == ["8", "2", "3", "2"]
    found = [[child.tag for child in case if child.tag != "system-out"] for case in suite.iter("testcase")]
    assert found == [[], ["failure"], ["error"], ["error"], ["error"], ["skipped"], ["failure"], ["skipped"]]
    kinds = [error.get("type") for error in suite.iter("error")]
    assert kinds == ["simulator_error", "not_judged", "Main agent-call-not-connected"]
    failure = next(suite.iter("failure"))
    assert failure.get("message") == "expected outcome 40 of 100, 100 needed"
    assert failure.text == "NOT MET: The price is told. – It says 9 euros."
    case = next(suite.iter("testcase"))
    assert (case.get("name"), case.get("time")) == (f"shop · number 1 (run {FIRST})", "4.250")
    assert "[00:01] Main Agent: That is 9 euros." in (case.findtext("system-out") or "")


async def test_reports_say_whom_the_caller_played(server: Server, author: Client) -> None:
    played = [(5, 8), (5, 9), (6, 8), (6, 9)]
    await stored(server, ENDS[:4], played=played)
    names = [f"shop · {who} · {what}" for who in ("hurried", "calm") for what in ("Ada", "Bert")]
    page = await page_of(author)
    for name in names:
        assert page.text.count(name) == 2, page.texts  # a line of the table, and the run's heading
    cases = [case.get("name") for case in (await suites_of(author)).iter("testcase")]
    assert cases == [f"{name} (run {FIRST + n})" for n, name in enumerate(names)]


async def test_metrics_are_shown_and_summed_up(server: Server, author: Client) -> None:
    def metrics(polite: bool, latency: float) -> list[MetricValue]:
        return [
            MetricValue(name="polite", type="llm_judge", eval_type="binary", value=polite, passed=polite),
            MetricValue(name="latency_p50", type="built_in", eval_type="numeric", value=latency),
            MetricValue(name="odd", type="custom_code", eval_type="numeric", error="Division by zero."),
        ]

    ends = [
        {"talked": talked(), "judgement": judged(success=ok, expected_outcome=None, metrics=metrics(ok, ms))}
        for ok, ms in ((True, 0.5), (False, 1.5))
    ]
    await stored(server, ends)
    page = await page_of(author)
    for shown in ("1 of 2", "1 (0.5–1.5)", "yes: 1, no: 1", "no value (Division by zero.)", "polite: no"):
        assert shown in page.texts, shown
    failure = next((await suites_of(author)).iter("failure"))
    assert failure.get("message") == "polite: no"


async def test_whatever_is_said_is_text_in_every_format(server: Server, author: Client) -> None:
    said = [item("Testing Agent", NASTY), item("Main Agent", NASTY), item("Function Call", NASTY)]
    thought = judged(
        success=False,
        expected_outcome=ExpectedOutcome(
            score=0,
            passed=False,
            pass_score=100,
            outcomes=[Outcome(outcome=NASTY, met=False, explanation=NASTY)],
        ),
        metrics=[
            MetricValue(
                name=NASTY, type="llm_judge", eval_type="enum", value=NASTY, passed=False, explanation=NASTY
            )
        ],
    )
    mistaken = judged(success=False, simulator_error=NASTY)
    heard = talked(*said, metadata={NASTY: [NASTY]}, ignored=[NASTY], ignored_frames=1)
    name = "<b>shop</b> & co"
    await stored(
        server, [{"talked": heard, "judgement": thought}, {"talked": heard, "judgement": mistaken}], name=name
    )
    page = await page_of(author)
    assert not {"script", "b"} & set(page.tags)
    assert name in page.texts
    assert page.text.count("<script>alert(1)</script>") > 10
    assert not {"\x00", "\x0b", "\u202e", "\ufffe"} & set(page.text)
    root = await suites_of(author)
    assert root.get("name") == name
    assert "<script>alert(1)</script>" in (next(root.iter("failure")).text or "")


async def test_long_transcripts_are_shown_in_part(server: Server, author: Client) -> None:
    items = [item("Main Agent", "x" * 10_000), *(item("Main Agent", f"n{i}.") for i in range(MAX_ITEMS + 5))]
    await stored(server, [{"talked": talked(*items), "judgement": judged(success=True)}])
    page = await page_of(author)
    assert "6 more items are in the run as JSON." in page.texts
    assert "… (6000 characters more)" in page.text
    assert len(ElementTree.tostring(await suites_of(author))) < 40_000


async def test_a_result_without_runs_has_reports(server: Server, author: Client) -> None:
    await stored(server, [])
    assert "0 of 0 runs succeeded" in (await page_of(author)).text
    assert (await suites_of(author)).get("tests") == "0"


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_reports_have_every_spelling(server: Server, author: Client, spelling: str) -> None:
    await stored(server, ENDS[:1])
    for name in ("report.html", "report.html/", "report.junit.xml", "report.junit.xml/"):
        await author.raw("GET", f"/test_framework/{spelling}/{RESULT}/{name}", status=200)


async def test_reports_are_for_those_who_may_read_the_result(server: Server, desk: Desk) -> None:
    await stored(server, ENDS[:1])
    path = f"results/{RESULT}/report.html"
    await (await desk.person("ops")).raw("GET", path, status=200)
    await (await desk.person("learner")).raw("GET", path, status=403)
    await desk.showing({}).raw("GET", path, status=401)
    foreign = await (await desk.person(org="elsewhere")).ask("GET", path, status=404)
    missing = await (await desk.person()).ask("GET", f"results/{RESULT + 1}/report.html", status=404)
    assert foreign == missing
    await (await desk.person()).raw("GET", f"results/{RESULT}/report.pdf", status=404)


async def test_of_very_much_the_first_runs_are_shown_in_full(server: Server, author: Client) -> None:
    said = talked(*(item("Main Agent", "x" * MAX_TEXT) for _ in range(MAX_ITEMS)))
    count = MAX_DETAILS // (MAX_ITEMS * MAX_TEXT) + 2
    await stored(server, [{"talked": said, "judgement": judged(success=True)}] * count, freq=count)
    page = await page_of(author)
    shown = {found for found in page.ids if found.startswith("run-")}
    assert 0 < len(shown) < count
    assert {link.removeprefix("#") for link in page.links} == shown
    assert page.texts.count("✓ 100") == count
    assert f"{count - len(shown)} runs are only in this table." in page.texts


async def test_runs_that_were_played_are_reported_and_told_as_json_tells_them(lab: Lab) -> None:
    async with agent(patient) as called, desk_of(lab.server) as desk:
        clerk = await lab.agent(called.url)
        result_id = await lab.start(
            await lab.scenario(clerk), await lab.scenario(clerk, name="again", max_duration=20), freq=2
        )
        view = await lab.ended(result_id)
        author = await desk.person()
        page = Page((await author.raw("GET", f"results/{result_id}/report.html", status=200)).decode())
        xml = await author.raw("GET", f"results/{result_id}/report.junit.xml", status=200)
    assert "4 of 4 runs succeeded (100.0%) · agent Clerk · completed" in page.text
    assert {f"run-{run}" for run in view["runs"]} <= page.ids
    assert page.texts.count("Yes?") == 4
    assert view["pass_hat_k"] == [1.0, 1.0]
    assert {"pass^1", "pass^2"} <= set(page.texts)
    root = ElementTree.fromstring(xml)
    assert [suite.get("name") for suite in root] == ["hello and bye", "again"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "0", "0")
    said = [case.findtext("system-out") or "" for case in root.iter("testcase")]
    assert all(run["transcript"] in text for run, text in zip(view["runs"].values(), said, strict=True))
