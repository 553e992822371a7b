"""playground_message: an answer that rests on what was found, kept with its sources."""

import pytest

from schemas.envelope import Id
from schemas.playground import LlmParams, PlaygroundSession, SessionPatch
from server.engine.access import Identity
from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client, Data, refused
from tests.support.playgrounds import CATS, HOURS, Session, join, pipeline
from tests.support.running import Server


def learner_of(cast: Cast) -> Identity:
    return Identity(kind="profile", id=cast.learner_id, role="learner")


async def kept(server: Server, cast: Cast, pipeline_id: Id) -> PlaygroundSession:
    return await server.app[keys.PLAYGROUND].session(learner_of(cast), pipeline_id)


async def set_up(server: Server, cast: Cast, pipeline_id: Id, **llm: object) -> None:
    """Change the settings of answers."""
    change = SessionPatch(llm_params=LlmParams.model_validate(llm))
    await server.app[keys.PLAYGROUND].patch(learner_of(cast), pipeline_id, change)


async def talk_of(server: Server, cast: Cast, *documents: Data) -> Session:
    return await join(await cast.learner(), await pipeline(server, cast.author_id, *documents))


async def test_an_answer_rests_on_sources_and_is_kept(server: Server, cast: Cast, client: Client) -> None:
    await server.script({"chunks": ["At ", "nine [1]."]})
    session = await join(client, await pipeline(server, cast.author_id, HOURS, CATS))
    ack = await session.send()
    done = await client.until("playground_complete", message_id=ack["assistant_message_id"])
    assert (done["content"], done["session_id"]) == ("At nine [1].", session.session_id)
    assert session.sources(ack)[0] == HOURS["text"]
    assert session.names()[-4:] == [
        "playground_user_complete",
        "playground_sources",
        "playground_progress",
        "playground_complete",
    ]
    (asked,) = await server.asked()
    system = asked["messages"][0]["content"]
    assert str(HOURS["text"]) in system
    assert asked["body"]["temperature"] == 0.1
    stored = await kept(server, cast, session.pipeline_id)
    user, answer = stored.chat_messages
    assert (user.id, user.index, user.role) == (ack["message_id"], 0, "user")
    assert (answer.id, answer.index, answer.content) == (ack["assistant_message_id"], 1, "At nine [1].")
    assert {note.type for note in answer.annotations} == {"sources", "usage"}


async def test_the_conversation_goes_on(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast, HOURS)
    await session.say("One?")
    await session.say("Two?")
    last = (await server.asked())[-1]["messages"]
    assert [m["role"] for m in last] == ["system", "user", "assistant", "user"]
    shown = await session.snapshot()
    assert [m["role"] for m in shown["messages"]] == ["user", "assistant"] * 2
    assert all("sources" in m for m in shown["messages"] if m["role"] == "assistant")


async def test_without_documents_it_answers_and_names_no_sources(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast)
    ack = await session.send()
    await session.client.until("playground_complete")
    assert session.sources(ack) == []
    assert "Nothing was found" in (await server.asked())[-1]["messages"][0]["content"]


async def test_settings_of_answers_act(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast, HOURS)
    await set_up(server, cast, session.pipeline_id, system_prompt="You are a pirate.", temperature=1.5)
    await session.client.until("playground_updated", room=session.room)
    await session.say()
    asked = (await server.asked())[-1]
    assert asked["messages"][0]["content"].startswith("You are a pirate.")
    assert asked["body"]["temperature"] == 1.5
    await set_up(server, cast, session.pipeline_id, temperature=None)
    await session.say()
    assert "temperature" not in (await server.asked())[-1]["body"]
    stored = await kept(server, cast, session.pipeline_id)
    assert (stored.llm_params.system_prompt, stored.llm_params.temperature) == ("You are a pirate.", None)


async def test_chain_of_thought_is_kept_apart(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast, HOURS)
    await set_up(server, cast, session.pipeline_id, use_chain_of_thought_reasoning=True)
    await server.script({"chunks": [" <thin", "king>It says", " nine.</think", "ing>\n\nAt ", "nine."]})
    done = await session.say()
    assert (done["content"], done["reasoning"]) == ("At nine.", "It says nine.")
    assert "<thinking>" in (await server.asked())[-1]["messages"][0]["content"]
    answer = (await kept(server, cast, session.pipeline_id)).chat_messages[-1]
    assert answer.content == "At nine."
    assert [note.data for note in answer.annotations if note.type == "reasoning"] == ['"It says nine."']
    shown = await session.snapshot()
    assert shown["messages"][-1]["reasoning"] == "It says nine."


