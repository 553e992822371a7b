"""Jobs of servers without slots, done by workers: which, and what becomes of them when a worker goes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.engine.ids import new
from tests.scaled.cluster import Cluster
from tests.support.clients import socket
from tests.support.trials import HANGING, Trial, begin

STOPPED_WITHIN = 10.0  # on a machine that stalls; the model never ends
TAKEN_WITHIN = 9.5  # likewise; who does not give it back keeps it for 10 s
LOST_WITHIN = 25.0
RUN = "greeting"


@asynccontextmanager
async def trial(cluster: Cluster) -> AsyncIterator[Trial]:
    """Let an author start a test."""
    token = cluster.token(new(), role="author")
    async with socket(cluster.url, {"token": token}) as client:
        yield await begin(client)


async def owner_of(cluster: Cluster, test: Trial) -> str:
    """Return the process that has the run."""
    run = await test.stored(cluster.store, RUN)
    return str(run.owner).partition("-")[0]


async def test_a_stop_reaches_the_worker_and_its_model(mortal: Cluster) -> None:
    await mortal.script(HANGING)
    async with trial(mortal) as test:
        replay = await test.send(RUN)
        await test.hears(replay, "Half of it")
        assert await owner_of(mortal, test) in mortal.workers
        closed = sum(seen.state == "closed_by_client" for seen in mortal.model.requests)
        began = time.monotonic()
        await test.client.send("test_stop", invocation_id=test.invocation_id)
        await mortal.model.until("closed_by_client", closed + 1)
        assert time.monotonic() - began < STOPPED_WITHIN
        await test.client.until("test_stopped")
        await mortal.script({"reply": "Hello!"})
        await test.run(RUN)
        assert test.client.seen_last("test_run_complete")["remaining_runs"] == 2


async def test_a_stopped_worker_gives_its_replay_to_the_other_at_once(mortal: Cluster) -> None:
    await mortal.script({**HANGING, "times": 1}, {"reply": "Hello!"})
    async with trial(mortal) as test:
        replay = await test.send(RUN)
        await test.hears(replay, "Half of it")
        began = time.monotonic()
        await mortal.stop(await owner_of(mortal, test))
        done = await test.client.until("test_run_complete")
        assert time.monotonic() - began < TAKEN_WITHIN
        assert done["run_id"] != replay
        assert len(test.client.named("test_run_complete")) == 1


async def test_the_replay_of_a_killed_worker_is_done_again_and_counted_once(mortal: Cluster) -> None:
    await mortal.script({**HANGING, "times": 1}, {"reply": "Hello!"})
    async with trial(mortal) as test:
        replay = await test.send(RUN)
        await test.hears(replay, "Half of it")
        await mortal.kill(await owner_of(mortal, test))
        failed = await test.client.until("test_error", run_id=replay, within=LOST_WITHIN)
        assert (failed["error_type"], failed["code"]) == ("run", "unavailable")
        done = await test.client.until("test_run_complete", within=LOST_WITHIN)
        assert (done["remaining_runs"], done["run_id"] != replay) == (2, True)
        run = await test.stored(mortal.store, RUN)
        assert (run.state, run.replay_id) == ("done", done["run_id"])
