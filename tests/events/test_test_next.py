"""test_next: each pending run is claimed by one runner at a time."""

import asyncio

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client, Data
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import Trial, begin, refused


async def claim(trial: Trial, client: Client | None = None, **more: object) -> Data:
    """Claim the next run."""
    return await (client or trial.client).send("test_next", test_id=trial.test_id, **more)


async def expire_claims(server: Server, trial: Trial) -> None:
    """Let a minute pass for the claims of a test."""
    runs = server.app[keys.STORE].database.runs
    update = [{"$set": {"claimed_until": {"$subtract": ["$claimed_until", 60_000]}}}]
    await runs.update_many({"test_id": trial.test_id, "claim": {"$exists": True}}, update)


async def test_runs_are_claimed_in_order_then_one_has_to_wait(runner: Client) -> None:
    trial = await begin(runner)
    claims = [await claim(trial) for _ in range(3)]
    assert [c["run_id"] for c in claims] == [trial.original(n) for n in ("greeting", "order", "short")]
    assert [(c["current_run"], c["total_runs"]) for c in claims] == [(1, 3), (2, 3), (3, 3)]
    assert {c["invocation_id"] for c in claims} == {trial.invocation_id}
    assert len({c["claim"] for c in claims}) == 3
    waiting = await claim(trial)
    assert waiting["done"] is False
    assert 50 < waiting["retry_after"] <= 60


async def test_two_runners_never_get_the_same_run(cast: Cast, author: Socket) -> None:
    trial = await begin(author, "many")
    clients = [author, await cast.author(), await cast.author()]
    acks = await asyncio.gather(*(claim(trial, clients[n % 3]) for n in range(7)))
    got = [a["run_id"] for a in acks if "run_id" in a]
    assert len(got) == len(set(got)) == 5
    assert [a["done"] for a in acks if "run_id" not in a] == [False, False]


async def test_a_claimed_run_needs_its_claim(author: Socket) -> None:
    trial = await begin(author)
    mine = await claim(trial)
    run = {**trial.ids, "run_id": mine["run_id"]}
    await refused(author, "test_run", "conflict", **run)
    await refused(author, "test_run", "conflict", **run, claim="another")
    assert await trial.run("order")  # nobody has claimed this one
    ack = await author.send("test_run", **run, claim=mine["claim"])
    await author.until("test_run_complete", run_id=ack["run_id"])


async def test_a_claim_ends_after_a_minute(server: Server, author: Socket) -> None:
    trial = await begin(author, "two-agents")
    first, second = await claim(trial), await claim(trial)
    assert first["invocation_id"] != second["invocation_id"]
    await expire_claims(server, trial)
    again = await claim(trial)
    assert (again["invocation_id"], again["run_id"]) == (first["invocation_id"], first["run_id"])
    assert again["claim"] != first["claim"]
    run = {**trial.ids, "run_id": first["run_id"]}
    await refused(author, "test_run", "conflict", **run, claim=first["claim"])
    await author.send("test_run", **run, claim=again["claim"])


async def test_when_all_have_run_it_is_done(author: Socket) -> None:
    trial = await begin(author)
    for name in ("greeting", "order", "short"):
        await trial.run(name)
    assert (await claim(trial))["done"] is True
    endless = await begin(author, infinite_mode=True)
    for name in ("greeting", "order", "short"):
        mine = await claim(endless)
        assert mine["run_id"] == endless.original(name)
        await endless.run(name, claim=mine["claim"])
    await author.until("test_all_complete", invocation_id=endless.invocation_id)
    assert (await claim(endless))["run_id"] == endless.original("greeting")


async def test_the_same_request_claims_once(author: Socket) -> None:
    trial = await begin(author)
    key = new()
    acks = [await claim(trial, client_event_id=key) for _ in range(2)]
    assert acks[0] == acks[1]
    assert (await claim(trial))["run_id"] == trial.original("order")


async def test_its_refusals(cast: Cast, author: Socket) -> None:
    trial = await begin(author)
    await refused(author, "test_next", "not_found", test_id=new())
    await refused(author, "test_next", "bad_request", test_id=7)
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_next", "not_found", test_id=trial.test_id)
    await refused(await cast.ops(), "test_next", "forbidden", test_id=trial.test_id)
    await author.send("test_end_all", test_id=trial.test_id)
    await refused(author, "test_next", "conflict", test_id=trial.test_id)
