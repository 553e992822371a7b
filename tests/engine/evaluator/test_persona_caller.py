"""Callers whom a model plays, also by models that misbehave: they neither hang up early nor never."""

from itertools import repeat
from typing import Any

import pytest

from schemas.evaluator import Personality
from server.engine.evaluator.callers.caller import EndCall, Say
from server.engine.evaluator.callers.making import caller_of
from server.errors import Upstream
from server.llm import Models
from server.llm.scripted import ScriptedModel
from tests.engine.evaluator.calling import END, call, heard, profile, says, setup, words

ORDER = "A pizza with olives, please."
UNTIL_SPOKEN = {"system_contains": "Do not say goodbye"}  # the model is asked without its tool


async def test_a_call_begins_with_the_first_message_and_ends_by_the_tool(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script(says(ORDER, "Thanks, bye!", end=[False, True]))
    caller = caller_of(setup(), models)
    done = await call(caller, ["What would you like?", "It comes in ten minutes.", "Never said"])
    assert done == ["Hello", ORDER, "Thanks, bye!", "[end]"]
    assert [r.tools for r in scripted.requests] == [["end_call"]] * 2
    assert caller.usage.completion_tokens > 0
    roles = [m["role"] for m in scripted.requests[1].messages]
    assert roles == ["system", "assistant", "user", "assistant", "user"]


async def test_the_model_is_told_who_it_is_and_what_it_knows(scripted: ScriptedModel, models: Models) -> None:
    who = Personality(name="Hurried", prompt="You are in a hurry.", language="fr")
    ann = profile({"name": "Ann", "order": {"size": 30}}, {"secret": "of the agent"})
    await caller_of(setup(personality=who, profile=ann), models).answer(heard("Hello", "Hi"))
    system = scripted.requests[0].messages[0]["content"]
    for told in ("Order a pizza.", "You are in a hurry.", "fr.", "- name: Ann", '- order: {"size": 30}'):
        assert told in system
    assert "the one who calls" in system
    assert "as the caller" in system
    assert "of the agent" not in system


async def test_the_scenarios_language_is_stronger_than_the_personalitys(
    scripted: ScriptedModel, models: Models
) -> None:
    who = Personality(name="Hurried", language="fr")
    await caller_of(setup(personality=who, scenario_language="de"), models).answer(heard("Hallo", "Ja?"))
    assert (
        "Speak this language, whatever the other side speaks: de."
        in scripted.requests[0].messages[0]["content"]
    )


async def test_without_a_first_message_the_model_begins(scripted: ScriptedModel, models: Models) -> None:
    scripted.script(says("Good evening, a table for two?"))
    caller = caller_of(setup(first_message=" "), models)
    assert await caller.opening() == (Say("Good evening, a table for two?"),)
    assert scripted.requests[0].tools == []


async def test_functions_of_the_agent_are_not_heard_and_pieces_are_one_turn(
    scripted: ScriptedModel, models: Models
) -> None:
    called = heard("Hello", "One moment.")
    called.append(called[1].model_copy(update={"role": "Function Call", "content": "lookup"}))
    called.append(called[1].model_copy(update={"content": "Here I am."}))
    await caller_of(setup(), models).answer(called)
    assert [m["content"] for m in scripted.requests[0].messages[1:]] == ["Hello", "One moment.\nHere I am."]


async def test_of_a_flood_the_model_reads_the_beginning(scripted: ScriptedModel, models: Models) -> None:
    await caller_of(setup(), models).answer(heard("Hello", "x" * 60_000, "", "y" * 60_000))
    assert len(scripted.requests[0].messages[-1]["content"]) == 8_000


# --- hanging up early ---------------------------------------------------------------------------------------


async def test_a_model_that_hangs_up_at_once_has_to_say_something_first(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script([{"match": UNTIL_SPOKEN, "reply": ORDER}, {"tool_calls": [END]}])
    done = await call(caller_of(setup(), models), ["What would you like?", "Ten minutes."])
    assert done == ["Hello", ORDER, "[end]"]
    assert [r.tools for r in scripted.requests] == [["end_call"], [], ["end_call"]]


async def test_a_goodbye_instead_of_an_order_is_not_said_when_it_hangs_up(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script(
        [{"match": UNTIL_SPOKEN, "reply": ORDER}, {"reply": "Thank you, goodbye!", "tool_calls": [END]}]
    )
    done = await call(caller_of(setup(), models), ["What would you like?", "Ten minutes."])
    assert done == ["Hello", ORDER, "Thank you, goodbye!", "[end]"]


async def test_what_it_asks_for_while_hanging_up_early_is_said(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script(says(ORDER, None, end=[True]))
    done = await call(caller_of(setup(), models), ["What would you like?", "Ten minutes."])
    assert done == ["Hello", ORDER, "[end]"]


async def test_a_model_that_can_only_hang_up_is_our_failure(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"tool_calls": [END]}])
    caller = caller_of(setup(), models)
    with pytest.raises(Upstream, match="wanted to hang up before it had said what it calls for, 3 times"):
        await caller.answer(heard("Hello", "Hi, how can I help?"))
    assert len(scripted.requests) == 3
    assert caller.usage.prompt_tokens > 0


async def test_a_first_message_that_says_it_all_may_be_followed_by_the_end(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script(says("Great, bye.", end=[True]))
    done = await call(caller_of(setup(first_message="Are you open today?"), models), ["Until nine."])
    assert done == ["Are you open today?", "Great, bye.", "[end]"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("And with cheese?", {"all_answered": True}),
        ("Please put cheese on it.", {"all_answered": False}),
        ("また、チーズもありますか？", {}),
    ],
)
async def test_who_asks_while_hanging_up_is_answered_first(
    scripted: ScriptedModel, models: Models, text: str, arguments: dict[str, Any]
) -> None:
    asks = {"reply": text, "times": 1, "tool_calls": [{"name": "end_call", "arguments": arguments}]}
    scripted.script([*says(ORDER), asks, *says(None)])
    agent = ["What would you like?", "Noted.", "With cheese."]
    assert await call(caller_of(setup(), models), agent) == ["Hello", ORDER, text, "[end]"]


async def test_a_model_that_hangs_up_with_questions_only_is_let_go_in_the_end(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script([*says(ORDER), {"reply": "And how long does it take?", "tool_calls": [END]}])
    done = await call(caller_of(setup(), models), repeat("Ten minutes.", 20))
    assert done == ["Hello", ORDER, *["And how long does it take?"] * 2, "[end]"]


async def test_who_still_waits_says_so_instead_of_hanging_up(scripted: ScriptedModel, models: Models) -> None:
    waits = {"times": 1, "tool_calls": [{"name": "end_call", "arguments": {"all_answered": False}}]}
    scripted.script([*says(ORDER), waits, *says("I wait.", None)])
    done = await call(caller_of(setup(), models), ["What would you like?", "One moment.", "Done."])
    assert done == ["Hello", ORDER, "I wait.", "[end]"]


@pytest.mark.parametrize("junk", ["{oops", "[]", '"yes"', "", '{"all_answered": "perhaps"}', "null"])
async def test_arguments_that_are_junk_do_not_matter(
    scripted: ScriptedModel, models: Models, junk: str
) -> None:
    ends = {"tool_calls": [{"name": "end_call", "arguments": junk}]}
    scripted.script([*says(ORDER), ends])
    done = await call(caller_of(setup(), models), ["What would you like?", "Ten minutes."])
    assert done == ["Hello", ORDER, "[end]"]


# --- never hanging up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "goodbyes",
    [
        ["Goodbye!", "Bye, thanks again!"],
        ["Tschüss!", "Auf Wiedersehen, schönen Tag noch!"],
        ["Au revoir !", "Bonne journée !"],
        ["再见！", "谢谢，再见。"],
        ["Thanks, have a great day!", "You too.", "Bye!"],
    ],
)
async def test_goodbyes_come_to_an_end_without_the_tool(
    scripted: ScriptedModel, models: Models, goodbyes: list[str]
) -> None:
    scripted.script(says(ORDER, *goodbyes, *["Bye bye!"] * 20))
    done = await call(caller_of(setup(), models), ["What would you like?", *["Bye!"] * 20])
    assert done == ["Hello", ORDER, *goodbyes, "[end]"]


async def test_what_comes_up_after_a_goodbye_is_still_answered(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script(says(ORDER, "Thanks, bye!", "Elm Street 5.", "Bye!", end=[False, False, False, True]))
    agent = ["What would you like?", "Fine.", "Wait, where to?", "On its way."]
    done = await call(caller_of(setup(), models), agent)
    assert done == ["Hello", ORDER, "Thanks, bye!", "Elm Street 5.", "Bye!", "[end]"]


async def test_a_model_that_repeats_itself_hangs_up(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "I would like a pizza?"}])
    done = await call(caller_of(setup(), models), repeat("What would you like?", 20))
    assert done == ["Hello", *["I would like a pizza?"] * 2, "[end]"]


async def test_a_model_that_has_always_more_to_ask_goes_on(scripted: ScriptedModel, models: Models) -> None:
    questions = [f"What is number {i}?" for i in range(30)]
    scripted.script(says(*questions))
    done = await call(caller_of(setup(), models), repeat("A pizza.", 30))
    assert done == ["Hello", *questions]  # whoever leads the call ends it after its turns


# --- words that cannot be said ------------------------------------------------------------------------------


async def test_empty_answers_are_asked_for_again(scripted: ScriptedModel, models: Models) -> None:
    scripted.script(says(" \n", ORDER))
    assert await caller_of(setup(), models).answer(heard("Hello", "Hi")) == (Say(ORDER),)
    assert "Your last answer was empty" in scripted.requests[1].messages[0]["content"]


async def test_a_model_that_says_nothing_is_our_failure(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "", "tool_calls": [{"name": "order_pizza"}]}])
    with pytest.raises(Upstream, match="gave nothing to say, 3 times"):
        await caller_of(setup(), models).answer(heard("Hello", "Hi"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Caller: A pizza.", "A pizza."),
        ("**You:** A pizza.", "A pizza."),
        ('"A pizza."', "A pizza."),
        ("A pizza.\nAgent: Which one?\nCaller: With olives.", "A pizza."),
        ("Testing Agent: A pizza.\n\nMain Agent: Which one?", "A pizza."),
        ("<think>They want an order.</think>\nA pizza.", "A pizza."),
        ('My code is "12" and "13"', 'My code is "12" and "13"'),
    ],
)
async def test_a_model_that_plays_both_roles_says_its_own_only(
    scripted: ScriptedModel, models: Models, given: str, said: str
) -> None:
    scripted.script(says(given))
    assert await caller_of(setup(), models).answer(heard("Hello", "Hi")) == (Say(said),)


