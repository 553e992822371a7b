"""One trace from the client's event to the collector, the log, and the job in another process."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from server.engine.ids import new
from tests.scaled.cluster import Cluster, cluster
from tests.support.attempts import begin
from tests.support.clients import socket
from tests.support.process import free_port
from tests.support.trials import begin as begin_test
from tests.tracing.collector import Collector, Span, collector

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REFUSED = {"match": {"last_contains": "refuse"}, "status": 400, "error": {"message": "SAID"}}
RUN = "greeting"


@pytest_asyncio.fixture
async def spans() -> AsyncIterator[Collector]:
    """Run a collector."""
    async with collector() as running:
        yield running


@pytest_asyncio.fixture
async def traced(
    mongod_url: str, valkey_url: str, spans: Collector, tmp_path: Path
) -> AsyncIterator[Cluster]:
    """Run a server without slots and a worker, which export their spans."""
    async with cluster(
        mongod_url,
        valkey_url,
        folder=tmp_path,
        servers=("first",),
        workers=("third",),
        otel_exporter_otlp_endpoint=spans.url,
        log_format="json",
    ) as running:
        yield running


def records(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """Return what a process has logged."""
    return [json.loads(line) for line in cluster.log(name).splitlines()]


def check_tree(spans: Collector, leaf: Span, *names: str) -> None:
    """See that a span's parents are those, up to the one that began the trace."""
    at = leaf
    for name in names:
        (at,) = (s for s in spans.spans if s.id == at.parent)
        assert (at.name, at.trace) == (name, leaf.trace)
    assert at.parent == ""


async def test_a_turn_and_a_job_are_seen_whole(traced: Cluster, spans: Collector) -> None:
    await traced.script(REFUSED, {"reply": "Hello!", "usage": {"prompt_tokens": 12, "completion_tokens": 2}})
    async with socket(traced.url, {"token": traced.token(new())}) as client:
        talk = await begin(client)
        await talk.say("Hi.")
        await talk.send("Please refuse.")
        await client.until("attempt_error")
    async with socket(traced.url, {"token": traced.token(new(), role="author")}) as author:
        await (await begin_test(author)).run(RUN)
    await traced.stop("first", "third")  # what is left is sent then

    replies = [s for s in spans.named("chat scripted") if s.process == "first"]
    answered, refused = sorted(replies, key=lambda span: span.failed)
    check_tree(spans, answered, "task reply", "event attempt_message")
    check_tree(spans, refused, "task reply", "event attempt_message")
    assert answered.trace != refused.trace
    assert answered.attributes["gen_ai.usage.input_tokens"] == 12
    assert answered.attributes["gen_ai.usage.output_tokens"] == 2
    assert any(s.name.startswith("mongodb ") and s.trace == answered.trace for s in spans.spans)
    (record,) = [r for r in records(traced, "first") if r["event"] == "model endpoint refused"]
    assert record["trace_id"] == refused.trace
    job = spans.one("job run")
    assert job.process == "third"
    check_tree(spans, job, "event test_run")
    assert {s.service for s in spans.spans} == {"greenroom"}
    exported = {"", *(s.id for s in spans.spans)}
    assert [s.name for s in spans.spans if s.parent not in exported] == []
    assert "SAID" not in str(spans.spans)


async def test_an_answer_goes_on_with_a_trace_and_names_it(traced: Cluster, spans: Collector) -> None:
    headers = {"traceparent": f"00-{TRACE}-{ABOVE}-01", "Authorization": f"Bearer {traced.token(new())}"}
    url = f"{traced.url}/socket/v5/client/attempt_stop"
    async with aiohttp.ClientSession() as http, http.post(url, json={}, headers=headers) as response:
        assert response.status == 400
        assert response.headers["Trace-Id"] == TRACE
        told = response.headers["traceparent"]
    await traced.stop("first")
    event = spans.one("event attempt_stop")
    (request,) = (s for s in spans.spans if s.id == event.parent)
    assert told == f"00-{TRACE}-{request.id}-01"
    assert (request.name, request.parent, request.trace) == ("POST /socket/v5/client/{event}", ABOVE, TRACE)
    assert request.attributes["http.response.status_code"] == 400


async def test_a_collector_that_is_away_disturbs_nothing(
    mongod_url: str, valkey_url: str, tmp_path: Path
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    async with cluster(
        mongod_url, valkey_url, folder=tmp_path, servers=("first",), otel_exporter_otlp_endpoint=away
    ) as running:
        await running.script({"reply": "Hello!"})
        async with socket(running.url, {"token": running.token(new())}) as client:
            talk = await begin(client)
            assert (await talk.say("Hi."))["content"] == "Hello!"
        await running.stop("first")
        said = {r["event"]: r["level"] for r in records(running, "first")}
        assert "stopped" in said
        assert {event for event in said if "spans" in event}
        assert "error" not in said.values()
