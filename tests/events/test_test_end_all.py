"""test_end_all: what runs is stopped, what is finished is graded, what is pending is left."""

from schemas.test import Grading
from server.engine.ids import derive, new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import FULL_MARKS, Client
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, begin, refused


async def test_what_is_finished_is_graded(server: Server, runner: Client) -> None:
    await server.script(*FULL_MARKS)
    trial = await begin(runner)
    runs = [await trial.run(name) for name in ("greeting", "short")]
    await runner.send("test_end", **trial.ids, run_id=runs[0])
    await runner.until("test_graded", run_id=runs[0])
    ack = await runner.send("test_end_all", test_id=trial.test_id)
    graded = await runner.until("test_graded", run_id=runs[1])
    assert ack["grade_ids"] == [graded["grade_id"]]
    store = server.app[keys.STORE]
    test = await store.tests.get(trial.test_id)
    assert test is not None
    assert (test.status, test.ended_at is not None) == ("ended", True)
    assert (await trial.stored(store, "order")).state == "pending"
    assert len((await trial.stored(store, "greeting")).grades) == 1


async def test_what_runs_is_stopped(server: Server, author: Socket) -> None:
    await server.script(HANGING)
    trial = await begin(author, "many", infinite_mode=True)
    await author.send("test_group", **trial.ids)
    await server.model.until("running", 2)
    assert (await author.send("test_end_all", test_id=trial.test_id))["grade_ids"] == []
    await server.model.until("closed_by_client", 2)
    stopped = await author.until("test_stopped")
    assert len(stopped["run_ids"]) == 2
    assert len(await server.asked()) == 2


async def test_gradings_are_named_whoever_has_started_them(server: Server, author: Socket) -> None:
    await server.script(*FULL_MARKS)
    trial = await begin(author)
    runs = [await trial.run(name) for name in ("greeting", "short")]
    store = server.app[keys.STORE]
    begun = Grading(grade_id=derive(runs[0], "end_all")).model_dump()  # by a process that finishes too
    await store.runs.change(trial.run_key("greeting"), when={}, update={"$set": {"grading": begun}})
    ack = await author.send("test_end_all", test_id=trial.test_id)
    assert sorted(ack["grade_ids"]) == sorted(derive(run_id, "end_all") for run_id in runs)


async def test_ops_hear_once_of_each_end(server: Server, cast: Cast, author: Socket) -> None:
    ops = await cast.ops()
    await ops.send("room_join", room="ops")
    left = await begin(author, "desk")
    done = await begin(author, "two-agents")
    await done.run("short")
    endless = await begin(author, "two-agents", infinite_mode=True)
    await author.send("test_group", **endless.ids)
    await author.until("test_all_complete", room=endless.room, cycle=3)
    await author.send("test_stop", invocation_id=endless.invocation_id)
    for trial in (endless, done, left):
        await author.send("test_end_all", test_id=trial.test_id)
    last = await ops.until("ops_entry", id=left.test_id, phase="ended")
    assert last["subject_room"] == left.room
    for trial in (endless, done, left):
        rooms = [f"test_{i['invocation_id']}" for i in trial.invocations]
        for room in rooms:
            await ops.until("ops_entry", subject_room=room, phase="ended")
            told = ops.named("ops_entry", subject_room=room)
            assert [(d["kind"], d["id"], d["phase"]) for d in told] == [
                ("test", trial.test_id, "started"),
                ("test", trial.test_id, "ended"),
            ]
    await ops.send("room_leave", room="ops")
    snapshot = (await ops.send("room_join", room="ops"))["snapshot"]
    tests = {trial.test_id for trial in (endless, done, left)}
    assert not [r for r in snapshot["running"] if r["id"] in tests]


async def test_what_was_ended_without_a_grade_stays_so(author: Socket) -> None:
    trial = await begin(author)
    run_id = await trial.run("short")
    await author.send("test_end", **trial.ids, run_id=run_id, grade=False)
    assert (await author.send("test_end_all", test_id=trial.test_id))["grade_ids"] == []
    again = await author.send("test_end", **trial.ids, run_id=run_id)  # grading needs no open test
    assert (await author.until("test_graded"))["grade_id"] == again["grade_id"]


async def test_the_same_request_ends_once(author: Socket) -> None:
    trial = await begin(author)
    await trial.run("short")
    end = {"test_id": trial.test_id, "client_event_id": new()}
    acks = [await author.send("test_end_all", **end) for _ in range(2)]
    assert acks[0]["grade_ids"] == acks[1]["grade_ids"]
    await author.until("test_graded")
    await refused(author, "test_end_all", "conflict", test_id=trial.test_id)
    assert len(author.named("test_graded")) == 1


async def test_its_refusals(cast: Cast, author: Socket) -> None:
    trial = await begin(author)
    await refused(author, "test_end_all", "not_found", test_id=new())
    await refused(author, "test_end_all", "bad_request", test_id=[])
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_end_all", "not_found", test_id=trial.test_id)
    await refused(await cast.ops(), "test_end_all", "forbidden", test_id=trial.test_id)
    await trial.run("short")