@pytest.mark.parametrize(
    "swapped",
    ["Agent: What would you like to order today?", "What would you like to order today, dear guest?"],
)
async def test_swapped_roles_are_asked_for_again(
    scripted: ScriptedModel, models: Models, swapped: str
) -> None:
    scripted.script(says(swapped, ORDER))
    agent = "What would you like to order today, dear guest?"
    assert await caller_of(setup(), models).answer(heard("Hello", agent)) == (Say(ORDER),)


@pytest.mark.parametrize(
    "written",
    [
        '\n<tool_call>{"name": "end_call"}</tool_call>',
        " [end_call]",
        " *end_call*",
        '\n```json\n{"name": "end_call"}\n```',
        " functions.end_call({})",
        "\nEnd_call()",
    ],
)
async def test_a_tool_that_is_written_as_text_is_obeyed_and_not_said(
    scripted: ScriptedModel, models: Models, written: str
) -> None:
    scripted.script(says(ORDER, f"Thanks (a lot)!{written}"))
    done = await call(caller_of(setup(), models), ["What would you like?", "Ten minutes."])
    assert done == ["Hello", ORDER, "Thanks (a lot)!", "[end]"]


async def test_an_endless_answer_is_cut(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"chunks_count": 20_000, "batch": 1000}])
    (step,) = await caller_of(setup(), models).answer(heard("Hello", "Hi"))
    assert isinstance(step, Say)
    assert len(step.text) <= 16_000


