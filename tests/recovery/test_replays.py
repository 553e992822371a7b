"""Replays whose process died, was cut off, or does not hear: each run has one result all the same."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from pymongo.errors import AutoReconnect

from schemas.test import Run, Stopping
from server.engine.ids import derive, new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import log_of
from tests.fold.trial_oracle import check_trial
from tests.recovery.test_leases import lose
from tests.support.attempts import FULL_MARKS
from tests.support.clients import Socket, socket
from tests.support.process import ServerProcess
from tests.support.running import Server, load_pack, running, settings_for
from tests.support.tail import Tail
from tests.support.trials import HANGING, Trial, begin

SLOW = {"chunks": [f"{n} " for n in range(2000)], "delay_ms": 10}
TAKEOVER_MS = 15_000  # once a server is there
GHOST = "ghost-1"


async def haunt(server: Server, trial: Trial, name: str) -> Run:
    """Let a run be as a dead process has left it."""
    run_id = trial.run_key(name)
    left = {"state": "running", "owner": GHOST, "fence": 1, "replay_id": derive(run_id, "1")}
    await server.app[keys.STORE].runs.change(run_id, when={"state": "pending"}, update={"$set": left})
    return await trial.stored(server.app[keys.STORE], name)


async def follow(trial: Trial) -> None:
    """Join the room of a trial."""
    await trial.client.send("test_join", invocation_id=trial.invocation_id)


async def test_a_dead_processes_replay_is_done_again(server: Server, cast: Cast) -> None:
    trial = await begin(await cast.author())
    await follow(trial)
    left = await haunt(server, trial, "short")
    error = await trial.client.until("test_error", run_id=left.replay_id)
    assert (error["error_type"], error["code"]) == ("run", "unavailable")
    complete = await trial.client.until("test_run_complete")
    assert complete["run_id"] != left.replay_id
    run = await trial.stored(server.app[keys.STORE], "short")
    assert (run.state, run.replay_id, run.fence) == ("done", complete["run_id"], 2)


async def test_a_dead_processes_replay_can_be_stopped(server: Server, cast: Cast) -> None:
    await server.script(HANGING)
    trial = await begin(await cast.author())
    left = await haunt(server, trial, "short")
    ack = await trial.client.send("test_stop", invocation_id=trial.invocation_id)
    run = await trial.stored(server.app[keys.STORE], "short")
    assert run.state == "pending"
    assert ack["stopped"] == 1
    stopped = await trial.client.until("test_stopped")
    assert stopped["run_ids"][0] in (left.replay_id, derive(left.id, "2"))  # the latter: taken over first
    await check_trial(server.app[keys.STORE], trial.invocation_id)


async def test_what_is_taken_over_during_a_stop_is_stopped(server: Server, cast: Cast) -> None:
    await server.script({**HANGING, "times": 1})
    trial = await begin(await cast.author())
    await follow(trial)
    left = await haunt(server, trial, "short")
    second = derive(left.id, "2")
    await trial.hears(second, "Half of it")
    stop = Stopping(id=new(), runs={left.id: left.replay_id or ""}, by=[left.by])  # as it was marked before
    store = server.app[keys.STORE]
    await store.invocations.change(
        trial.invocation_id, when={"stopping": None}, update={"$set": {"stopping": stop.model_dump()}}
    )
    await trial.client.send("test_group", **trial.ids)  # carries it out first
    stopped = await trial.client.until("test_stopped")
    assert stopped["run_ids"] == [second]
    await server.model.until("closed_by_client")
    complete = await trial.client.until("test_run_complete", original_run_resource_id=left.original_id)
    assert complete["run_id"] not in (left.replay_id, second)
    await trial.client.until("test_all_complete")
    await check_trial(store, trial.invocation_id)


class Deaf:
    """A collection that does what it is told and loses the answer to one claim of a run."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.lost = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def find_one_and_update(self, query: Any, update: Any, **more: Any) -> Any:
        """Change a document; the first who sets it running hears of a broken connection."""
        found = await self._collection.find_one_and_update(query, update, **more)
        claims = isinstance(update, dict) and update["$set"].get("state") == "running"
        if claims and found is not None and not self.lost.is_set():
            self.lost.set()
            raise AutoReconnect("connection closed")
        return found


async def test_a_claim_whose_answer_is_lost_is_gone_on_with(server: Server, cast: Cast) -> None:
    store = server.app[keys.STORE]
    deaf = Deaf(store.runs._documents)
    vars(store.runs)["_documents"] = deaf
    trial = await begin(await cast.author())
    run_id = await trial.run("short")
    assert deaf.lost.is_set()
    assert not trial.client.named("test_error")
    run = await trial.stored(store, "short")
    assert (run.state, run.fence, run.replay_id) == ("done", 1, run_id)
    await check_trial(store, trial.invocation_id)


