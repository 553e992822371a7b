"""Runs of generate that break, whose end cannot be told, or that nobody is at."""

import asyncio

import pytest

from schemas.envelope import utc_now
from schemas.generation import ForChat, Generation, GenerationError, Step
from schemas.stored import Owner, Work
from server.engine.attempts.contents import Listener
from server.engine.drafting import GenerationKeeper, Maker, Runner
from server.engine.drafting.running import MAX_FENCE
from server.engine.ids import new
from server.errors import Unavailable
from server.transports import keys
from tests.support.running import Server

BROKEN = Step(type="castle")


def runner_of(server: Server) -> Runner:
    """Return a runner beside the server's own, whose ends nobody hears of yet."""
    app = server.app
    return Runner(
        store=app[keys.STORE],
        outboxes=app[keys.OUTBOXES],
        maker=Maker(app[keys.STORE], app[keys.MODELS]),
        process=app[keys.PROCESS],
        tasks=app[keys.TASKS],
    )


async def stored(
    server: Server, *, owner: str, fence: int = 1, for_chat: bool = False, step: Step = BROKEN
) -> Generation:
    """Store a run of a process."""
    run_id = new()
    gen = Generation(
        id=run_id,
        owner=Owner(kind="profile", id=new()),
        org="default",
        author=True,
        digest="",
        group_id=new(),
        artifact_type="persona",
        steps=[step],
        for_chat=ForChat(attempt_id=new(), chat_entry_id=new()) if for_chat else None,
        work=[Work(id=new(), kind="generate", owner=owner, fence=fence)],
        created_at=utc_now(),
    )
    assert await server.app[keys.STORE].generations.create(gen, [])
    return gen


async def again(server: Server, gen: Generation) -> Generation:
    """Return a run as it is stored now."""
    found = await server.app[keys.STORE].generations.get(gen.id)
    assert found is not None
    return found


async def at_its_end(server: Server, gen: Generation) -> Generation:
    """Wait until no task is at a run, and return it."""
    work = gen.work[0]
    assert await server.app[keys.TASKS].wait(f"generate:{work.id}:{work.fence}", 10)
    return await again(server, gen)


async def test_a_failure_that_cannot_be_told_is_told_again(server: Server) -> None:
    told: list[GenerationError] = []

    async def prepared(gen: Generation) -> None:
        raise AssertionError(gen)

    async def failed(gen: Generation, error: GenerationError) -> None:
        told.append(error)
        if len(told) == 1:
            raise Unavailable("The database is away.")

    runner = runner_of(server)
    runner.tell(Listener(prepared=prepared, failed=failed))
    gen = await stored(server, owner=server.app[keys.PROCESS].name, fence=MAX_FENCE, for_chat=True)
    runner.start(gen)
    assert (await at_its_end(server, gen)).state == "failed"
    assert [e.code for e in told] == ["internal"] * 2


async def test_who_loses_a_broken_run_lets_it_go(server: Server) -> None:
    """A run is taken over while it breaks: nothing is changed, and nothing escapes from the task."""
    runner = runner_of(server)

    async def prepared(gen: Generation) -> None:
        raise AssertionError(gen)

    async def failed(gen: Generation, error: GenerationError) -> None:
        update = {"$inc": {"work.0.fence": 1}}
        await server.app[keys.STORE].generations.change(gen.id, when={}, update=update)

    runner.tell(Listener(prepared=prepared, failed=failed))
    gen = await stored(server, owner=server.app[keys.PROCESS].name, fence=MAX_FENCE, for_chat=True)
    runner.start(gen)
    name = f"generate:{gen.work[0].id}:{MAX_FENCE}"
    await next(task for task in asyncio.all_tasks() if task.get_name() == name)
    assert (await again(server, gen)).state == "running"
    assert runner.making == frozenset()


async def test_runs_for_attempts_need_somebody_who_hears_of_their_end(server: Server) -> None:
    runner = runner_of(server)
    gen = await stored(server, owner=server.app[keys.PROCESS].name, for_chat=True)
    with pytest.raises(RuntimeError, match="tell must be called"):
        runner.start(gen)

    async def hear(*_: object) -> None:
        """Hear nothing."""

    runner.tell(Listener(prepared=hear, failed=hear))
    with pytest.raises(RuntimeError, match="one listener"):
        runner.tell(Listener(prepared=hear, failed=hear))


async def test_one_that_cannot_be_taken_over_keeps_no_other_waiting(server: Server) -> None:
    app = server.app
    first = await stored(server, owner="dead", for_chat=True)  # its runner has no listener
    second = await stored(server, owner="dead", step=Step(type="names"))
    keeper = GenerationKeeper(store=app[keys.STORE], runner=runner_of(server), process=app[keys.PROCESS])
    await keeper.adopt_orphans()
    for gen in (first, second):
        assert all(work.owner != "dead" for work in (await again(server, gen)).work)
