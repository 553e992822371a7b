"""Batch jobs from their start to their end, by the requests of people."""

import time
from collections.abc import Awaitable
from typing import Any

import pytest

from schemas.batch import JobSummary
from schemas.batch_job import BatchJob
from server.engine.batch.batches import MAX_DETAIL_BYTES
from server.engine.batch.runner import BatchRunner
from server.engine.ids import new
from server.errors import BadRequest, Conflict, Forbidden, GreenroomError, NotFound
from server.store.results import PAGE_BYTES
from tests.batch.conftest import OpenShop, Shop
from tests.support.batches import FINDS, SHOP, case, identity, job_of, results_of, rows_of

SLOW = {**FINDS, "first_delay_ms": 60_000}
FAST = [{**FINDS, "match": {"any_contains": f"take {n}."}} for n in range(4)]


async def test_a_job_is_done_and_summed_up(shop: Shop) -> None:
    job = await shop.ended((await shop.start(30)).id)
    assert (job.state, job.results, job.passed) == ("completed", 30, 30)
    summary = JobSummary.model_validate_json(await shop.batches.summary(job))
    assert summary.job_name == f"shopping-1.0-{job.created_at.date().isoformat()}"
    assert isinstance(summary.details, list)
    assert [r.index for r in summary.details] == list(range(30))
    assert summary.summary.overall_accuracy == 100.0
    assert summary.permutations[0]["llm"]["model_name"] == "scripted"
    assert (summary.test_plugin, summary.error) == (SHOP, None)


async def test_a_job_is_seen_from_its_start(shop: Shop) -> None:
    await shop.server.script(SLOW)
    begun = await shop.start(3, name="slow")
    view = shop.batches.view(begun)
    assert (view.status, view.total_runs, view.results, view.cancelling) == ("queued", 3, 0, False)
    assert view.room == f"batch_{begun.id}"
    await shop.server.model.until("running", 3)
    assert shop.batches.view(await shop.get(begun.id)).status == "running"
    with pytest.raises(Conflict):
        await shop.batches.summary(await shop.get(begun.id))
    await shop.cancel(begun.id)
    await shop.ended(begun.id)


async def test_jobs_of_several_permutations_and_languages_have_every_run(shop: Shop) -> None:
    job = job_of(3)
    job["permutations"] = [{**job["permutations"][0], "name": name} for name in ("one", "two")]
    job["config"] = {"auto_translate_to_languages": ["English", "english", "English"]}
    begun = await shop.batches.start(shop.author, job)
    assert begun.total_runs == 12
    await shop.ended(begun.id)
    results = await results_of(shop.batches, shop.author, begun.id, from_=0, limit=100)
    found = {(r.permutation_name, r.test_case_name, r.language) for r in results}
    assert len(found) == 12


async def test_a_job_with_more_than_a_thousand_results_tells_their_number(shop: Shop) -> None:
    job = await shop.ended((await shop.start(1001, concurrency=100)).id)
    summary = JobSummary.model_validate_json(await shop.batches.summary(job))
    assert (summary.details, summary.summary_by_test_case) == (1001, 1001)
    page = await results_of(shop.batches, shop.author, job.id, from_=990, limit=500)
    assert [r.index for r in page] == list(range(990, 1001))
    assert await results_of(shop.batches, shop.author, job.id, from_=1001, limit=500) == []


async def test_results_that_are_large_together_are_not_in_the_summary(shop: Shop) -> None:
    shop.server.model.script([{"reply": "x" * 30_000}])
    most = MAX_DETAIL_BYTES // 31_000
    job = await shop.ended((await shop.start(most + 3)).id)
    whole = await shop.batches.summary(job)
    assert JobSummary.model_validate_json(whole).details == most + 3
    assert len(whole) < 50_000
    page = await results_of(shop.batches, shop.author, job.id, from_=5, limit=500)
    assert [r.index for r in page] == list(range(5, 5 + len(page)))
    assert sum(len(r.model_dump_json()) for r in page) == pytest.approx(PAGE_BYTES, rel=0.05)
    fits = await shop.ended((await shop.start(most)).id)
    summary = JobSummary.model_validate_json(await shop.batches.summary(fits))
    assert isinstance(summary.details, list)
    assert [r.index for r in summary.details] == list(range(most))


