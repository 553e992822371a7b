"""attempt_next: past a lobby, and what stands in its way."""

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Client, Talk, begin, refused
from tests.support.clients import Socket
from tests.support.running import Server, practice


async def test_it_goes_past_the_lobby(server: Server, client: Client) -> None:
    ack = await client.send("attempt_start", practice_id=practice("lobby-first"))
    step = await client.send("attempt_next", attempt_id=ack["attempt_id"])
    assert set(step) == {"success", "chat_id", "rooms"}
    assert [r["room"] for r in step["rooms"]] == [f"attempt_{step['chat_id']}"]
    begun = await client.until("attempt_chat_started")
    assert begun["chat_id"] == step["chat_id"]
    await refused(client, "attempt_next", "conflict", attempt_id=ack["attempt_id"])
    talk = Talk(client, ack["attempt_id"], step["chat_id"], step)
    await talk.say()  # its room is followed


async def test_a_lobby_in_the_middle_says_attempt_started_again(server: Server, learner: Socket) -> None:
    talk = await begin(learner, "lobby-second")
    ended = await talk.end(grade=False)
    assert ended["is_attempt_finished"] is False
    waiting = await learner.until("attempt_started", count=2)
    assert waiting["attempt_id"] == talk.attempt_id
    assert waiting["chat_entry_id"] != talk.ack["chat_entry_id"]
    step = await learner.send("attempt_next", attempt_id=talk.attempt_id)
    second = Talk(learner, talk.attempt_id, step["chat_id"], step)
    ended = await second.end(grade=False)
    assert ended["is_attempt_finished"] is True
    over = await learner.until("attempt_ended")
    assert over["all_scenarios_complete"]


async def test_its_refusals(server: Server, cast: Cast, client: Client) -> None:
    ack = await client.send("attempt_start", practice_id=practice("lobby-only"))
    attempt_id = ack["attempt_id"]
    await refused(client, "attempt_next", "not_found", attempt_id=new())
    await refused(client, "attempt_next", "not_found", attempt_id=attempt_id, draft_id=new())
    await refused(await cast.stranger(), "attempt_next", "not_found", attempt_id=attempt_id)
    await refused(await cast.author(), "attempt_next", "forbidden", attempt_id=attempt_id)
    await refused(await cast.ops(), "attempt_next", "forbidden", attempt_id=attempt_id)
    await client.send("attempt_end_all", attempt_id=attempt_id)
    over = await client.until("attempt_ended")
    assert over["all_scenarios_complete"] is False
    await refused(client, "attempt_next", "conflict", attempt_id=attempt_id)


async def test_a_scenario_that_cannot_be_made_does_not_hold_the_attempt(
    server: Server, learner: Socket
) -> None:
    await server.script({"match": {"schema": "Personas"}, "status": 400})
    talk = await begin(learner, "stuck")
    ended = await talk.end(grade=False)
    assert ended["is_attempt_finished"] is False
    error = await learner.until("attempt_error", type="proceed")
    assert error["code"] == "upstream"
    assert error["room"].startswith("profile_")
    step = await learner.send("attempt_next", attempt_id=talk.attempt_id)
    assert "chat_id" not in step
    await learner.until("attempt_error", type="proceed", count=2)
    ack = await learner.send("attempt_end_all", attempt_id=talk.attempt_id)
    assert ack["chat_ids"] == []
    over = await learner.until("attempt_ended")
    assert over["all_scenarios_complete"] is False