async def test_when_the_lease_is_lost_the_replay_begins_anew(server: Server, cast: Cast) -> None:
    await server.script({**SLOW, "times": 1})
    trial = await begin(await cast.author())
    run_id = await trial.send("short")
    await trial.client.until("test_progress", count=5, type="assistant_delta")
    lose(server)
    error = await trial.client.until("test_error", run_id=run_id)
    assert (error["error_type"], error["code"]) == ("run", "unavailable")
    complete = await trial.client.until("test_run_complete")
    assert complete["run_id"] != run_id
    await server.model.until("closed_by_client")
    await check_trial(server.app[keys.STORE], trial.invocation_id)


async def test_who_wakes_late_changes_nothing(server: Server, cast: Cast) -> None:
    await server.script({**SLOW, "times": 1})
    trial = await begin(await cast.author())
    run_id = await trial.send("short")
    await trial.client.until("test_progress", count=5, type="assistant_delta")
    store = server.app[keys.STORE]
    run = await trial.stored(store, "short")
    await store.runs.take_back(Stopping(id=new(), runs={run.id: run_id}, by=[run.by]), states=("running",))
    await server.model.until("closed_by_client")
    run = await trial.stored(store, "short")
    assert (run.state, run.fence, run.result) == ("pending", 2, None)
    again = await trial.run("short")
    rows = await log_of(store, trial.room)
    start = next(r.n for r in rows if r.name == "test_run_start" and again in r.j)
    assert not [r for r in rows if r.n > start and run_id in r.j]
    await check_trial(store, trial.invocation_id)


async def test_a_stop_is_heard_without_a_bell(mongod_url: str, model: tuple[ScriptedModel, str]) -> None:
    settings = settings_for(mongod_url, model[1])
    model[0].script([HANGING])
    async with AsyncExitStack() as stack:
        url, app = await stack.enter_async_context(running(settings))
        await load_pack(app)
        deaf = settings.model_copy(update={"job_slots": 0})
        other, _ = await stack.enter_async_context(running(deaf))
        token = app[keys.ACCESS].mint(role="author", profile_id=new(), seconds=60)
        one, two = [await stack.enter_async_context(socket(u, {"token": token})) for u in (url, other)]
        trial = await begin(one)
        await trial.hears(await trial.send("short"), "Half of it")
        began = time.monotonic()
        ack = await two.send("test_stop", invocation_id=trial.invocation_id)
        await model[0].until("closed_by_client")
        assert time.monotonic() - began < 10  # on a machine that stalls; the model never ends
        assert ack["stopped"] == 1


async def test_a_killed_server_loses_and_doubles_no_run(
    mortal: ServerProcess, model: tuple[ScriptedModel, str]
) -> None:
    token = mortal.token(new(), role="author")
    async with socket(mortal.url, {"token": token}) as client:
        graded = await begin(client)
        replay = await graded.run("short")
        trial = await begin(client, "many")
        model[0].script([{"match": {"schema": "Verdict"}, "first_delay_ms": 60_000}, SLOW])
        end = await client.send("test_end", **graded.ids, run_id=replay)
        await client.until("test_progress", type="judge")
        await client.send("test_group", **trial.ids)
        await client.until("test_progress", count=20, type="assistant_delta", room=trial.room)
        tail = Tail(trial.room)
        tail.take(client)
        await mortal.kill()
        await client.client.wait()
        tail.take(client)
    model[0].script(FULL_MARKS)
    await mortal.start()
    ready_at = time.time() * 1000
    async with socket(mortal.url, {"token": token}) as client:
        await rejoin(client, trial, tail)
        await client.send("test_join", invocation_id=graded.invocation_id, after=0)
        await client.until("test_all_complete", invocation_id=trial.invocation_id)
        done = await client.until("test_graded", run_id=replay)
        tail.take(client)
    assert done["grade_id"] == end["grade_id"]
    errors = tail.named("test_error")
    assert {(e["error_type"], e["code"]) for e in errors} == {("run", "unavailable")}
    assert len(errors) == 2
    assert all(e["at"] - ready_at < TAKEOVER_MS for e in errors)
    complete = tail.named("test_run_complete")
    assert len({c["original_run_resource_id"] for c in complete}) == len(complete) == 5
    for invocation_id in (trial.invocation_id, graded.invocation_id):
        await check_trial(mortal.store, invocation_id)


async def rejoin(client: Socket, trial: Trial, tail: Tail) -> None:
    """Go on from the last entry that was seen: it has survived."""
    ack = await client.send("test_join", invocation_id=trial.invocation_id, after=tail.last)
    assert ack["recovered"] is True
