"""Calls of real agents by callers whom a model plays, also one that misbehaves: how they end."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from schemas.evaluator_run import Talked
from server.engine.evaluator.callers.making import caller_of
from server.llm import Models
from server.llm.scripted import ScriptedModel
from tests.engine.evaluator.calling import END, acting, says, setup
from tests.evaluator.agents import Call, agent, echo, greeter, patient
from tests.evaluator.talking import QUICK, said, talked

ORDER = "A pizza with olives, please."
UNTIL_SPOKEN = {"system_contains": "Do not say goodbye"}


@pytest.fixture
async def models(model: tuple[ScriptedModel, str]) -> AsyncIterator[Models]:
    models = Models(base_url=model[1], api_key=None, model="scripted", retries=0)
    yield models
    await models.aclose()


@pytest.fixture
def scripted(model: tuple[ScriptedModel, str]) -> ScriptedModel:
    return model[0]


def ended(talked: Talked) -> tuple[str, str]:
    return talked.status, talked.ended_reason


async def test_a_call_by_a_model(scripted: ScriptedModel, models: Models) -> None:
    scripted.script(says(ORDER, "Thank you, bye!", end=[False, True]))
    async with agent(patient) as running:
        result = await talked(running.url, caller_of(setup(), models))
    assert ended(result) == ("completed", "Testing agent-ended-call")
    assert running.got == [
        {"content": "Hello"},
        {"content": ORDER},
        {"content": "Thank you, bye!", "type": "end_call"},
    ]
    assert result.usage.completion_tokens > 0


async def test_who_hangs_up_at_once_orders_first(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"match": UNTIL_SPOKEN, "reply": ORDER}, {"tool_calls": [END]}])
    async with agent(greeter) as running:
        result = await talked(running.url, caller_of(setup(), models), first=True)
    assert said(result) == ["A: Good morning!", f"T: {ORDER}", "A: Yes?"]
    assert running.got[-1] == {"content": "", "type": "end_call"}


async def test_who_can_only_hang_up_has_failed_and_not_the_agent(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script([{"tool_calls": [END]}])
    async with agent(patient) as running:
        result = await talked(running.url, caller_of(setup(), models))
    assert ended(result) == ("failed", "Testing agent-failed")
    assert "wanted to hang up before" in (result.error_message or "")


async def test_a_question_is_answered_before_the_call_ends(scripted: ScriptedModel, models: Models) -> None:
    scripted.script(says(ORDER, "How long does it take?", None, end=[False, True]))
    async with agent(patient) as running:
        result = await talked(running.url, caller_of(setup(), models))
    assert said(result)[-2:] == ["T: How long does it take?", "A: Yes?"]
    assert ended(result) == ("completed", "Testing agent-ended-call")


async def test_two_who_take_leave_for_ever_are_parted(scripted: ScriptedModel, models: Models) -> None:
    async def polite(call: Call) -> None:
        await call.answer_all("Goodbye, have a nice day!")

    scripted.script([*says(ORDER), {"reply": "Goodbye to you!"}])
    async with agent(polite) as running:
        result = await talked(running.url, caller_of(setup(), models))
    assert [frame["content"] for frame in running.got] == ["Hello", ORDER, *["Goodbye to you!"] * 2]
    assert ended(result) == ("completed", "Testing agent-ended-call")


async def test_who_never_hangs_up_stops_after_its_turns(scripted: ScriptedModel, models: Models) -> None:
    scripted.script(says(*(f"And what is number {i}?" for i in range(20))))
    async with agent(patient) as running:
        result = await talked(running.url, caller_of(setup(), models), limits=replace(QUICK, max_turns=4))
    assert ended(result) == ("completed", "exceeded-max-turns")


async def test_an_echo_is_left_in_the_end(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "I would like to order a pizza, please, is that possible?"}])
    async with agent(echo) as running:
        result = await talked(running.url, caller_of(setup(), models))
    assert result.ended_reason in ("Testing agent-ended-call", "Testing agent-failed")
    assert len(running.got) < 6


async def test_a_model_that_thinks_is_closed_when_the_agent_hangs_up(
    scripted: ScriptedModel, models: Models
) -> None:
    async def hasty(call: Call) -> None:
        await call.hear()
        await call.say("Yes?")
        await scripted.until("running")
        await call.say("Too slow, bye.", type="end_call")

    scripted.script([{"hang": True}])
    async with agent(hasty) as running:
        result = await talked(running.url, caller_of(setup(), models))
    assert ended(result) == ("completed", "Main agent-ended-call")
    await scripted.until("closed_by_client")


async def test_a_model_that_is_away_is_our_failure() -> None:
    away = Models(base_url="http://127.0.0.1:9/v1", api_key=None, model="scripted", retries=0)
    async with agent(patient) as running:
        result = await talked(running.url, caller_of(setup(), away))
    await away.aclose()
    assert ended(result) == ("failed", "Testing agent-failed")
    assert said(result) == ["T: Hello", "A: Yes?"]


async def test_rules_call_an_agent_without_any_model() -> None:
    first = {"id": 0, "action": "A pizza!", "fixed_message": True}
    name = {"id": 1, "condition": 'contains "name"', "action": "Ann.", "fixed_message": True}
    also = {
        "id": 2,
        "type": "action_followup",
        "condition": 1,
        "action": "Thanks.<endcall/>",
        "fixed_message": True,
    }
    away = Models(base_url="http://127.0.0.1:9/v1", api_key=None, model="scripted", retries=0)

    async def quick(call: Call) -> None:
        await call.hear()
        await call.say("One moment.")
        await call.say("Your name?")
        await call.answer_all("It comes in ten minutes.")

    async with agent(quick) as running:
        result = await talked(running.url, caller_of(acting(first, name, also), away))
    await away.aclose()
    assert said(result) == [
        "T: A pizza!",
        "A: One moment.",
        "A: Your name?",
        "T: Ann.",
        "A: It comes in ten minutes.",
        "T: Thanks.",
    ]
    assert ended(result) == ("completed", "Testing agent-ended-call")


async def test_a_pause_in_an_action_is_kept() -> None:
    first = {"id": 0, "action": 'Er <silence time="300ms"/> a pizza! <endcall/>', "fixed_message": True}
    away = Models(base_url="http://127.0.0.1:9/v1", api_key=None, model="scripted", retries=0)
    async with agent(patient) as running:
        result = await talked(running.url, caller_of(acting(first), away))
    await away.aclose()
    times = [item.start_time for item in result.transcript if item.role == "Testing Agent"]
    assert times[-1] - times[0] >= 0.3
    assert running.got[-1] == {"content": "a pizza!", "type": "end_call"}