# --- models without tools -----------------------------------------------------------------------------------


async def test_the_embedded_model_ends_with_its_goodbye(scripted: ScriptedModel) -> None:
    url = await scripted.start()
    models = Models(base_url=url, api_key=None, model="SmolLM2-360M", retries=0)
    scripted.script(says("A pizza, please", "Thank you, goodbye!"))
    done = await call(caller_of(setup(), models), ["What would you like?", "Ten minutes."])
    assert done == ["Hello", "A pizza, please", "Thank you, goodbye!", "[end]"]
    assert [r.tools for r in scripted.requests] == [[], []]
    assert "say goodbye: that ends the call" in scripted.requests[0].messages[0]["content"]
    await models.aclose()


async def test_the_embedded_model_says_little_and_leaves_when_the_agent_does(
    scripted: ScriptedModel,
) -> None:
    models = Models(base_url=await scripted.start(), api_key=None, model="SmolLM2-360M", retries=0)
    scripted.script(says("A pizza.\n\nAnd I am an assistant.", "That is all.\n\nOr is it?"))
    done = await call(caller_of(setup(), models), ["What would you like?", "Thank you, goodbye!"])
    assert done == ["Hello", "A pizza.", "That is all.", "[end]"]
    assert scripted.requests[0].body["max_tokens"] == 60
    await models.aclose()


async def test_a_model_without_tools_that_never_says_goodbye_stops_after_its_turns(
    scripted: ScriptedModel,
) -> None:
    models = Models(base_url=await scripted.start(), api_key=None, model="SmolLM2-360M", retries=0)
    scripted.script(says(*(f"I want {i} pizzas" for i in range(30))))
    done = await call(caller_of(setup(), models), repeat("Yes.", 40))
    assert done[-2:] == ["I want 14 pizzas", "[end]"]
    await models.aclose()


async def test_an_endpoint_that_refuses_tools_is_asked_without_them(
    scripted: ScriptedModel, models: Models
) -> None:
    refused = {
        "match": {"system_contains": "calling end_call"},
        "status": 400,
        "error": {"message": "no tools"},
    }
    scripted.script([refused, *says(ORDER, "Thanks, bye!")])
    caller = caller_of(setup(), models)
    done = await call(caller, ["What would you like?", "Ten minutes."])
    assert done == ["Hello", ORDER, "Thanks, bye!", "[end]"]
    assert [bool(r.tools) for r in scripted.requests] == [True, False, False]


async def test_a_failing_endpoint_is_said(nobody: Models) -> None:
    caller = caller_of(setup(), nobody)
    assert words(await caller.opening()) == ["Hello"]
    with pytest.raises(Upstream, match="cannot be reached"):
        await caller.answer(heard("Hello", "Hi"))


async def test_the_end_is_a_step_of_its_own_without_last_words(
    scripted: ScriptedModel, models: Models
) -> None:
    scripted.script(says(None))
    assert await caller_of(setup(), models).answer(heard("Are you open?", "Yes.")) == (EndCall(),)
