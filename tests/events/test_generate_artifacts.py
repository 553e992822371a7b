"""Every artifact that models make, saved, and used at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from server.engine.packs import content_id
from tests.conftest import Cast
from tests.support.attempts import Talk, refused, scenario
from tests.support.clients import Socket
from tests.support.generating import PARTS, complete, generate
from tests.support.rest import Rest, people_of
from tests.support.running import Server, home, practice

Data = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def rest(server: Server, cast: Cast) -> AsyncIterator[Rest]:
    """Give a test the author's REST client; the model knows all parts."""
    await server.script(*PARTS)
    async with people_of(server) as people:
        yield people.a("author", profile=cast.author_id)


def link(*names: str) -> list[Data]:
    """Ask for existing things of these types."""
    return [{"name": name, "operation": "link"} for name in names]


async def made(author: Socket, rest: Rest, artifact: str, *resources: Any, plural: str, **more: Any) -> Data:
    """Generate and save, and return what is stored."""
    done = await complete(author, await generate(author, artifact, *resources, save=True, **more))
    found: Data = await rest.get(f"{plural}/{done['artifact_id']}")
    return found


async def practised(server: Server, cast: Cast, practice_id: str) -> Talk:
    """Start a practice as a learner."""
    learner = await cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice_id)
    return Talk(learner, ack["attempt_id"], ack["chat_id"], ack)


async def test_a_scenario_with_its_persona_documents_and_questions(
    server: Server, cast: Cast, rest: Rest
) -> None:
    author = await cast.author()
    flags = dict.fromkeys(("show_objectives", "show_problem_statement", "copy_paste_allowed"), True)
    more = {"persona_speaks_first": True, "hints_enabled": False, "questions_enabled": True}
    await server.script({"match": {"schema": "ScenarioFlags"}, "json": {**flags, **more}}, *PARTS)
    types = ("problem_statements", "objectives", "questions", "documents", "scenario_flags")
    found = await made(author, rest, "scenario", *types, plural="scenarios")
    steps = [s["last_completed_resource"] for s in author.named("generation_progress")]
    assert steps[-1] == "documents"
    assert {"names", "personas", "options"} <= set(steps)  # what a save needs is made too
    body = {"name": "P", "scenarios": [{"scenario_id": found["id"]}]}
    talk = await practised(server, cast, (await rest.post("practices", body))["id"])
    chat = (await talk.snapshot())["chat"]
    assert chat["persona"]["name"] == "Nia"
    assert chat["documents"][0]["text"] == "Nobody home."
    assert chat["scenario"]["objectives"] == ["Say sorry.", "Find a way."]
    question = chat["scenario"]["questions"][0]
    right = {"chat_id": talk.chat_id, "question_id": question["id"]}
    answer = await talk.client.send(
        "attempt_response_submit", **right, option_ids=[question["options"][0]["id"]]
    )
    assert answer["is_correct"] is True