async def test_runs_that_fail_are_results_and_the_others_go_on(shop: Shop) -> None:
    await shop.server.script({"match": {"any_contains": "take 1."}, "status": 400}, FINDS)
    job = await shop.ended((await shop.start(3)).id)
    assert (job.state, job.passed, job.errors) == ("completed", 2, 1)
    (failed,) = [r for r in await shop.results(job.id, 3) if r.verdict == "Error"]
    assert (failed.is_run_completed, failed.final_output) == (False, "FAILED")
    assert failed.error is not None


async def test_keys_are_kept_encrypted_while_the_job_runs_and_erased_at_its_end(shop: Shop) -> None:
    await shop.server.script({**FINDS, "first_delay_ms": 300})
    begun = await shop.start(1, config={"openai_api_key": "sk-of-the-client", "openplugin_api_key": "op-key"})
    kept = await shop.store.database.jobs.find_one({"_id": begun.id})
    request = await shop.store.jobs.request(begun.id)
    assert kept is not None
    assert request is not None
    assert kept["keys"]
    assert b"sk-of-the-client" not in kept["keys"] + request
    assert "sk-of-the-client" not in repr(kept) + repr(begun)
    job = await shop.ended(begun.id)
    assert (job.passed, job.keys) == (1, None)
    assert [seen.key for seen in shop.server.model.requests] == ["sk-of-the-client"]


# --- cancelling ---------------------------------------------------------------------------------------------


async def test_a_cancelled_job_keeps_what_is_finished(shop: Shop) -> None:
    await shop.server.script(*FAST, SLOW)
    begun = await shop.start(9)
    await shop.results(begun.id, 4)
    started = time.monotonic()
    assert shop.batches.view(await shop.cancel(begun.id)).cancelling
    job = await shop.ended(begun.id)
    assert time.monotonic() - started < 10  # the model takes much longer
    assert (job.state, job.results, job.passed) == ("cancelled", 4, 4)
    summary = JobSummary.model_validate_json(await shop.batches.summary(job))
    assert (summary.status, summary.summary.total_test_cases) == ("cancelled", 4)
    assert not shop.batches.view(job).cancelling
    await shop.server.model.until("closed_by_client", 5)
    assert await shop.cancel(begun.id) == job  # once more, after the end


async def test_cancelling_twice_at_once_ends_a_job_once(shop: Shop) -> None:
    await shop.server.script(SLOW)
    begun = await shop.start(2)
    await shop.server.model.until("running", 2)
    await shop.cancel(begun.id)
    await shop.cancel(begun.id)
    assert (await shop.ended(begun.id)).state == "cancelled"


async def test_a_job_that_waits_is_cancelled_at_once(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=1) as shop:
        await shop.server.script(SLOW)
        first = await shop.start(1)
        await shop.server.model.until("running", 1)
        second = await shop.start(3)
        cancelled = await shop.cancel(second.id)
        assert (cancelled.state, cancelled.results) == ("cancelled", 0)
        assert cancelled.summary is not None
        await shop.ended(second.id)
        assert (await shop.get(first.id)).state == "running"


