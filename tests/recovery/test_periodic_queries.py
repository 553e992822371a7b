"""What every process asks the database again and again is answered by indexes, however much is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from server.engine.ids import derive, new
from server.store import Store
from server.transports import keys
from tests.conftest import Cast
from tests.support.running import Server
from tests.support.trials import begin

GROWING = (
    "attempts",
    "chats",
    "chunk_sweeps",
    "drafts",
    "evaluator_results",
    "evaluator_runs",
    "evaluator_setups",
    "generations",
    "indexing",
    "invocations",
    "job_requests",
    "job_results",
    "job_translations",
    "jobs",
    "pipeline_documents",
    "pipeline_files",
    "pipelines",
    "playground_sessions",
    "recordings",
    "runs",
    "sessions",
    "tests",
)
SCAN = "COLLSCAN"


@asynccontextmanager
async def profiled(store: Store) -> AsyncIterator[list[dict[str, Any]]]:
    """Fill a list with how the database has answered, at the end."""
    answers: list[dict[str, Any]] = []
    await store.database.command("profile", 2)
    try:
        yield answers
    finally:
        await store.database.command("profile", 0)
        found = store.database["system.profile"].find({"planSummary": {"$exists": True}})
        answers += await found.to_list(None)
        await store.database.drop_collection("system.profile")


def scanned(store: Store, answers: list[dict[str, Any]]) -> list[Any]:
    """Return the queries that read a whole collection that grows."""
    watched = {f"{store.database.name}.{name}" for name in GROWING}
    return [a["command"] for a in answers if a["ns"] in watched and SCAN in a["planSummary"]]


async def ask(store: Store) -> None:
    """Ask whatever is asked from time to time."""
    living = {"one", "two"}
    for aggregates in (store.attempts, store.chats, store.drafts, store.generations):
        await aggregates.waiting()
    for owners in (store.attempts, store.chats, store.generations):
        await owners.orphans(living)
        await owners.orphans(living, besides=[new()])
    await ask_for_sessions(store)
    await ask_for_pipelines(store)
    await store.chats.overdue()
    await store.chats.stops("one")
    for ledger in (store.tests, store.invocations, store.runs):
        await ledger.waiting()
    await store.tests.ending()
    await store.invocations.unsettled()
    await store.runs.queued()
    await store.runs.ungraded()
    await store.waiting.counts()
    await store.runs.uncounted()
    await store.runs.orphaned(living, besides=[new()])
    await store.runs.orphaned_gradings(living, besides=[new()])
    await ask_for_jobs(store)
    await ask_for_results(store)
    await store.sessions.at_home([new()], "one")
    await store.sessions.elsewhere([new()], "one")
    await store.sessions.touch([new()])
    await store.sessions.expire(120, sparing=living)
    await store.sessions.expire(120, sparing=living, sockets=True)
    await store.sessions.find_socket(new(), within=120)


async def ask_for_sessions(store: Store) -> None:
    """Ask whatever is asked for sessions of the playground."""
    sessions = store.playground
    await sessions.waiting()
    await sessions.orphans({"one"})
    await sessions.orphans({"one"}, besides=[new()])
    await sessions.stops("one")
    await sessions.kept([new()], "one")
    await sessions.replying(new())
    await sessions.mine(new(), user_key="profile_1", org="default")
    await sessions.of_pipelines([new()])
    await sessions.forgotten()
    await sessions.drop([new()], seconds=1)


async def ask_for_pipelines(store: Store) -> None:
    """Ask whatever is asked for the indexing of pipelines, and for what deleted ones leave."""
    indexing = store.indexing
    await indexing.orphaned({"one"}, besides=[new()])
    await indexing.queued()
    await indexing.recut()
    await indexing.embedded_by_others("one")
    await indexing.waits(new())
    await indexing.batch(new())
    await store.chunks.sweep()
    await store.pipelines.deleted()
    await store.pipeline_documents.drop_some(new())
    await store.pipeline_files.drop_loose()


async def ask_for_jobs(store: Store) -> None:
    """Ask whatever is asked for batch jobs."""
    job_id = new()
    await store.jobs.waiting()
    await store.jobs.queued(seal="one")
    await store.jobs.queued(seal="one", sealed=True)
    await store.jobs.orphaned({"one"}, besides=[job_id], seal="one")
    await store.jobs.sealed_by_nobody({"one"}, mine="one", seconds=900)
    await store.jobs.fences([job_id])
    await store.jobs.count(job_id, fence=1, figures={"results": 1})
    await store.jobs.drop_loose()
    await store.jobs.request(job_id)
    await store.jobs.translation(job_id, "k")
    await store.jobs.listed("default", state=None, limit=5, cursor=None)
    await store.jobs.listed("default", state="queued", limit=5, cursor=None)
    await store.results.page(job_id, from_=0, limit=5)
    await store.results.end_all(job_id, "failed")


async def ask_for_results(store: Store) -> None:
    """Ask whatever is asked for results of evaluators."""
    results, runs = store.evaluator_results, store.evaluator_runs
    await results.waiting()
    await runs.waiting()
    await results.queued()
    await results.orphaned({"one"}, besides=[1])
    await results.fences([1])
    await results.connected(1, fence=1)
    await results.drop_loose()
    await results.setup(1, version=1)
    await results.keep_setup(1)
    await results.take_webhook(lease_seconds=1.0, besides=[1], not_of=["other"])
    await results.of_key("default", "key")
    await results.listed("default", agent=None, skip=0, limit=5)
    await results.listed("default", agent=1, skip=0, limit=5)
    await results.rooms({"org": "default"}, limit=5, cursor=None)
    await runs.count(1)
    await runs.unfinished(1)
    await runs.facts([1])
    await runs.of_result(1, whole=True)
    await runs.size(1)
    await runs.connected([1], fence=1)
    await runs.to_cancel([1])
    await runs.judge_again(1, ends=1)
    await runs.listed({"org": "default"}, skip=0, limit=5)
    await runs.listed({"org": "default", "agent": 1}, skip=0, limit=5)
    await runs.listed({"org": "default", "status": "running"}, skip=0, limit=5)


async def test_nothing_that_grows_is_read_whole(server: Server, cast: Cast) -> None:
    trial = await begin(await cast.author())
    store = server.app[keys.STORE]
    invocation = await store.invocations.get(trial.invocation_id)
    assert invocation is not None
    async with profiled(store) as answers:
        await ask(store)
        assert [r async for page in store.replays.each_recording(trial.test_id) for r in page]
        wanted = trial.original("short")
        assert list(await store.replays.recordings([derive(trial.test_id, wanted)])) == [wanted]
        assert await store.runs.counted(invocation.id, cycle=1) == {}
    asked = {a["ns"].partition(".")[2] for a in answers}
    assert asked >= set(GROWING)
    assert scanned(store, answers) == []


async def test_a_query_without_an_index_is_found_out(server: Server) -> None:
    store = server.app[keys.STORE]
    async with profiled(store) as answers:
        await store.runs.exists({"name": "no such name"})
    assert len(scanned(store, answers)) == 1


async def test_pipelines_with_many_documents_that_wait_are_found_by_few_of_them(server: Server) -> None:
    store = server.app[keys.STORE]
    rows = [{"_id": new(), "id": str(n), "pipeline_id": f"p{n % 2}", "state": "queued"} for n in range(500)]
    await store.database.pipeline_documents.insert_many(rows)
    async with profiled(store) as answers:
        assert set(await store.indexing.queued()) == {"p0", "p1"}
    looks = [a for a in answers if "DISTINCT_SCAN" in a["planSummary"]]
    assert {a["keysExamined"] < 10 for a in looks} == {True}  # the server may have looked too
