"""Batch jobs of servers without slots, done by workers: seen everywhere, and gone on with by the other."""

import asyncio
from typing import Any

import aiohttp

from server.engine.ids import new
from tests.scaled.cluster import Cluster
from tests.support.batches import FINDS, check_job, job_of
from tests.support.clients import socket
from tests.support.passing import passes

CASES = 60
TAKEN_WITHIN = 25.0


async def begin(cluster: Cluster, token: str, **config: Any) -> str:
    """Start a job; return its id."""
    job = job_of(CASES, config={"concurrency": 4, **config})
    url = f"{cluster.url}/api/start-job?async=1"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as http, http.post(url, json=job, headers=headers) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["job_id"])


async def owner_of(cluster: Cluster, job_id: str) -> str:
    """Return the process that does a job."""
    job = await cluster.store.jobs.slim(job_id)
    assert job is not None
    return str(job.process).partition("-")[0]


async def test_a_killed_workers_job_is_gone_on_with_by_the_other(mortal: Cluster) -> None:
    await mortal.script({**FINDS, "first_delay_ms": 100})
    token = mortal.token(new(), role="author")
    async with socket(mortal.url, {"token": token}) as client:
        job_id = await begin(mortal, token, openai_api_key="sk-client")
        await client.send("room_join", room=f"batch_{job_id}")
        await client.until("batch_result", count=8)
        first = await owner_of(mortal, job_id)
        assert first in mortal.workers
        await mortal.kill(first)
        ended = await client.until("batch_ended", within=TAKEN_WITHIN + CASES)
        assert (ended["status"], ended["results"]) == ("completed", CASES)
        seen = [d["index"] for d in client.named("batch_result")]
        assert seen == list(range(CASES))[-len(seen) :]
    await check_job(mortal.store, job_id)


async def back(cluster: Cluster, name: str) -> None:
    """Return when a process that was paused beats again."""
    async with asyncio.timeout(TAKEN_WITHIN):
        while name not in {process.partition("-")[0] for process in await cluster.store.processes.living()}:
            await passes(0.1, because="a process that goes on tells nobody but the database")


async def test_a_worker_that_stood_still_for_longer_than_its_lease_spoils_nothing(mortal: Cluster) -> None:
    await mortal.script({**FINDS, "first_delay_ms": 200})
    token = mortal.token(new(), role="author")
    async with socket(mortal.url, {"token": token}) as client:
        job_id = await begin(mortal, token)
        await client.send("room_join", room=f"batch_{job_id}", after=0)
        await client.until("batch_result", count=8)
        first = await owner_of(mortal, job_id)
        mortal[first].pause()
        try:
            before = len(client.named("batch_result"))
            await client.until("batch_started", count=2, within=TAKEN_WITHIN)
            await client.until("batch_result", count=before + 4, within=TAKEN_WITHIN)
            assert await owner_of(mortal, job_id) != first
        finally:
            mortal[first].resume()
        ended = await client.until("batch_ended", within=CASES)
        assert (ended["status"], ended["results"]) == ("completed", CASES)
        await back(mortal, first)
        assert [d["index"] for d in client.named("batch_result")] == list(range(CASES))
        assert len(client.named("batch_started")) == 2
    await check_job(mortal.store, job_id)


async def test_a_stopped_workers_job_is_taken_at_once_and_a_cancel_reaches_the_other(mortal: Cluster) -> None:
    await mortal.script({**FINDS, "first_delay_ms": 100})
    token = mortal.token(new(), role="author")
    async with socket(mortal.url, {"token": token}) as client:
        job_id = await begin(mortal, token)
        await client.send("room_join", room=f"batch_{job_id}", after=0)
        await client.until("batch_result", count=4)
        await mortal.stop(await owner_of(mortal, job_id))
        await client.until("batch_started", count=2, within=9.5)  # else it is kept for 10 s
        await mortal.script({**FINDS, "first_delay_ms": 60_000})
        url = f"{mortal.url}/api/jobs/{job_id}"
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.delete(url, headers=headers) as response:
            assert response.status == 200
        ended = await client.until("batch_ended")
        assert ended["status"] == "cancelled"
        assert client.names(f"batch_{job_id}")[-1] == "batch_ended"
    await check_job(mortal.store, job_id)
