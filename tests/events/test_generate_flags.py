"""Scenarios whose flags ask for generated content, and what learners make of them in a lobby."""

import asyncio
from typing import Any

from tests.conftest import Cast
from tests.support.attempts import Talk, refused, scenario
from tests.support.clients import Socket
from tests.support.generating import complete, generate
from tests.support.rest import people_of
from tests.support.running import Server, practice

Data = dict[str, Any]
MADE = {
    "match": {"schema": "Personas"},
    "json": {"name": "Uma", "description": "In a hurry.", "instructions": "You are Uma. SECRET-MADE"},
}


async def start(client: Socket, key: str) -> Data:
    return await client.send("attempt_start", practice_id=practice(key))


async def test_the_persona_is_made_before_the_chat(server: Server, cast: Cast) -> None:
    await server.script(MADE, {"match": {"system_contains": "SECRET-MADE"}, "reply": "Quick, please."})
    learner = await cast.learner()
    ack = await start(learner, "wishful")
    assert "chat_id" not in ack
    begun = await learner.until("attempt_chat_started", attempt_id=ack["attempt_id"])
    join = await learner.send("attempt_join", chat_id=begun["chat_id"])
    assert join["snapshot"]["chat"]["persona"]["name"] == "Uma"
    talk = Talk(learner, ack["attempt_id"], begun["chat_id"], join)
    assert (await talk.say())["content"] == "Quick, please."
    assert not learner.named("generation_progress")
    asked = [r["body"] for r in await server.asked() if "Personas" in str(r["body"].get("response_format"))]
    assert len(asked) == 1
    assert "SECRET" not in str(asked)


async def test_a_failure_is_told_and_attempt_next_tries_again(server: Server, cast: Cast) -> None:
    await server.script({"match": {"schema": "Personas"}, "status": 400})
    learner = await cast.learner()
    ack = await start(learner, "wishful")
    error = await learner.until("attempt_error", type="proceed")
    assert error["code"] == "upstream"
    assert error["message"].startswith("personas:")
    await server.script({**MADE, "first_delay_ms": 300})
    assert "chat_id" not in await learner.send("attempt_next", attempt_id=ack["attempt_id"])
    await refused(learner, "attempt_next", "conflict", attempt_id=ack["attempt_id"])
    await learner.until("attempt_chat_started", attempt_id=ack["attempt_id"])


async def test_an_attempt_may_end_while_its_content_is_made(server: Server, cast: Cast) -> None:
    await server.script({**MADE, "first_delay_ms": 500})
    learner = await cast.learner()
    ack = await start(learner, "wishful")
    await learner.send("attempt_end_all", attempt_id=ack["attempt_id"])
    over = await learner.until("attempt_ended")
    assert over["all_scenarios_complete"] is False
    await server.model.until("done")
    assert not learner.named("attempt_chat_started")


async def test_a_lobby_draft_changes_the_next_chat(server: Server, cast: Cast) -> None:
    await server.script(
        MADE,
        {"match": {"schema": "Objectives"}, "json": {"objectives": ["Stay calm."]}},
        {"match": {"system_contains": "SECRET-MADE"}, "reply": "I am Uma."},
    )
    learner = await cast.learner()
    ack = await start(learner, "custom-first")
    attempt_id, entry_id = ack["attempt_id"], ack["chat_entry_id"]
    async with people_of(server) as people:
        rest = people.a("learner", profile=cast.learner_id)
        draft = await rest.post("drafts", {"artifact_type": "chat", "artifact_id": attempt_id})
        assert draft["artifact_id"] == entry_id
        run = await generate(learner, "chat", "personas", "objectives", draft_id=draft["id"], save=True)
        done = await complete(learner, run)
        assert done["artifact_id"] == draft["id"]
        draft = await rest.get(f"drafts/{draft['id']}")
    assert draft["version"] == 3
    assert draft["form_state"]["personas"] == {"name": "Uma", "description": "In a hurry."}
    assert "SECRET" not in str(learner.seen)
    step = await learner.send("attempt_next", attempt_id=attempt_id, draft_id=draft["id"])
    talk = Talk(learner, attempt_id, step["chat_id"], step)
    assert (await talk.say())["content"] == "I am Uma."
    chat = (await talk.snapshot())["chat"]
    assert chat["scenario"]["objectives"] == ["Stay calm."]
    assert chat["scenario"]["id"] == scenario("custom")


async def test_two_who_ask_for_the_next_chat_make_its_content_once(server: Server, cast: Cast) -> None:
    await server.script({"match": {"schema": "Personas"}, "status": 400})
    learner = await cast.learner()
    ack = await start(learner, "wishful")
    await learner.until("attempt_error", type="proceed")
    server.model.requests.clear()
    await server.script(MADE)
    await asyncio.gather(*(learner.call("attempt_next", attempt_id=ack["attempt_id"]) for _ in range(3)))
    await learner.until("attempt_chat_started", attempt_id=ack["attempt_id"])
    assert len(await server.asked()) == 1
