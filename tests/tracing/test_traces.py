"""Where traces begin, what they go on with, and what reaches tasks, threads and jobs."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from server import tracing
from server.cli.failure import Failure
from server.cli.parts import check_tracing
from server.engine.ids import new
from server.engine.tasks import Tasks
from server.jobs import Jobs
from server.settings import Settings
from server.tracing_otel import Exporter
from tests.support.running import Server
from tests.tracing.collector import collector

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
JOBS = "/api/ws/start-batch-job"
GIVEN = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def exported() -> Iterator[list[tracing.Recorded]]:
    """Export spans into a list."""
    spans: list[tracing.Recorded] = []
    tracing.export_to(spans.append)
    yield spans
    tracing.export_to(None)


def author(server: Server) -> dict[str, str]:
    """Return the headers of somebody who may run jobs."""
    return {"Authorization": f"Bearer {server.token(new(), role='author')}"}


@pytest.mark.parametrize("header", [GIVEN, GIVEN[:-2] + "00", "cc" + GIVEN[2:], f"01{GIVEN[2:]}-more"])
def test_a_well_formed_header_is_gone_on_with(header: str) -> None:
    tracing.begin("event", after=header)
    found = tracing.ids()
    assert found is not None
    assert (found[0], found[1] != SPAN) == (TRACE, True)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "ff" + GIVEN[2:],
        GIVEN + "-more",
        GIVEN.upper(),
        " " + GIVEN,
        GIVEN + "\n",
        GIVEN[:-1],
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"01{GIVEN[2:]}-{'x' * 1000}",
        GIVEN.replace("0af", "\u0660af"),
    ],
)
def test_any_other_header_is_none(header: str) -> None:
    assert tracing.parsed(header) == 0
    tracing.begin("event", after=header)
    found = tracing.ids()
    assert found is not None
    assert found[0] != TRACE


async def test_background_work_belongs_to_the_trace_of_who_started_it(
    exported: list[tracing.Recorded],
) -> None:
    tasks = Tasks()
    seen: list[str] = []

    async def work() -> None:
        seen.append((tracing.ids() or ("", ""))[0])
        with tracing.call("asked"):
            pass

    for _ in range(2):
        with tracing.begin("event"):
            mine = (tracing.ids() or ("", ""))[0]
            tasks.start("work:1", work)
        await tasks.finish()
        assert seen[-1] == mine
    assert seen[0] != seen[1]
    event, asked, task = exported[:3]
    assert [s.name for s in (event, asked, task)] == ["event", "asked", "task work"]
    assert (event.parent, task.parent, asked.parent) == (0, event.here, task.here)


async def test_what_is_left_out_has_no_parts(exported: list[tracing.Recorded]) -> None:
    left_out: tuple[dict[str, Any], ...] = ({"exported": False}, {"after": GIVEN[:-2] + "00"})
    for given in left_out:
        with tracing.begin("event", **given), tracing.span("part"), tracing.call("asked"):
            tracing.called("answered", nanoseconds=1, attributes={})
            assert (tracing.traceparent() or "").endswith("-00")
    with tracing.begin("event", after=GIVEN), tracing.span("part"):
        assert (tracing.traceparent() or "").endswith("-01")
    assert [s.name for s in exported] == ["part", "event"]


async def test_a_sampler_keeps_traces_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    async with collector() as spans:
        exporter = Exporter(spans.url, process="tests")
        tracing.export_to(exporter, samples=exporter.samples)
        try:
            for _ in range(60):
                with tracing.begin("event"), tracing.span("part"):
                    pass
            for number in range(60):
                after = f"00-{number + 1:032x}-{SPAN}-{number % 2:02x}"
                with tracing.begin("given", after=after), tracing.call("asked"):
                    pass
        finally:
            tracing.export_to(None)
            await asyncio.to_thread(exporter.close)
    events = {span.id for span in spans.named("event")}
    assert 0 < len(events) < 60
    assert {span.parent for span in spans.named("part")} == events
    assert {int(span.trace, 16) % 2 for span in spans.named("given")} == {0}
    assert len(spans.named("given")) == len(spans.named("asked")) == 30


async def test_what_is_open_for_long_is_exported_when_it_is_answered(
    server: Server, exported: list[tracing.Recorded]
) -> None:
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/socket/v5/client/connect", json={"guest_id": None}) as response:
            session = await response.json()
        async with http.get(session["stream"]) as stream, http.ws_connect(JOBS, headers=author(server)):
            assert stream.status == 200
            found = {
                s.name: s.attributes["http.response.status_code"] for s in exported if s.kind == "server"
            }
            assert found["GET /socket/v5/stream/{session}"] == 200
            assert found[f"GET {JOBS}"] == 101


async def test_who_fails_is_named_without_its_message(exported: list[tracing.Recorded]) -> None:
    with pytest.raises(ValueError, match="SAID"), tracing.begin("event"), tracing.span("part"):
        raise ValueError("SAID")
    assert [(span.name, span.error) for span in exported] == [("part", "ValueError"), ("event", "ValueError")]


async def test_jobs_with_and_without_a_trace_run() -> None:
    jobs = Jobs(url=None, name="traces", slots=2)
    seen: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    open_now = asyncio.Event()

    async def run(key: str) -> None:
        seen.put_nowait((key, (tracing.ids() or ("", ""))[0]))

    async def find() -> list[tuple[str, str]]:
        open_now.set()
        return []

    jobs.handle("kind", run)
    jobs.reconcile(find)
    running = asyncio.create_task(jobs.run())
    async with asyncio.timeout(28):
        await open_now.wait()
        tracing.begin("event", after=GIVEN)
        await jobs.wake("kind", "new")
        assert await seen.get() == ("new", TRACE)
        # as jobs were queued before there were traces
        await jobs._docket.add("job", key="kind:old")("kind", "old")
        key, trace = await seen.get()
    assert (key, len(trace), trace != TRACE) == ("old", 32, True)
    running.cancel()
    await asyncio.wait([running])


async def test_an_answer_names_its_trace_whatever_was_sent(server: Server) -> None:
    async with aiohttp.ClientSession() as http:
        for sent, kept in ((GIVEN, True), ("00-nonsense", False)):
            async with http.get(f"{server.url}/nowhere", headers={"traceparent": sent}) as response:
                assert response.status == 404
                assert (response.headers["Trace-Id"] == TRACE) is kept
                assert tracing.parsed(response.headers["traceparent"])


def test_what_is_missing_is_said_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:4318")
    check_tracing(settings)
    monkeypatch.delitem(sys.modules, "server.tracing_otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Failure, match=r"greenroom\[otel\]"):
        check_tracing(settings)
    check_tracing(Settings())
