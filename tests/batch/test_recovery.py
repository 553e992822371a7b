"""Jobs whose process died, was cut off, or stops: no result lost, none doubled, and others go on."""

from functools import partial

from schemas.envelope import Id, utc_now
from server.engine.batch.rooms import result_eid, stored
from server.store.results import ResultRow
from server.transports import keys
from tests.batch.conftest import OpenShop, Shop
from tests.fold.oracle import log_of
from tests.recovery.test_leases import lose
from tests.support.batches import FINDS, SHOP, case, result_of
from tests.support.passing import passes

GHOST = "ghost-1"
PACED = {**FINDS, "first_delay_ms": 40}
HELD = {"match": {"any_contains": "take 9."}, **FINDS, "first_delay_ms": 60_000}


async def haunt(shop: Shop, job_id: Id, *, count: int, published: int) -> None:
    """Let a job be as a dead process has left it, with the results of its first runs, last ones first."""
    rows = []
    for index, run in enumerate(reversed(range(count))):
        result = result_of(job_id, run).model_copy(update={"index": index})
        rows.append(ResultRow(index=index, run=run, j=result.model_dump_json().encode()))
    await shop.store.results.append(job_id, rows)
    left = {"state": "running", "process": GHOST, "fence": 1, "started_on": utc_now(), "published": published}
    await shop.store.jobs.change(job_id, when={"state": "queued"}, update={"$set": left})


