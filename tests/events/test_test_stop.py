"""test_stop: every running replay of an invocation is cancelled, wherever it runs."""

import asyncio
import time

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, begin, refused

QUICK = 1.0


async def test_it_cancels_what_runs_and_gives_it_back(server: Server, runner: Client) -> None:
    await server.script(HANGING)
    trial = await begin(runner)
    runs = [await trial.send(name) for name in ("greeting", "short")]
    for run_id in runs:
        await trial.hears(run_id, "Half of it")
    ack = await runner.send("test_stop", invocation_id=trial.invocation_id)
    await server.model.until("closed_by_client", 2)
    assert ack["stopped"] == 2
    stopped = await runner.until("test_stopped")
    assert (stopped["success"], sorted(stopped["run_ids"])) == (True, sorted(runs))
    assert stopped["room"] == trial.room
    assert [n for n, _ in trial.entries()][-1] == "test_stopped"
    store = server.app[keys.STORE]
    for name in ("greeting", "short"):
        run = await trial.stored(store, name)
        assert (run.state, run.owner, run.replay_id, run.stop) == ("pending", None, None, False)
    await server.script()
    again = await trial.run("greeting")
    assert again not in runs
    assert not runner.named("test_error")


async def test_it_is_quick(server: Server, author: Socket) -> None:
    """Who does not give a run back loses it after 3 s; a machine that stalls does not do so each time."""
    await server.script(HANGING)
    trial = await begin(author)
    took: list[float] = []
    while len(took) < 5 and min(took, default=QUICK) >= QUICK:
        await trial.hears(await trial.send("short"), "Half of it")
        began = time.monotonic()
        await author.send("test_stop", invocation_id=trial.invocation_id)
        await server.model.until("closed_by_client", len(took) + 1)
        took.append(time.monotonic() - began)
    assert min(took) < QUICK


async def test_nothing_to_stop(author: Socket) -> None:
    trial = await begin(author)
    ack = await author.send("test_stop", invocation_id=trial.invocation_id)
    assert ack["stopped"] == 0
    stopped = await author.until("test_stopped")
    assert (stopped["success"], stopped["invocation_id"]) == (False, trial.invocation_id)
    await trial.run("short")


async def test_a_run_that_waits_for_a_place_is_stopped_too(server: Server, author: Socket) -> None:
    await server.script(HANGING)
    trial = await begin(author, "many")
    await author.send("test_group", **trial.ids)
    await server.model.until("running", 2)
    assert (await author.send("test_stop", invocation_id=trial.invocation_id))["stopped"] == 2
    await server.model.until("closed_by_client", 2)
    invocation = await server.app[keys.STORE].invocations.get(trial.invocation_id)
    assert invocation is not None
    assert (invocation.group, invocation.active, invocation.stopping) == (False, [], None)
    assert len(server.model.requests) == 2
    await server.script()
    await trial.run("five")


async def test_from_two_sides_at_once(server: Server, cast: Cast, author: Socket) -> None:
    await server.script(HANGING)
    trial, other = await begin(author), await cast.author()
    run_id = await trial.send("short")
    await trial.hears(run_id, "Half of it")
    acks = await asyncio.gather(
        *(c.send("test_stop", invocation_id=trial.invocation_id) for c in (author, other))
    )
    assert max(a["stopped"] for a in acks) == 1
    await author.until("test_stopped", success=True)
    assert (await trial.stored(server.app[keys.STORE], "short")).state == "pending"


async def test_who_runs_follows_on_when_somebody_else_stops(
    server: Server, cast: Cast, author: Socket
) -> None:
    """A stop may be told of when the next replay has begun already: it does not end the invocation."""
    await server.script(HANGING)
    trial, other = await begin(author), await cast.author()
    await trial.hears(await trial.send("short"), "Half of it")
    await other.send("test_stop", invocation_id=trial.invocation_id)
    await author.until("test_stopped")
    await server.script()
    again = await other.send("test_run", **trial.ids, run_id=trial.original("short"))
    await author.until("test_run_complete", run_id=again["run_id"])


async def test_the_same_request_stops_once(server: Server, author: Socket) -> None:
    await server.script(HANGING)
    trial, key = await begin(author), new()
    await trial.hears(await trial.send("short"), "Half of it")
    stop = {"invocation_id": trial.invocation_id, "client_event_id": key}
    first = await author.send("test_stop", **stop)
    await author.until("test_stopped")
    run_id = await trial.send("short")
    await trial.hears(run_id, "Half of it")
    assert (await author.send("test_stop", **stop))["stopped"] == first["stopped"]
    assert (await trial.stored(server.app[keys.STORE], "short")).replay_id == run_id
    await author.send("test_stop", invocation_id=trial.invocation_id)


async def test_its_refusals(server: Server, cast: Cast, author: Socket) -> None:
    await server.script(HANGING)
    trial = await begin(author)
    run_id = await trial.send("short")
    await trial.hears(run_id, "Half of it")
    await refused(author, "test_stop", "not_found", invocation_id=new())
    await refused(author, "test_stop", "bad_request", invocation_id=None)
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_stop", "not_found", invocation_id=trial.invocation_id)
    await refused(await cast.ops(), "test_stop", "forbidden", invocation_id=trial.invocation_id)
    assert (await trial.stored(server.app[keys.STORE], "short")).replay_id == run_id
    assert not author.named("test_stopped")
    await author.send("test_stop", invocation_id=trial.invocation_id)
