"""test_group: all pending runs are replayed, at most `concurrency` at once; cycles go on until stopped."""

import asyncio
from datetime import datetime
from itertools import accumulate

from server.engine.ids import new
from server.store import Store
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, Trial, begin, refused

A_MOMENT = {"reply": "Done.", "first_delay_ms": 20}


async def most_at_once(trial: Trial, store: Store) -> int:
    """Return how many replays ran at the same time; their ends may be told after another begins."""
    changes: list[tuple[datetime, int]] = []
    for run in await store.runs.find({"invocation_id": trial.invocation_id, "state": {"$ne": "pending"}}):
        assert run.started_at is not None
        changes.append((run.started_at, 1))
        if run.result is not None:
            changes.append((run.result.finished_at, -1))
    return max(accumulate(change for _, change in sorted(changes)))


async def test_all_run_at_most_two_at_once(server: Server, runner: Client) -> None:
    await server.script(A_MOMENT)
    trial = await begin(runner, "many")
    ack = await runner.send("test_group", **trial.ids)
    over = await runner.until("test_all_complete")
    assert (over["success"], over["total_runs"]) == (True, 5)
    complete = runner.named("test_run_complete", room=trial.room)
    assert [d["remaining_runs"] for d in complete] == [4, 3, 2, 1, 0]
    assert len({d["original_run_resource_id"] for d in complete}) == 5
    assert set(ack["run_ids"]) <= {d["run_id"] for d in complete}
    store = server.app[keys.STORE]
    assert await most_at_once(trial, store) <= 2
    invocation = await store.invocations.get(trial.invocation_id)
    assert invocation is not None
    assert (invocation.group, invocation.active, invocation.counted) == (False, [], 5)
    await refused(runner, "test_group", "conflict", **trial.ids)


async def test_while_none_ends_no_more_begin(server: Server, author: Socket) -> None:
    await server.script(HANGING)
    trial = await begin(author, "many")
    acks = await asyncio.gather(*(author.send("test_group", **trial.ids) for _ in range(3)))
    assert [len(ack["run_ids"]) for ack in acks] == [2, 2, 2]
    await server.model.until("running", 2)
    assert await most_at_once(trial, server.app[keys.STORE]) == 2
    states = [(await trial.stored(server.app[keys.STORE], n)).state for n in ("one", "two", "three")]
    assert states == ["running", "running", "pending"]
    await author.send("test_stop", invocation_id=trial.invocation_id)
    assert len(await server.asked()) == 2


async def test_it_leaves_a_claimed_run_to_who_claimed_it(server: Server, author: Socket) -> None:
    trial = await begin(author)
    mine = await author.send("test_next", test_id=trial.test_id)
    await author.send("test_group", **trial.ids)
    await author.until("test_run_complete", count=2)
    assert (await trial.stored(server.app[keys.STORE], "greeting")).state == "pending"
    await trial.run("greeting", claim=mine["claim"])
    await author.until("test_all_complete")


async def test_failures_count_and_the_others_go_on(server: Server, author: Socket) -> None:
    await server.script({"match": {"last_contains": "Three"}, "status": 400})
    trial = await begin(author, "many")
    await author.send("test_group", **trial.ids)
    over = await author.until("test_all_complete")
    assert over["success"] is False
    assert len(author.named("test_run_complete", room=trial.room)) == 4
    (error,) = author.named("test_error", room=trial.room)
    assert (error["error_type"], error["code"]) == ("run", "upstream")


async def test_cycles_follow_each_other_until_stopped(server: Server, author: Socket) -> None:
    trial = await begin(author, "two-agents", infinite_mode=True)
    await author.send("test_group", **trial.ids)
    for cycle in (1, 2, 3):
        over = await author.until("test_all_complete", cycle=cycle)
        assert over["success"] is True
    await author.send("test_stop", invocation_id=trial.invocation_id)
    await author.until("test_stopped")
    invocation = await server.app[keys.STORE].invocations.get(trial.invocation_id)
    assert invocation is not None
    assert (invocation.infinite_mode, invocation.group) == (False, False)
    last = await server.app[keys.STORE].runs.find({"invocation_id": trial.invocation_id}, limit=1000)
    assert [r.state for r in last if r.cycle < invocation.cycle] == ["done"] * (invocation.cycle - 1)


async def test_a_cycle_whose_runs_were_not_made_gets_them(server: Server, author: Socket) -> None:
    trial = await begin(author, infinite_mode=True)
    for name in ("greeting", "order", "short"):
        await trial.run(name)
    await author.until("test_all_complete", cycle=1)
    store = server.app[keys.STORE]
    second = [trial.run_key(name, cycle=2) for name in ("greeting", "order", "short")]
    first = [trial.run_key(name) for name in ("greeting", "order", "short")]
    await store.database.runs.delete_many({"_id": {"$in": second}})  # killed between a count and its marks
    await store.database.runs.update_many({"_id": {"$in": first}}, {"$set": {"counted": False}})
    await trial.run("greeting")
    await author.send("test_group", **trial.ids)
    await author.until("test_all_complete", cycle=2)
    await author.send("test_stop", invocation_id=trial.invocation_id)
    complete = [d["run_id"] for d in author.named("test_run_complete", room=trial.room)]
    assert len(complete) == len(set(complete))


async def test_cycles_end_when_every_replay_fails(server: Server, author: Socket) -> None:
    await server.script({"status": 400})
    trial = await begin(author, "two-agents", infinite_mode=True)
    await author.send("test_group", **trial.ids)
    error = await author.until("test_error", error_type="proceed")
    assert (error["invocation_id"], error["code"]) == (trial.invocation_id, "conflict")
    invocation = await server.app[keys.STORE].invocations.get(trial.invocation_id)
    assert invocation is not None
    assert (invocation.infinite_mode, invocation.group, invocation.cycle) == (False, False, 1)


async def test_its_refusals(cast: Cast, author: Socket) -> None:
    trial = await begin(author)
    await refused(author, "test_group", "not_found", **(trial.ids | {"test_id": new()}))
    await refused(author, "test_group", "not_found", **(trial.ids | {"test_invocation_id": new()}))
    await refused(author, "test_group", "bad_request", **(trial.ids | {"prev_run_id": 3}))
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_group", "not_found", **trial.ids)
    await refused(await cast.ops(), "test_group", "forbidden", **trial.ids)
    await author.send("test_end_all", test_id=trial.test_id)
    await refused(author, "test_group", "conflict", **trial.ids)
    assert not author.named("test_run_start")