async def test_a_rubric_whose_points_add_up(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    found = await made(author, rest, "rubric", "points", "pass_points", "flags", plural="rubrics")
    assert (found["points"], found["pass_points"], found["judges"]) == (10, 7, 1)
    assert [g["points"] for g in found["groups"]] == [5, 5]
    assert [g["pass_points"] for g in found["groups"]] == [3, 2]
    assert [s["points"] for s in found["groups"][0]["standards"]] == [0, 5]


async def test_a_simulation_is_practised_at_once(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    types = ("scenarios", "scenario_flags", "scenario_rubrics", "scenario_time_limits", "flags")
    found = await made(author, rest, "simulation", *types, plural="practices")
    place = found["scenarios"][0]
    assert (place["time_limit"], place["flags"]) == (600, {"hints_enabled": True})
    talk = await practised(server, cast, found["id"])
    chat = (await talk.snapshot())["chat"]
    assert chat["template"]["hints_enabled"] is True
    assert chat["rubric_id"] == place["rubric_id"]
    assert (await talk.end())["grade_id"]


async def test_a_cohort_has_people_personas_and_times(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    persona = await rest.post("personas", {"name": "Zoe", "instructions": "You are Zoe."})
    await server.script(
        {
            "match": {"schema": "SimulationAvailability"},
            "json": {
                "availability": [
                    {"simulation": 1, "available_from": "2020-01-01T00:00:00Z", "available_until": None}
                ]
            },
        },
        {
            "match": {"schema": "ProfilePersonas"},
            "json": {"profile_personas": [{"profile": 1, "persona": 1}]},
        },
        *PARTS,
    )
    found = await made(
        author,
        rest,
        "cohort",
        *link("simulations", "profiles"),
        "simulation_availability",
        "profile_personas",
        plural="homes",
        user_instructions=[f"For {cast.learner_id} with {persona['id']}, practising {practice('one')}."],
    )
    assert found["profiles"] == [cast.learner_id]
    assert found["scenarios"][0]["available_from"] == "2020-01-01T00:00:00.000Z"
    learner = await cast.learner()
    ack = await learner.send("attempt_start", home_id=found["id"])
    chat = (await Talk(learner, ack["attempt_id"], ack["chat_id"], ack).snapshot())["chat"]
    assert chat["persona"]["name"] == "Zoe"
    await refused(await cast.stranger(), "attempt_start", "not_found", home_id=found["id"])


async def test_a_home_is_not_begun_before_its_time(server: Server, cast: Cast, rest: Rest) -> None:
    place = {"scenario_id": scenario("plain"), "available_from": "2999-01-01T00:00:00Z"}
    found = await rest.post("homes", {"name": "Later", "profiles": "everyone", "scenarios": [place]})
    learner = await cast.learner()
    error = await refused(learner, "attempt_start", "conflict", home_id=found["id"])
    assert "2999" in error["message"]


async def test_an_agent_and_a_benchmark_of_it(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    await server.script(
        {"match": {"schema": "Prompts"}, "json": {"prompt": "You answer."}},
        {"match": {"schema": "ModelNames"}, "json": {"model": 1}},
        {
            "match": {"schema": "Tools"},
            "json": {
                "tools": [
                    {
                        "name": "look_up",
                        "description": "Looks up.",
                        "arguments": [
                            {"name": "id", "type": "string", "description": "Which.", "required": True}
                        ],
                    }
                ]
            },
        },
        *PARTS,
    )
    types = ("prompts", "instructions", "models", "tools", "temperature_levels", "reasoning_levels", "voices")
    agent = await made(author, rest, "agent", *types, plural="agents")
    assert agent["instructions"].startswith("You answer.\n\nYou are Nia")
    assert agent["model"] == "scripted"
    assert agent["tools"][0]["parameters"]["required"] == ["id"]
    run = {
        "name": "A",
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}],
    }
    old = await rest.post("benchmarks", {"name": "Old", "agent_ids": [agent["id"]], "runs": [run]})
    found = await made(
        author,
        rest,
        "eval",
        *link("agents", "run_positions"),
        "rubrics",
        "flags",
        plural="benchmarks",
        user_instructions=[f"Like {old['id']}, for {agent['id']}."],
    )
    assert found["agent_ids"] == [agent["id"]]
    assert found["runs"][0]["messages"][0]["content"] == "Hi"
    assert found["rubric_id"]
    test = await author.send("test_start", benchmark_id=found["id"])
    assert test["invocations"][0]["total_runs"] == 1


async def test_documents_and_parameters(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    await server.script(
        {"match": {"schema": "Texts"}, "json": {"text": "Dear Nia"}},
        {"match": {"schema": "DocumentFields"}, "json": {"fields": [{"name": "Date", "value": "Today"}]}},
        {
            "match": {"schema": "FieldsOfParameter"},
            "json": {"fields": [{"name": "Hurried", "description": "Has no time."}]},
        },
        *PARTS,
    )
    document = await made(author, rest, "document", "texts", "fields", "flags", plural="documents")
    assert (document["text"], document["fields"]) == ("Dear Nia", [{"name": "Date", "value": "Today"}])
    assert document["known_to_persona"] is False
    parameter = await made(author, rest, "parameter", "fields", "flags", plural="parameters")
    assert parameter["fields"][0]["name"] == "Hurried"
    persona = await made(
        author,
        rest,
        "persona",
        *link("parameter_fields"),
        plural="personas",
        user_instructions=[f"In a hurry: {parameter['id']}"],
    )
    assert persona["parameter_fields"][0]["description"] == "Has no time."


async def test_existing_content_is_changed_for_its_version(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    key = content_id("lesson", "scenario", "hinted")
    before = await rest.get(f"scenarios/{key}")
    found = await made(author, rest, "scenario", "objectives", plural="scenarios", artifact_id=key)
    assert found["id"] == key
    assert found["version"] == before["version"] + 1
    assert found["objectives"] == ["Say sorry.", "Find a way."]
    assert (found["name"], found["hint_guidance"]) == (before["name"], before["hint_guidance"])


async def test_content_that_changed_meanwhile_is_not_overwritten(
    server: Server, cast: Cast, rest: Rest
) -> None:
    author = await cast.author()
    persona = await rest.post("personas", {"name": "Zoe", "instructions": "You are Zoe."})
    await server.script({**PARTS[0], "first_delay_ms": 400}, *PARTS)
    ack = await generate(author, "persona", "names", "colors", save=True, artifact_id=persona["id"])
    await rest.put(f"personas/{persona['id']}", {"name": "Zoe II", "instructions": "You are Zoe."})
    error = await author.until("generation_error", run_id=ack["run_id"])
    assert error["code"] == "conflict"
    assert not author.named("generation_saved")
    assert (await rest.get(f"personas/{persona['id']}"))["name"] == "Zoe II"


async def test_a_draft_grows_with_each_resource(server: Server, cast: Cast, rest: Rest) -> None:
    author = await cast.author()
    ack = await generate(author, "persona", "names", "instructions", operation="draft")
    await complete(author, ack)
    assert not author.named("generation_saved")
    draft = await rest.get(f"drafts/{ack['draft_id']}")
    assert draft["version"] == 3
    assert set(draft["form_state"]) == {"names", "instructions"}
    found = await made(author, rest, "persona", plural="personas", draft_id=draft["id"])
    assert found["name"] == "Nia"  # saved from the draft, nothing made anew


async def test_what_is_learned_from_an_attempt(server: Server, cast: Cast, rest: Rest) -> None:
    talk = await practised(server, cast, practice("one"))
    await talk.say("What is a loop, REMEMBERED?")
    author = await cast.author()
    done = await complete(
        author,
        await author.send(
            "generate",
            artifact_types=[{"name": "attempt", "operation": "create"}],
            resource_types=["objectives", "standard_groups"],
            entry_types=[{"name": "hints", "operation": "create"}, {"name": "contents", "operation": "get"}],
            artifact_id=talk.attempt_id,
            save=False,
        ),
    )
    assert "artifact_id" in done
    steps = [s["last_completed_resource"] for s in author.named("generation_progress")]
    assert steps == ["objectives", "standard_groups", "hints"]
    assert all("REMEMBERED" in str(r["messages"]) for r in await server.asked() if r["response_format"])
    found = await made(
        author, rest, "attempt", "personas", "standard_groups", plural="scenarios", artifact_id=talk.chat_id
    )
    rubric = await rest.get(f"rubrics/{found['rubric_id']}")
    assert len(rubric["groups"]) == 2
    assert home("everyone")
