"""The ops room: who may follow it, what it tells of, and its beat."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from schemas.envelope import Role
from schemas.stored import Owner
from server.engine.ids import new
from server.engine.watching.ops import ops_event
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.conftest import Cast
from tests.support import trials
from tests.support.attempts import Client, Data, begin, one_after_another, refused
from tests.support.clients import Recorder
from tests.support.running import Server, load_pack, running, settings_for
from tests.support.staff import Staff, staff_of
from tests.support.trials import HANGING

BEAT = {
    "process",
    "connections",
    "replies_running",
    "deltas_per_s",
    "deliveries_per_s",
    "jobs",
    "errors",
    "loop_lag_ms",
}


@pytest_asyncio.fixture(loop_scope="session")
async def staff(server: Server) -> AsyncIterator[Staff]:
    """Give a test its people."""
    async with staff_of(server) as staff:
        yield staff


def entries(client: Recorder) -> list[tuple[str, Data]]:
    """Return what came of the ops room's log, whatever name its entries bear."""
    return [(n, d) for n, d in client.seen if n == "ops_entry"]


def phases(client: Recorder, key: str) -> list[tuple[Any, ...]]:
    """Return what was told about one thing."""
    return [(d["kind"], d["phase"], d.get("code")) for _, d in entries(client) if d["id"] == key]


async def both(staff: Staff) -> list[Client]:
    """Connect ops and admin, over both transports."""
    return [await staff.socket("ops"), await staff.socket("admin"), await staff.http("ops")]


async def test_an_attempt_is_told_of_from_its_start_to_its_end(
    server: Server, cast: Cast, staff: Staff
) -> None:
    watchers = await both(staff)
    for watcher in watchers:
        join = await watcher.send("room_join", room="ops")
        assert (join["room"], set(join["snapshot"])) == ("ops", {"offset", "counts", "running", "errors"})
    talk = await begin(await cast.learner())
    await talk.say()
    await talk.end(grade=False)
    for watcher in watchers:
        await watcher.until("ops_entry", id=talk.attempt_id, phase="ended")
        assert phases(watcher, talk.attempt_id) == [("attempt", "started", None), ("attempt", "ended", None)]
        assert one_after_another(entries(watcher))
        for _, data in entries(watcher):
            assert set(data) == {"kind", "id", "subject_room", "phase", "owner", "room", "offset", "at"}
            assert data["owner"] == {"kind": "profile", "id": cast.learner_id}
            assert data["subject_room"] == f"profile_{cast.learner_id}"
    assert [d["offset"] for _, d in entries(watchers[0])] == [d["offset"] for _, d in entries(watchers[2])]


async def test_failures_are_told_with_their_code(server: Server, cast: Cast, staff: Staff) -> None:
    ops = await staff.socket()
    await ops.send("room_join", room="ops")
    await server.script({"status": 400})
    talk = await begin(await cast.learner(), "one")
    for _ in range(2):
        await talk.send("What is a loop?")
        await talk.client.until("attempt_error", chat_id=talk.chat_id, count=1)
        talk.client.seen.clear()
    await ops.until("ops_entry", id=talk.attempt_id, phase="error", count=2)
    told = ops.named("ops_entry", phase="error", id=talk.attempt_id)
    assert [(d["code"], d["subject_room"]) for d in told] == [("upstream", talk.room)] * 2
    await talk.client.send("attempt_end", **talk.ids)
    await talk.client.until("attempt_error", type="grade")
    await ops.until("ops_entry", id=talk.attempt_id, phase="error", count=3)
    join = await (await staff.socket("admin")).send("room_join", room="ops")
    assert [e["id"] for e in join["snapshot"]["errors"]][-3:] == [talk.attempt_id] * 3


async def test_messages_add_nothing(server: Server, cast: Cast, staff: Staff) -> None:
    ops = await staff.socket()
    await ops.send("room_join", room="ops")
    learner = await cast.learner()
    talk = await begin(learner)
    for _ in range(3):
        await talk.say()
    later = await begin(learner)
    await ops.until("ops_entry", id=later.attempt_id)
    assert phases(ops, talk.attempt_id) == [("attempt", "started", None)]
    snapshot = (await (await staff.socket()).send("room_join", room="ops"))["snapshot"]
    running = {e["id"]: e for e in snapshot["running"]}
    assert running[talk.attempt_id]["subject_room"] == f"profile_{cast.learner_id}"
    assert snapshot["counts"]["attempt"]["started"] >= 2


