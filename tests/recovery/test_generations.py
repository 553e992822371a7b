"""Generations of a process that is killed: what was made stays made, the rest is made by another."""

import time
from typing import Any

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.support.clients import socket
from tests.support.generating import PERSONA, complete, generate
from tests.support.process import ServerProcess
from tests.support.running import practice

Model = tuple[ScriptedModel, str]
TAKEOVER_SECONDS = 15.0
SLOW: dict[str, Any] = {"match": {"schema": "Instructions"}, "hang": True, "times": 1}


async def test_a_killed_generation_goes_on_with_what_was_made(mortal: ServerProcess, model: Model) -> None:
    model[0].script([SLOW, *PERSONA])
    profile = new()
    auth = {"token": mortal.token(profile, role="author")}
    async with socket(mortal.url, auth) as author:
        ack = await generate(author, "persona", "names", "colors", "instructions", save=True)
        await author.until("generation_progress", count=2)
        await model[0].until("running")
        await mortal.kill()
    await mortal.start()
    began = time.monotonic()
    async with socket(mortal.url, auth) as author:
        join = await author.send("room_join", room=f"profile_{profile}", after=0)
        assert join["recovered"] is True
        done = await complete(author, ack)
        assert time.monotonic() - began < TAKEOVER_SECONDS
        steps = author.named("generation_progress", run_id=ack["run_id"])
        assert [s["last_completed_resource"] for s in steps] in (
            ["names", "colors", "instructions"],
            ["instructions"],
        )
    asked = [r.response_format for r in model[0].requests]
    assert asked == ["Names", "Colors", "Instructions", "Instructions"]
    saved = await mortal.store.content.get("persona", done["artifact_id"], org="default")
    assert saved is not None
    assert saved.version == 1


async def test_a_chat_whose_content_was_being_made_begins_after_a_kill(
    mortal: ServerProcess, model: Model
) -> None:
    persona = {"name": "Uma", "description": "Fast.", "instructions": "You are Uma."}
    rule = {"match": {"schema": "Personas"}}
    model[0].script([{**rule, "hang": True, "times": 1}, {**rule, "json": persona}])
    auth = {"token": mortal.token(new())}
    async with socket(mortal.url, auth) as learner:
        ack = await learner.send("attempt_start", practice_id=practice("wishful"))
        await model[0].until("running")
        await mortal.kill()
    await mortal.start()
    async with socket(mortal.url, auth) as learner:
        begun = await learner.until("attempt_chat_started", attempt_id=ack["attempt_id"])
        chat = await mortal.store.chats.get(begun["chat_id"])
        assert chat is not None
        assert chat.persona.name == "Uma"


async def test_draining_leaves_a_generation_to_others(mortal: ServerProcess, model: Model) -> None:
    model[0].script([SLOW, *PERSONA])
    profile = new()
    auth = {"token": mortal.token(profile, role="author")}
    async with socket(mortal.url, auth) as author:
        ack = await generate(author, "persona", "instructions")
        await model[0].until("running")
    await mortal.stop()
    await mortal.start()
    async with socket(mortal.url, auth) as author:
        await complete(author, ack)
