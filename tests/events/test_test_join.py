"""test_join and test_leave: a snapshot and the entries after it are the whole, whenever one joins."""

from typing import Any

from server.engine.ids import new
from server.rooms.folds import FOLDS
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import log_of, shown_by
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, as_state, begin, refused

COUNTING = {"chunks": [f"{n} " for n in range(60)], "delay_ms": 5}


async def test_in_the_middle_of_a_replay(server: Server, cast: Cast, author: Socket) -> None:
    await server.script(COUNTING)
    trial, late = await begin(author), await cast.ops()
    run_id = await trial.send("greeting")
    await author.until("test_progress", count=8, type="assistant_delta")
    join = await late.send("test_join", invocation_id=trial.invocation_id)
    snapshot = join["snapshot"]
    assert (join["room"], join["recovered"]) == (trial.room, False)
    assert snapshot["invocation"]["agent"]["name"] == "Clerk"
    assert "instructions" not in snapshot["invocation"]["agent"]
    (running,) = snapshot["running"]
    assert running["run_id"] == run_id
    assert running["turns"] == [{"type": "user_turn", "message": "Good morning."}]
    assert running["text"]
    await late.until("test_run_complete")
    entries = [(n, d) for n, d in late.seen if d.get("room") == trial.room and "offset" in d]
    assert entries[0][1]["offset"] == join["offset"] + 1
    state: dict[str, Any] = as_state(snapshot)
    for name, data in entries:
        FOLDS["test"].step(state, name, data)
    rows = await log_of(server.app[keys.STORE], trial.room)
    assert FOLDS["test"].show(state) == shown_by(trial.room, rows)
    joined = late.named("test_joined", invocation_id=trial.invocation_id)
    assert [j["success"] for j in joined] == [True]


async def test_from_an_offset_nothing_is_missing(author: Socket, cast: Cast) -> None:
    trial, late = await begin(author), await cast.author()
    await trial.run("short")
    join = await late.send("test_join", invocation_id=trial.invocation_id, after=2)
    assert (join["recovered"], "snapshot" in join) == (True, False)
    await late.until("test_joined")
    seen = [d["offset"] for _, d in late.seen if d.get("room") == trial.room]
    assert seen == list(range(3, join["offset"] + 1))


async def test_after_leaving_nothing_more_comes(server: Server, author: Socket) -> None:
    trial = await begin(author)
    await server.script(HANGING)
    await trial.hears(await trial.send("short"), "Half of it")
    for _ in range(2):
        assert await author.send("test_leave", invocation_id=trial.invocation_id) == {"success": True}
    before = len(trial.entries())
    await author.send("test_stop", invocation_id=trial.invocation_id, client_event_id=new())
    after = trial.entries()[before:]  # stopping has entered the room again
    assert {n for n, _ in after} <= {"test_stopped"}


async def test_a_room_that_was_entered_is_left_when_its_replays_have_ended(author: Socket) -> None:
    trial = await begin(author, "two-agents")
    first = await author.send("test_run", **trial.ids, run_id=trial.original("short"))
    await author.until("test_all_complete")
    assert [r["room"] for r in first["rooms"]] == [trial.room]
    again = await author.send("test_join", invocation_id=trial.invocation_id)
    assert again["recovered"] is False


async def test_its_refusals(cast: Cast, author: Socket) -> None:
    trial = await begin(author)
    await refused(author, "test_join", "not_found", invocation_id=new())
    await refused(author, "test_join", "bad_request", invocation_id="x")
    await refused(author, "test_leave", "bad_request", invocation_id=None)
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_join", "not_found", invocation_id=trial.invocation_id)
    assert (await (await cast.ops()).send("test_join", invocation_id=trial.invocation_id))["success"]