async def test_thoughts_without_an_end_are_the_answer(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast, HOURS)
    await set_up(server, cast, session.pipeline_id, use_chain_of_thought_reasoning=True)
    await server.script({"reply": "<thinking>At nine."})
    assert (await session.say())["content"] == "At nine."


async def test_a_repeated_message_is_said_once(server: Server, cast: Cast, client: Client) -> None:
    session = await join(client, await pipeline(server, cast.author_id, HOURS))
    key = new()
    first = await session.send(client_event_id=key)
    again = await session.send(client_event_id=key)
    same = ("message_id", "assistant_message_id")
    assert [again[name] for name in same] == [first[name] for name in same]
    await client.until("playground_complete")
    assert len((await kept(server, cast, session.pipeline_id)).chat_messages) == 2
    body: Data = {"pipeline_id": session.pipeline_id, "message": "Another?", "client_event_id": key}
    await refused(client, "playground_message", "conflict", **body)


async def test_one_answer_at_a_time(server: Server, cast: Cast) -> None:
    await server.script({"chunks": ["One, "], "hang": True})
    session = await talk_of(server, cast, HOURS)
    await session.send()
    await session.hears("One, ")
    ack = await session.client.call("playground_message", pipeline_id=session.pipeline_id, message="And now?")
    assert (ack["error"]["code"], ack["error"]["retryable"]) == ("conflict", True)


async def test_a_model_that_fails_leaves_no_answer(server: Server, cast: Cast) -> None:
    await server.script({"status": 400})
    session = await talk_of(server, cast, HOURS)
    error = await session.fails()
    assert (error["code"], error["session_id"]) == ("upstream", session.session_id)
    assert [m.role for m in (await kept(server, cast, session.pipeline_id)).chat_messages] == ["user"]
    assert "running" not in await session.snapshot()
    await server.script()
    await session.say("Again?")


async def test_others_find_nothing(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast, HOURS)
    for other in (await cast.ops(), await cast.author(), await cast.stranger()):
        await refused(other, "room_join", "not_found", room=session.room)
        await refused(other, "room_replay", "not_found", room=session.room, speed=0)
    events: dict[str, Data] = {
        "playground_join": {},
        "playground_message": {"message": "Hello?"},
        "playground_stop": {},
    }
    for event, more in events.items():
        foreign = await cast.foreign_author()
        await refused(foreign, event, "not_found", pipeline_id=session.pipeline_id, **more)
        await refused(session.client, event, "not_found", pipeline_id=new(), **more)


async def test_each_user_has_a_session_of_their_own(server: Server, cast: Cast) -> None:
    session = await talk_of(server, cast, HOURS)
    await session.say()
    other = await join(await cast.stranger(), session.pipeline_id)
    assert other.session_id != session.session_id
    assert other.ack["snapshot"]["messages"] == []


async def test_ops_learn_that_there_is_an_answer_and_no_more(server: Server, cast: Cast) -> None:
    ops = await cast.ops()
    await ops.send("room_join", room="ops")
    session = await talk_of(server, cast, HOURS)
    await session.say("A secret?")
    mine: Data = {"kind": "playground", "id": session.session_id}
    await ops.until("ops_entry", phase="ended", **mine)
    told = ops.named("ops_entry", **mine)
    assert [entry["phase"] for entry in told] == ["started", "ended"]
    assert {entry["subject_room"] for entry in told} == {session.room}
    assert "secret" not in str(told)


@pytest.mark.parametrize("message", ["", "  \n", "x" * 32_001])
async def test_what_is_no_message(server: Server, cast: Cast, message: str) -> None:
    pipeline_id = await pipeline(server, cast.author_id)
    body: Data = {"pipeline_id": pipeline_id, "message": message}
    await refused(await cast.learner(), "playground_message", "bad_request", **body)
