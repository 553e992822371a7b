"""generate: progress per resource, and content that can be practised at once."""

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Talk
from tests.support.generating import INSTRUCTIONS, PERSONA, complete, failed, generate
from tests.support.rest import people_of
from tests.support.running import Server
from tests.support.staff import staff_of


async def test_a_saved_persona_can_be_practised_with_at_once(server: Server, cast: Cast) -> None:
    await server.script(*PERSONA)
    author = await cast.author()
    ack = await generate(author, "persona", "instructions", "names", "colors", save=True)
    assert set(ack) == {"success", "run_id", "group_id"}
    done = await complete(author, ack)
    assert done["success"] is True
    steps = author.named("generation_progress", run_id=ack["run_id"])
    assert [s["last_completed_resource"] for s in steps] == ["names", "colors", "instructions"]
    assert [s["percentage"] for s in steps] == [33.33, 66.67, 100]
    assert steps[0]["resource"] == {"type": "names", "value": {"name": "Nia"}}
    names = author.names(f"profile_{cast.author_id}")
    assert names[-2:] == ["generation_saved", "generation_complete"]
    assert author.seen_last("generation_saved")["artifact_id"] == done["artifact_id"]
    async with people_of(server) as people:
        rest = people.a("author")
        persona = await rest.get(f"personas/{done['artifact_id']}")
        assert (persona["name"], persona["instructions"]) == ("Nia", INSTRUCTIONS)
        scenario = await rest.post("scenarios", {"name": "S", "persona_id": persona["id"]})
        practice = await rest.post("practices", {"name": "P", "scenarios": [{"scenario_id": scenario["id"]}]})
    learner = await cast.learner()
    begun = await learner.send("attempt_start", practice_id=practice["id"])
    talk = Talk(learner, begun["attempt_id"], begun["chat_id"], begun)
    await server.script({"match": {"system_contains": "SECRET-GENERATED"}, "reply": "I am Nia."})
    assert (await talk.say())["content"] == "I am Nia."


async def test_without_save_it_is_shown_and_not_stored(server: Server, cast: Cast) -> None:
    await server.script(*PERSONA)
    author = await cast.author()
    run_id, group_id = new(), new()
    ack = await generate(author, "persona", "names", run_id=run_id, group_id=group_id, metadata={"form": 3})
    assert (ack["run_id"], ack["group_id"], ack["metadata"]) == (run_id, group_id, {"form": 3})
    done = await complete(author, ack)
    assert done["metadata"] == {"form": 3}
    assert "artifact_id" not in done
    assert not author.named("generation_saved")


async def test_who_comes_later_sees_what_became_of_runs(server: Server, cast: Cast) -> None:
    await server.script(*PERSONA, {"match": {"schema": "Examples"}, "status": 400})
    author = await cast.author()
    good = await generate(author, "persona", "names", "colors")
    await complete(author, good)
    bad = await generate(author, "persona", "names", "examples")
    await failed(author, bad)
    room = f"profile_{cast.author_id}"
    await author.send("room_leave", room=room)
    snapshot = (await author.send("room_join", room=room))["snapshot"]
    first, second = snapshot["generations"]
    assert (first["run_id"], first["state"]) == (good["run_id"], "done")
    assert (first["resources"], first["total_resources"]) == (["names", "colors"], 2)
    assert (second["run_id"], second["state"], second["resources"]) == (bad["run_id"], "failed", ["names"])


async def test_ops_follow_runs_from_start_to_end(server: Server, cast: Cast) -> None:
    await server.script({"match": {"schema": "Examples"}, "status": 400}, *PERSONA)
    author = await cast.author()
    async with staff_of(server) as staff:
        ops = await staff.socket("ops")
        await ops.send("room_join", room="ops")
        good, bad = await generate(author, "persona", "names"), await generate(author, "persona", "examples")
        await complete(author, good)
        await failed(author, bad)
        for ack, end, code in ((good, "ended", None), (bad, "error", "upstream")):
            await ops.until("ops_entry", id=ack["run_id"], phase=end)
            told = ops.named("ops_entry", id=ack["run_id"])
            assert [(d["kind"], d["phase"]) for d in told] == [("generation", "started"), ("generation", end)]
            assert told[-1].get("code") == code
            assert told[-1]["subject_room"] == f"profile_{cast.author_id}"
        snapshot = (await (await staff.socket("ops")).send("room_join", room="ops"))["snapshot"]
    assert not {good["run_id"], bad["run_id"]} & {e["id"] for e in snapshot["running"]}
    assert bad["run_id"] in {e["id"] for e in snapshot["errors"]}