async def test_resuming_and_reading_back(server: Server, cast: Cast, staff: Staff) -> None:
    ops = await staff.socket()
    join = await ops.send("room_join", room="ops")
    started = [(await begin(await cast.learner())).attempt_id for _ in range(3)]
    for attempt_id in started:
        await ops.until("ops_entry", id=attempt_id)
    late = await staff.http()
    joined = await late.send("room_join", room="ops", after=join["offset"])
    assert joined["recovered"] is True
    for attempt_id in started:
        await late.until("ops_entry", id=attempt_id)
    assert entries(late) == entries(ops)
    await late.send("room_replay", room="ops", speed=0, **{"from": join["offset"] + 1})
    await late.until("replay_end", room="ops")
    assert [(e["name"], e["data"]) for e in late.named("replay_entry", room="ops")] == entries(ops)
    person = staff.people.a("admin")
    page = await person.get(f"rooms/ops/entries?after={join['offset']}")
    assert [(e["name"], e["data"]) for e in page["items"]] == entries(ops)
    assert (await person.get("rooms/ops"))["room"] == "ops"
    await late.send("room_leave", room="ops")
    again = await late.send("room_join", room="ops")
    assert "snapshot" in again


@pytest.mark.parametrize("role", ["learner", "author"])
async def test_others_may_not(server: Server, staff: Staff, role: Role) -> None:
    for client in (await staff.socket(role), await staff.http(role)):
        await refused(client, "room_join", "not_found", room="ops")
        await refused(client, "room_replay", "not_found", room="ops", speed=0)
    person = staff.people.a(role)
    for address in ("rooms/ops", "rooms/ops/entries"):
        assert await person.refused(address, status=404) == "not_found"


async def test_each_organisation_has_its_own(server: Server, cast: Cast, staff: Staff) -> None:
    ours, theirs = await staff.socket("ops"), await staff.http("admin", org="elsewhere_a.b")
    await ours.send("room_join", room="ops")
    join = await theirs.send("room_join", room="ops")
    assert (join["room"], join["offset"]) == ("ops", 0)
    talk = await begin(await cast.learner())
    await ours.until("ops_entry", id=talk.attempt_id)
    await theirs.until("ops_beat")
    assert entries(theirs) == []
    again = await (await staff.socket("ops", org="elsewhere_a.b")).send("room_join", room="ops")
    assert again["offset"] == 0
    for name in ("ops:default", "ops:elsewhere_a.b"):
        await refused(theirs, "room_join", "bad_request", room=name)
        person = staff.people.a("ops", org="third")
        assert await person.refused(f"rooms/{name}", status=404) == "not_found"
    await theirs.drop()
    await theirs.resume()
    await theirs.until("ops_beat", count=len(theirs.named("ops_beat")) + 1)


async def test_entries_bear_the_name_that_every_organisation_uses(server: Server, staff: Staff) -> None:
    watchers: list[Client] = [
        await staff.socket("ops", org="named"),
        await staff.http("ops", org="named"),
    ]
    for watcher in watchers:
        await watcher.send("room_join", room="ops")
    subject, owner = f"test_{new()}", Owner(kind="profile", id=new())
    told = ops_event("test", key=new(), room=subject, phase="started", owner=owner, org="named")
    log = server.app[keys.HUB].log
    offset = await log.publish(told.r, told.name, told.j.encode(), eid=told.eid)
    for watcher in watchers:
        await watcher.until("ops_entry", subject_room=subject)
        assert [(d["room"], d["offset"]) for _, d in entries(watcher)] == [("ops", offset)]
        await watcher.send("room_replay", room="ops", speed=0)
        await watcher.until("replay_end", room="ops")
        (played,) = watcher.named("replay_entry")
        assert (played["room"], played["data"]) == ("ops", entries(watcher)[0][1])
    (read,) = (await staff.people.a("ops", org="named").get("rooms/ops/entries"))["items"]
    assert (read["room"], read["data"]) == ("ops", entries(watchers[0])[0][1])


