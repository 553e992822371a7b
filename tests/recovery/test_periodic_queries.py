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
    "drafts",
    "generations",
    "invocations",
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
    await store.chats.overdue()
    await store.chats.stops("one")
    for ledger in (store.tests, store.invocations, store.runs):
        await ledger.waiting()
    await store.tests.ending()
    await store.invocations.unsettled()
    await store.runs.queued()
    await store.runs.ungraded()
    await store.runs.uncounted()
    await store.runs.orphaned(living, besides=[new()])
    await store.runs.orphaned_gradings(living, besides=[new()])
    await store.sessions.at_home([new()], "one")
    await store.sessions.elsewhere([new()], "one")
    await store.sessions.touch([new()])
    await store.sessions.expire(120, sparing=living)
    await store.sessions.expire(120, sparing=living, sockets=True)
    await store.sessions.find_socket(new(), within=120)


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