async def test_a_job_cancelled_where_no_jobs_are_done_ends_all_the_same(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        begun = await shop.start(3)
        assert (await shop.cancel(begun.id)).state == "cancelled"
        await shop.ended(begun.id)


# --- people -------------------------------------------------------------------------------------------------


async def attempt(shop: Shop, role: Any, job: BatchJob, *, org: str = "default") -> list[type | None]:
    """Return what somebody's start, look, results and cancel raise."""
    who = identity(role, org=org)
    raised: list[type | None] = []
    calls: tuple[Awaitable[object], ...] = (
        shop.batches.start(who, job_of(1)),
        shop.batches.get(who, job.id),
        results_of(shop.batches, who, job.id),
        shop.batches.page(who, limit=5, cursor=None),
        shop.batches.cancel(who, job.id),
    )
    for call in calls:
        try:
            await call
            raised.append(None)
        except GreenroomError as error:
            raised.append(type(error))
    return raised


async def test_who_may_do_what(shop: Shop) -> None:
    job = await shop.ended((await shop.start(1)).id)
    assert await attempt(shop, "author", job) == [None] * 5
    assert await attempt(shop, "admin", job) == [None] * 5
    assert await attempt(shop, "ops", job) == [Forbidden, None, None, None, Forbidden]
    assert await attempt(shop, "learner", job) == [Forbidden, NotFound, NotFound, Forbidden, NotFound]
    assert await attempt(shop, "author", job, org="other") == [None, NotFound, NotFound, None, NotFound]
    assert (await shop.batches.page(identity(org="other"), limit=50, cursor=None)).items[0].org == "other"


async def test_a_missing_job_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.get(new())
    with pytest.raises(NotFound):
        await shop.cancel(new())


async def test_jobs_are_listed_newest_first_and_by_state(shop: Shop) -> None:
    begun = [(await shop.start(1, name=f"job {n}")).id for n in range(5)]
    for job_id in begun:
        await shop.ended(job_id)
    await shop.server.script(SLOW)
    begun.append((await shop.start(1)).id)
    await shop.server.model.until("running", 1)
    found: list[BatchJob] = []
    cursor = None
    while not found or cursor:
        page = await shop.batches.page(shop.author, limit=4, cursor=cursor)
        found, cursor = [*found, *page.items], page.next_cursor
    # of those that were begun in one millisecond the order is that of their ids
    assert found == sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)
    assert [job.id for job in sorted(found, key=lambda job: (job.created_at, begun.index(job.id)))] == begun
    assert {(job.summary, job.keys) for job in found} == {(None, None)}
    running = await shop.batches.page(shop.author, limit=4, cursor=None, status="running")
    assert [job.id for job in running.items] == begun[-1:]


async def test_a_bad_job_starts_nothing(shop: Shop) -> None:
    with pytest.raises(BadRequest) as refused:
        await shop.start(2, plugin_groups=[{"name": "other", "plugins": [{"manifest_url": SHOP}]}])
    assert [p.type for p in refused.value.details or []] == ["unknown_plugin_group"]
    for name in ("jobs", "job_requests"):
        assert await shop.store.database[name].count_documents({}) == 0


async def test_a_large_job_is_stored_in_pieces_and_comes_back(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        noise = "".join(new() for _ in range(800))  # as good as nothing to compress
        cases = [case(n, prompt=f"{n}{noise[n:]}", name=new()) for n in range(1500)]
        begun = await shop.start(0, test_cases=cases)
        stored = await shop.store.database.job_requests.count_documents({"loose": {"$exists": False}})
        assert stored >= 1
        assert (await shop.cancel(begun.id)).state == "cancelled"


async def test_requests_without_a_job_are_removed(shop: Shop) -> None:
    job = await shop.start(1)
    lost = new()
    await shop.store.jobs.save_request(lost, b"lost")
    await shop.store.jobs.save_request(job.id, (await shop.store.jobs.request(job.id)) or b"")
    old = {"$set": {"loose": job.created_at.replace(year=2020)}}
    await shop.store.database.job_requests.update_many({"loose": {"$exists": True}}, old)
    await shop.store.jobs.drop_loose()
    assert await shop.store.jobs.request(lost) is None
    await shop.ended(job.id)


async def test_a_job_whose_request_is_gone_fails(open_shop: OpenShop, shop: Shop) -> None:
    async with open_shop(job_slots=0) as waiting:
        begun = await waiting.start(2)
        await waiting.store.database.job_requests.delete_many({"_id.j": begun.id})
        runner: BatchRunner = waiting.batches._runner
        await runner.run(begun.id)
        job = await waiting.ended(begun.id)
        assert job.state == "failed"
        assert job.error is not None
        assert (await rows_of(waiting.store, begun.id))[0].end == "failed"


async def test_translations_are_those_of_who_was_first(shop: Shop) -> None:
    jobs, job_id = shop.store.jobs, new()
    assert await jobs.translation(job_id, "k") is None
    assert await jobs.save_translation(job_id, "k", "eins") == "eins"
    assert await jobs.save_translation(job_id, "k", "zwei") == "eins"
    assert await jobs.translation(job_id, "k") == "eins"
