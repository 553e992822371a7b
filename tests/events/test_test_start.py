"""test_start: an invocation per agent, with all runs pending."""

import asyncio

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client, Data
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import begin, benchmark, refused


async def test_each_agent_gets_an_invocation_with_all_runs(
    server: Server, cast: Cast, runner: Client
) -> None:
    trial = await begin(runner, "two-agents")
    started = await runner.until("test_started", test_id=trial.test_id)
    assert started["room"] == f"profile_{cast.author_id}"
    assert [i["total_runs"] for i in trial.invocations] == [1, 1]
    store = server.app[keys.STORE]
    test = await store.tests.get(trial.test_id)
    assert test is not None
    assert (test.benchmark.name, test.status) == ("Two agents", "open")
    invocations = await store.invocations.of_test(test.invocation_ids)
    assert [i.agent.name for i in invocations] == ["Clerk", "The clerk's twin"]
    assert [i.id for i in invocations] == [i["invocation_id"] for i in trial.invocations]
    run = await trial.stored(store, "short")
    assert (run.state, run.position, run.name) == ("pending", 1, "short")
    recordings = [r async for page in store.replays.each_recording(test.id) for r in page]
    assert [(r.run.messages[0].content, r.rubric) for r in recordings] == [("Thank you!", None)]


async def test_the_test_keeps_what_the_benchmark_was(server: Server, author: Socket) -> None:
    trial = await begin(author)
    recordings = [
        r async for page in server.app[keys.STORE].replays.each_recording(trial.test_id) for r in page
    ]
    assert {r.run.name for r in recordings} == {"greeting", "order", "short"}
    assert {r.rubric.name for r in recordings if r.rubric} == {"Care"}


async def test_twice_is_two_tests_and_with_one_id_it_is_one(server: Server, author: Socket) -> None:
    one, two = await begin(author), await begin(author)
    assert one.test_id != two.test_id
    same = {"benchmark_id": benchmark("desk"), "client_event_id": new()}
    acks = await asyncio.gather(*(author.send("test_start", **same) for _ in range(3)))
    assert acks[0] == acks[1] == acks[2]
    await author.until("test_started", test_id=acks[0]["test_id"])
    assert len(author.named("test_started", test_id=acks[0]["test_id"])) == 1


async def test_its_refusals(server: Server, cast: Cast, author: Socket) -> None:
    await refused(author, "test_start", "not_found", benchmark_id=new())
    known: Data = {"benchmark_id": benchmark("desk")}
    wrong: list[Data] = [{}, {"benchmark_id": "desk"}, {**known, "infinite_mode": "yes"}]
    for data in wrong:
        await refused(author, "test_start", "bad_request", **data)
    await refused(await cast.learner(), "test_start", "not_found", **known)
    await refused(await cast.guest(), "test_start", "not_found", **known)
    await refused(await cast.foreign_author(), "test_start", "not_found", **known)
    await refused(await cast.ops(), "test_start", "forbidden", **known)
    await refused(await cast.ops(), "test_start", "not_found", benchmark_id=new())
    assert not author.named("test_started")