async def test_a_dead_processes_job_is_gone_on_with(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as waiting:
        database = waiting.server.app[keys.SETTINGS].mongodb_database
        begun = await waiting.start(20)
        await haunt(waiting, begun.id, count=7, published=2)
        publish = partial(waiting.server.app[keys.HUB].log.publish, f"batch_{begun.id}")
        for index in range(4):  # more than it noted
            event = stored(result_of(begun.id, 6 - index).model_copy(update={"index": index}))
            await publish(event.event, event.encode(), eid=result_eid(begun.id, index))
    async with open_shop(mongodb_database=database) as shop:
        shop.author = waiting.author
        job = await shop.ended(begun.id)
        results = await shop.results(job.id, 20)
    assert (job.state, job.fence, job.results) == ("completed", 2, 20)
    asked = [str(seen.messages[-1]["content"]) for seen in shop.server.model.requests]
    assert sorted(asked) == sorted(f"Find me cups, take {n}." for n in range(7, 20))
    assert [r.test_case_name for r in results[:7]] == [f"case {n}" for n in range(7)][::-1]


async def test_a_dead_processes_job_that_was_cancelled_ends(shop: Shop) -> None:
    await shop.server.script(HELD)
    begun = await shop.start(0, test_cases=[case(9)])
    await shop.server.model.until("running", 1)
    work = shop.batches._runner._works[begun.id]
    work.stop("lost")
    await shop.store.jobs.change(begun.id, when={}, update={"$set": {"process": GHOST, "cancel": True}})
    assert (await shop.ended(begun.id)).state == "cancelled"


async def test_a_job_that_died_between_its_last_result_and_its_end_ends_as_it_would_have(shop: Shop) -> None:
    await shop.server.script(HELD)
    begun = await shop.start(0, test_cases=[case(9), case(9)])
    await shop.server.model.until("running", 1)
    shop.batches._runner._works[begun.id].stop("lost")
    await shop.store.results.end(begun.id, 0, "cancelled")
    await shop.store.jobs.change(begun.id, when={}, update={"$set": {"process": GHOST}})
    job = await shop.ended(begun.id)
    assert (job.state, job.results) == ("cancelled", 0)


async def test_who_has_lost_a_job_changes_nothing_more_of_it(shop: Shop) -> None:
    await shop.server.script({**HELD, "times": 1}, PACED)
    begun = await shop.start(10)
    await shop.results(begun.id, 9)
    runner = shop.batches._runner
    work = runner._works[begun.id]
    taken = {"process": GHOST, "fence": 9}
    await shop.store.jobs.change(begun.id, when={"state": "running"}, update={"$set": taken})
    await shop.server.model.until("closed_by_client")
    assert work.halt == "lost"
    await passes(0.1, because="nothing tells of what does not happen")
    job = await shop.get(begun.id)
    assert job.fence in (9, 10)  # the latter: found orphaned and claimed anew meanwhile
    job = await shop.ended(begun.id)
    assert (job.state, job.fence) == ("completed", 10)


async def test_when_the_lease_is_lost_the_job_is_claimed_anew(shop: Shop) -> None:
    await shop.server.script({**HELD, "times": 1}, FINDS)
    begun = await shop.start(10)
    await shop.results(begun.id, 9)
    lose(shop.server)
    await shop.server.model.until("closed_by_client", within=5)
    job = await shop.ended(begun.id)
    assert (job.state, job.results, job.fence) == ("completed", 10, 2)
    log = await log_of(shop.store, f"batch_{job.id}")
    assert [row.name for row in log].count("batch_started") == 2


async def test_a_server_that_stops_gives_its_job_back_and_the_next_goes_on(open_shop: OpenShop) -> None:
    async with open_shop() as first:
        database = first.server.app[keys.SETTINGS].mongodb_database
        await first.server.script({**HELD, "times": 1}, FINDS)
        begun = await first.start(10, config={"concurrency": 4, "openai_api_key": "sk-client"})
        await first.results(begun.id, 9)
    async with open_shop(mongodb_database=database) as second:
        given_back = await second.store.jobs.slim(begun.id)
        assert given_back is not None
        assert given_back.fence >= 2
        second.author = first.author
        job = await second.ended(begun.id)
    assert (job.state, job.results) == ("completed", 10)
    assert {seen.key for seen in second.server.model.requests} == {"sk-client"}


async def test_a_job_with_keys_waits_for_a_process_with_its_secret(shop: Shop) -> None:
    waiting = {"state": "queued", "sealed_by": "of another secret", "keys": b"sealed"}
    await shop.server.script(HELD)
    begun = await shop.start(0, test_cases=[case(9)])
    await shop.server.model.until("running", 1)
    shop.batches._runner._works[begun.id].stop("lost")
    await shop.store.jobs.change(begun.id, when={}, update={"$set": waiting})
    await shop.batches._runner.run(begun.id)
    assert (await shop.get(begun.id)).state == "queued"
    await shop.cancel(begun.id)
    assert (await shop.ended(begun.id)).state == "cancelled"


async def test_a_job_whose_keys_are_damaged_fails_and_tells_what_it_came_to(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        begun = await shop.start(20, config={"openai_api_key": "sk-client"})
        await haunt(shop, begun.id, count=7, published=0)
        await shop.store.jobs.change(begun.id, when={}, update={"$set": {"keys": b"no keys"}})
        await shop.batches._runner.run(begun.id)
        job = await shop.ended(begun.id)
    assert (job.state, job.results, job.passed) == ("failed", 7, 7)
    assert job.error is not None
    assert "keys" in job.error.message
    assert job.summary is not None
    assert (job.summary.test_plugin, job.summary.error) == (SHOP, job.error)
    figures = job.summary.summary
    assert (figures.total_test_cases, figures.overall_accuracy, figures.failed_cases) == (7, 100.0, 0)


async def test_results_of_an_older_server_are_gone_on_with(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        begun = await shop.start(3)
        later = {"source_prompt", "is_method_matched", "detected", "error", "ignored", "cached_calls"}
        old = result_of(begun.id, 0).model_copy(update={"index": 0}).model_dump_json(exclude=later)
        await shop.store.results.append(begun.id, [ResultRow(index=0, run=0, j=old.encode())])
        await shop.batches._runner.run(begun.id)
        job = await shop.ended(begun.id)
    assert (job.state, job.results, job.passed) == ("completed", 3, 3)