async def test_the_beat(server: Server, cast: Cast, staff: Staff) -> None:
    loop = asyncio.get_running_loop()
    watchers = [*await both(staff), await staff.socket("ops", org="elsewhere")]
    for watcher in watchers:
        await watcher.send("room_join", room="ops")
    process = server.app[keys.PROCESS].name
    await asyncio.gather(*(w.until("ops_beat", process=process) for w in watchers))
    began = loop.time()
    await asyncio.gather(*(w.until("ops_beat", process=process, count=3) for w in watchers))
    assert loop.time() - began > 0.9
    for watcher in watchers:
        for beat in watcher.named("ops_beat"):
            assert set(beat) - {"waiting"} == BEAT
            assert beat["connections"] >= 1
            assert beat["loop_lag_ms"] >= 0
        assert len({b["process"] for b in watcher.named("ops_beat")}) == len(server.siblings) + 1
    bystander = await staff.socket("ops")
    assert bystander.named("ops_beat") == []


async def test_the_beat_counts_what_goes_on(server: Server, cast: Cast, staff: Staff) -> None:
    await server.script({"chunks_count": 60, "chunk_text": "word ", "delay_ms": 50})
    ops = await staff.socket("ops")
    await ops.send("room_join", room="ops")
    talk = await begin(await cast.learner())
    await talk.send()
    await ops.when(lambda: any(b["replies_running"] >= 1 for b in ops.named("ops_beat")))
    await ops.when(lambda: any(b["deltas_per_s"] >= 5 for b in ops.named("ops_beat")))
    await ops.when(lambda: any(b["deliveries_per_s"] >= 5 for b in ops.named("ops_beat")))
    await talk.client.send("attempt_stop", chat_id=talk.chat_id)
    await talk.client.until("attempt_stopped")


async def test_what_waits_is_told_by_one_process_for_all(server: Server, staff: Staff) -> None:
    ops = await staff.socket("ops")
    await ops.send("room_join", room="ops")
    await ops.when(lambda: any("waiting" in beat for beat in ops.named("ops_beat")))
    (teller,) = {beat["process"] for beat in ops.named("ops_beat") if "waiting" in beat}
    living = await server.app[keys.PROCESS].living()
    assert teller == min(living)
    assert len(living) == len(server.siblings) + 1
    found = await ops.until("ops_beat", process=teller, count=len(ops.named("ops_beat", process=teller)) + 1)
    assert set(found["waiting"]) == {"test", "batch", "evaluator", "index"}


async def test_what_waits_rises_while_workers_are_busy_and_falls(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    scripted, model_url = model
    scripted.script([HANGING])
    async with running(settings_for(mongod_url, model_url, job_slots=1)) as (url, app):
        await load_pack(app)
        server = Server(url=url, app=app, model=scripted, model_url=model_url.removesuffix("/v1"))
        async with staff_of(server) as staff:
            ops, author = await staff.socket("ops"), await staff.socket("author")
            await ops.send("room_join", room="ops")
            await ops.when(lambda: waits(ops) == {"test": 0, "batch": 0, "evaluator": 0, "index": 0})
            trial = await trials.begin(author)
            await author.send("test_group", **trial.ids)
            await ops.when(lambda: waits(ops).get("test", 0) > 0)
            async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
                assert 'greenroom_jobs_waiting{kind="test"} 1.0' in await answer.text()
            scripted.script([{"reply": "Done."}])
            await author.send("test_stop", invocation_id=trial.invocation_id)
            await ops.when(lambda: waits(ops).get("test") == 0)


def waits(ops: Recorder) -> Data:
    """Return what waits, as it was told last."""
    told: list[Data] = [beat["waiting"] for beat in ops.named("ops_beat") if "waiting" in beat]
    return told[-1] if told else {}


async def test_who_has_left_hears_no_beat(server: Server, staff: Staff) -> None:
    ops, other = await staff.socket("ops"), await staff.socket("ops")
    for client in (ops, other):
        await client.send("room_join", room="ops")
        await client.until("ops_beat")
    await ops.send("room_leave", room="ops")
    heard = len(ops.named("ops_beat"))
    await other.until("ops_beat", count=len(other.named("ops_beat")) + 2)
    assert len(ops.named("ops_beat")) == heard
