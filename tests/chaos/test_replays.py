"""Chaos: replays go on while workers, servers, Valkey and replies of MongoDB die; each counts once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from schemas.content import Benchmark, RecordedMessage, RecordedRun
from schemas.test import Run
from server.engine.access import mint
from server.engine.ids import new
from server.engine.packs import content_id
from server.llm.scripted import ScriptedModel
from server.store import Store, connect
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.watcher import CUT, Watcher
from tests.conformance.mongo_proxy import MongoProxy, mongo_proxy
from tests.support.clients import socket
from tests.support.passing import passes
from tests.support.running import SECRET, load_content, settings_for
from tests.support.valkey import ValkeyServer, valkey_server

SEED = 20261122
RUNS = 40
CHAOS_SECONDS = 30.0
KILLS = 10
FINISH_SECONDS = 150.0
LEASE_AND_MORE = 13.0


@dataclass
class Scene:
    """Everything that chaos is made of."""

    fleet: Fleet
    store: Store
    proxy: MongoProxy
    valkey: ValkeyServer
    token: str
    benchmark_id: str


def benchmark() -> Benchmark:
    """Return recorded runs of two turns each."""
    runs = [
        RecordedRun(
            id=new(),
            name=f"run {index}",
            messages=[
                RecordedMessage(role="user", content=f"Where is parcel {index}?"),
                RecordedMessage(role="assistant", content="It is on its way."),
                RecordedMessage(role="user", content="When does it come?"),
                RecordedMessage(role="assistant", content="Tomorrow."),
            ],
        )
        for index in range(RUNS)
    ]
    agent = content_id("lesson", "agent", "clerk")
    return Benchmark(id=new(), name="chaos", agent_ids=[agent], concurrency=8, runs=runs)


@pytest_asyncio.fixture
async def scene(mongod_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Run a fleet behind a proxy that loses a hundredth of MongoDB's replies, with a Valkey of its own."""
    model = ScriptedModel([{"delay_ms": 30, "reply": "It is on its way, and it arrives tomorrow."}])
    model_url = await model.start()
    async with mongo_proxy(mongod_url) as proxy, valkey_server() as valkey:
        settings = settings_for(proxy.url, model_url, redis_url=SecretStr(valkey.url), data_dir=tmp_path)
        with closing(connect(mongod_url, settings.mongodb_database)) as store:
            await store.prepare()
            await load_content(store)
            recorded = benchmark()
            await store.content.put([("benchmark", recorded)], org="default")
            async with fleet(settings, logs=tmp_path, seed=SEED) as members:
                token = mint(SECRET, role="author", profile_id=new(), seconds=3600)
                yield Scene(members, store, proxy, valkey, token, recorded.id)
    await model.stop()


async def ask(scene: Scene, event: str, **data: Any) -> dict[str, Any]:
    """Send an event to whoever answers, with an id so that asking again acts once."""
    request = new()
    async with asyncio.timeout(FINISH_SECONDS):
        while True:
            try:
                async with socket(scene.fleet.next_url(), {"token": scene.token}) as client:
                    ack = await client.call(event, client_event_id=request, **data)
            except CUT:
                continue
            if ack["success"]:
                return ack
            assert ack["error"]["retryable"], ack


async def outage(valkey: ValkeyServer, *, seconds: float, over: asyncio.Event) -> None:
    """Kill Valkey, and start it again, empty, after some time."""
    await valkey.kill()
    await passes(seconds, because="an outage lasts", until=over)
    await valkey.start()


async def rage(scene: Scene) -> None:
    """Kill, stop and lose for half a minute or more, as often as chaos wants."""
    over = asyncio.Event()
    suffering = asyncio.create_task(scene.fleet.suffer(until=over))
    scene.proxy.lose(0.01, seed=SEED)
    try:
        await passes(4, because="chaos lasts", until=over)
        await outage(scene.valkey, seconds=3, over=over)
        pausing = asyncio.create_task(scene.fleet.pause("worker-0", seconds=LEASE_AND_MORE, until=over))
        await passes(8, because="chaos lasts", until=over)
        await outage(scene.valkey, seconds=0, over=over)
        await pausing
        await passes(CHAOS_SECONDS - 4 - 3 - LEASE_AND_MORE, because="chaos lasts", until=over)
        while scene.fleet.kills < KILLS:
            await passes(1, because="who was killed starts slowly on a busy machine", until=over)
    finally:
        over.set()
        await suffering
        scene.proxy.lose(0, seed=SEED)


async def finished(scene: Scene, invocation_id: str) -> list[Run]:
    """Wait until no run is left and return all."""
    async with asyncio.timeout(FINISH_SECONDS):
        while True:
            runs = await scene.store.runs.find({"invocation_id": invocation_id})
            if len(runs) == RUNS and all(run.state in ("done", "failed") for run in runs):
                return runs
            await passes(0.5, because="the database is polled")


def check_log(tail: Watcher, runs: list[Run]) -> None:
    """Hold what a watcher saw against the ledger: each run counts once, as the replay that was kept."""
    completed = tail.tail.named("test_run_complete")
    assert Counter(c["original_run_resource_id"] for c in completed) == {r.original_id: 1 for r in runs}
    assert {c["run_id"] for c in completed} == {r.replay_id for r in runs}
    assert sorted(c["remaining_runs"] for c in completed) == list(range(len(runs)))
    assert len(tail.tail.named("test_all_complete")) == 1


@pytest.mark.timeout(300)
async def test_each_run_has_one_result_and_each_watcher_saw_every_offset_once(scene: Scene) -> None:
    started = await ask(scene, "test_start", benchmark_id=scene.benchmark_id)
    invocation_id = started["invocations"][0]["invocation_id"]
    over = asyncio.Event()
    watchers = [Watcher(scene.fleet.next_url, scene.token, invocation_id) for _ in range(4)]
    watching = [asyncio.create_task(w.follow(until=over)) for w in watchers]
    try:
        raging = asyncio.create_task(rage(scene))
        await ask(scene, "test_group", test_id=started["test_id"], test_invocation_id=invocation_id)
        await raging
        runs = await finished(scene, invocation_id)
        head = await scene.store.entries.top(f"test_{invocation_id}")
        async with asyncio.timeout(60):
            while any(w.tail.last < head for w in watchers):
                await passes(0.2, because="watchers tell nobody how far they are", until=over)
    finally:
        over.set()
        await asyncio.gather(*watching)
    assert scene.fleet.kills >= KILLS
    assert scene.proxy.lost > 0
    assert len(runs) == RUNS
    for run in runs:
        assert run.state == "done", run
        assert run.result is not None
    for watcher in watchers:
        assert watcher.joins > 1 or watcher.resets == 0
        if watcher.resets == 0:
            check_log(watcher, runs)
    assert any(w.resets == 0 for w in watchers)
