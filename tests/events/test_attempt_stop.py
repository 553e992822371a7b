"""attempt_stop: the partial text is kept, and there may be nothing to stop."""

import asyncio

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Client, begin, check_failure, refused
from tests.support.clients import Socket
from tests.support.running import Server

HANGING = {"chunks": ["One, ", "two"], "hang": True}


async def test_it_keeps_the_partial_text_and_closes_the_models_stream(server: Server, client: Client) -> None:
    await server.script(HANGING)
    talk = await begin(client)
    ack = await talk.send("Count.")
    await talk.hears("One, two")
    assert await client.send("attempt_stop", chat_id=talk.chat_id) == {"success": True}
    stopped = await client.until("attempt_stopped")
    assert (stopped["success"], stopped["room"]) == (True, talk.room)
    await server.model.until("closed_by_client")
    done = client.named("attempt_assistant_complete", message_id=ack["assistant_message_id"])
    assert [(d["content"], d["state"]) for d in done] == [("One, two", "stopped")]
    assert [n for n, _ in talk.entries()][-2:] == ["attempt_assistant_complete", "attempt_stopped"]
    kept = (await talk.snapshot())["messages"]
    assert [(m["content"], m["state"]) for m in kept] == [("Count.", "complete"), ("One, two", "stopped")]
    assert "attempt_error" not in client.names()


async def test_nothing_to_stop(server: Server, client: Client) -> None:
    talk = await begin(client)
    ack = await client.call("attempt_stop", chat_id=talk.chat_id)
    check_failure(client, ack, "conflict")
    stopped = await client.until("attempt_stopped", chat_id=talk.chat_id)
    assert stopped == {"chat_id": talk.chat_id, "success": False, "message": ack["error"]["message"]}
    await talk.say()
    assert "attempt_error" not in client.names()


async def test_its_refusals(server: Server, cast: Cast) -> None:
    await server.script(HANGING)
    learner = await cast.learner()
    talk = await begin(learner)
    await talk.send()
    await talk.hears("One, two")
    await refused(await cast.stranger(), "attempt_stop", "not_found", chat_id=talk.chat_id)
    await refused(await cast.author(), "attempt_stop", "forbidden", chat_id=talk.chat_id)
    await refused(await cast.ops(), "attempt_stop", "forbidden", chat_id=talk.chat_id)
    await refused(learner, "attempt_stop", "not_found", chat_id=new())
    assert "attempt_stopped" not in learner.names()


async def test_another_device_stops_and_sees_it(server: Server, cast: Cast) -> None:
    await server.script(HANGING)
    phone, laptop = await cast.learner(), await cast.learner()
    talk = await begin(phone)
    await talk.send()
    await talk.hears("One, two")
    ack = await laptop.send("attempt_stop", chat_id=talk.chat_id)
    assert [r["room"] for r in ack["rooms"]] == [talk.room]
    for client in (phone, laptop):
        assert (await client.until("attempt_stopped"))["success"]
        assert client.named("attempt_assistant_complete")[0]["content"] == "One, two"


async def test_both_devices_at_once(server: Server, cast: Cast) -> None:
    await server.script(HANGING)
    phone, laptop = await cast.learner(), await cast.learner()
    talk = await begin(phone)
    await talk.send()
    await talk.hears("One, two")
    acks = await asyncio.gather(
        phone.call("attempt_stop", chat_id=talk.chat_id), laptop.call("attempt_stop", chat_id=talk.chat_id)
    )
    assert any(a["success"] for a in acks)
    await phone.until("attempt_stopped", success=True)
    assert len(phone.named("attempt_assistant_complete")) == 1


async def test_before_the_first_word_nothing_is_kept_but_the_turn(server: Server, learner: Socket) -> None:
    await server.script({"hang": True})
    talk = await begin(learner)
    await talk.send("Say nothing.")
    await server.model.until("running")
    await learner.send("attempt_stop", chat_id=talk.chat_id)
    done = await learner.until("attempt_assistant_complete")
    assert (done["content"], done["state"]) == ("", "stopped")
    await server.script({"reply": "Yes."})
    assert (await talk.say("Now speak."))["content"] == "Yes."
