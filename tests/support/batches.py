"""Batch jobs of tests: a small shop, jobs with so many runs, and what is stored of them."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from schemas.batch import BatchResult
from schemas.batch_job import BatchJob
from schemas.envelope import Id, Role
from server.engine.access import Identity
from server.engine.batch.batches import Batches
from server.engine.batch.rooms import batch_room
from server.engine.ids import new
from server.store import Store
from server.store.results import ResultRow
from tests.fold.oracle import check_splits, log_of, shown_by

MIRROR = Path(__file__).parent.parent / "data" / "batch" / "mirror"
SHOP = "https://shop.test/ai-plugin.json"
THINGS = "https://shop.test/things"
FINDS = {"tool_calls": [{"name": "get_things", "arguments": {"q": "cups"}}]}
WITHIN = 30.0


def identity(role: Role = "author", *, org: str = "default") -> Identity:
    """Return somebody of an organisation."""
    return Identity(kind="profile", id=new(), role=role, org=org)


def job_of(cases: int = 1, *, concurrency: int = 16, **changes: Any) -> dict[str, Any]:
    """Return a job with so many runs; each asks the model for something else."""
    selector = {"provider": "OpenAI", "pipeline_name": "default", "plugin_group_name": "all"}
    return {
        "version": "1.0",
        "name": "shopping",
        "config": {"concurrency": concurrency},
        "test_plugin": {"manifest_url": SHOP},
        "plugin_groups": [{"name": "all", "plugins": [{"manifest_url": SHOP}]}],
        "permutations": [
            {
                "name": "tools",
                "llm": {"provider": "OpenAIChat", "model_name": "scripted", "max_retries": 0},
                "tool_selector": selector,
            }
        ],
        "test_cases": [case(n) for n in range(cases)],
        **changes,
    }


def case(n: int, **changes: Any) -> dict[str, Any]:
    """Return a test case."""
    expected = {"expected_plugin_used": SHOP, "expected_api_used": THINGS, "expected_method": "get"}
    named = {"name": f"case {n}", "type": "plugin_selector", "prompt": f"Find me cups, take {n}."}
    return {**named, **expected, **changes}


def result_of(job_id: Id, run: int) -> BatchResult:
    """Return what a run might have come to."""
    return BatchResult(
        permutation_name="tools",
        permutation_summary="OpenAIChat[scripted] - OpenAI[default]",
        test_type="plugin_selector",
        test_case_name=f"case {run}",
        is_run_completed=True,
        language="English",
        prompt=f"Find me cups, take {run}.",
        final_output=None,
        match_score=1.0,
        is_plugin_detected=True,
        is_plugin_operation_found=True,
        is_plugin_parameter_mapped=False,
        plugin_name="Shop",
        plugin_operation=THINGS,
        plugin_parameters_mapped=None,
        parameter_mapped_percentage=0.0,
        response_time_sec=0.1,
        total_llm_tokens_used=10,
        llm_api_cost=0.0,
        job_id=job_id,
        index=-1,
        source_prompt=f"Find me cups, take {run}.",
        is_method_matched=True,
        detected=[],
        verdict="Passed",
        error=None,
        ignored=[],
        cached_calls=0,
    )


async def until_ended(batches: Batches, caller: Identity, job_id: Id, *, within: float = WITHIN) -> BatchJob:
    """Return a job once it has ended."""
    async with asyncio.timeout(within), batches.changes(job_id) as changes:
        while True:
            job = await batches.get(caller, job_id)
            if job.completed_on is not None:
                return job
            await changes.wait()


async def results_of(
    batches: Batches, caller: Identity, job_id: Id, *, from_: int = 0, limit: int = 500
) -> list[BatchResult]:
    """Return stored results of a job as clients read them; raises NotFound."""
    job = await batches.get(caller, job_id)
    lines = await batches.lines(job.id, from_=from_, limit=limit)
    return [BatchResult.model_validate_json(line) for line in lines]


async def until_results(
    batches: Batches, caller: Identity, job_id: Id, count: int, *, within: float = WITHIN
) -> list[BatchResult]:
    """Return the results of a job once there are so many."""
    async with asyncio.timeout(within), batches.changes(job_id) as changes:
        while len(found := await results_of(batches, caller, job_id)) < count:
            await changes.wait()
        return found


async def rows_of(store: Store, job_id: Id) -> list[ResultRow]:
    """Return all that is stored of a job's results, also what ends them."""
    rows: list[ResultRow] = []
    while page := await store.results.page(job_id, from_=len(rows), limit=500):
        rows += page
    return rows


async def check_job(store: Store, job_id: Id) -> list[BatchResult]:
    """Check an ended job: each run once, no holes, the same in its room, its counters and its summary."""
    job = await store.jobs.get(job_id)
    assert job is not None
    assert job.summary is not None
    *rows, end = await rows_of(store, job_id)
    assert end.end == job.state == job.summary.status
    assert [row.index for row in (*rows, end)] == list(range(len(rows) + 1))
    runs = [row.run for row in rows]
    assert len(set(runs)) == len(runs)
    assert job.state != "completed" or sorted(runs) == list(range(job.total_runs))
    results = [BatchResult.model_validate_json(row.j) for row in rows]
    assert [r.index for r in results] == list(range(len(results)))
    counted = Counter(r.verdict for r in results)
    assert (job.passed, job.failed, job.errors) == tuple(counted[v] for v in ("Passed", "Failed", "Error"))
    assert job.results == job.published == job.summary.summary.total_test_cases == len(results)
    assert (job.keys, job.process, job.sealed_by) == (None, None, None)
    await check_room(store, job, results)
    return results


async def check_room(store: Store, job: BatchJob, results: list[BatchResult]) -> None:
    """Check that a job's room tells of its results in order, then of its end, and folds to what is stored."""
    log = await log_of(store, batch_room(job.id))
    told = [orjson.loads(row.j) for row in log if row.name == "batch_result"]
    assert [t["index"] for t in told] == list(range(len(results))), [t["index"] for t in told]
    assert [t["verdict"] for t in told] == [r.verdict for r in results]
    assert [t["test_case_name"] for t in told] == [r.test_case_name for r in results]
    assert [row.name for row in log if row.name == "batch_ended"] == ["batch_ended"]
    assert log[-1].name == "batch_ended"
    shown = shown_by(batch_room(job.id), log)
    for field in ("results", "passed", "failed", "errors"):
        assert shown[field] == getattr(job, field)
    assert shown["status"] == job.state
    assert [one["index"] for one in shown["latest"]] == list(range(len(results)))[-50:]
    check_splits(batch_room(job.id), log)
