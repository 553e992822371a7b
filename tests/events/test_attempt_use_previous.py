"""attempt_use_previous: earlier graded chats stand for scenarios, all or none."""

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import FULL_MARKS, Client, Data, Talk, begin, refused, stored
from tests.support.clients import Socket
from tests.support.running import Server, practice

EVENT = "attempt_use_previous"


async def practised(client: Client, key: str = "lobby-only", *, grade: bool = True) -> Talk:
    """Practise the first scenario of a practice, which has a lobby, and end its chat."""
    ack = await client.send("attempt_start", practice_id=practice(key))
    step = await client.send("attempt_next", attempt_id=ack["attempt_id"])
    talk = Talk(client, ack["attempt_id"], step["chat_id"], step)
    await talk.say()
    await talk.end(grade=grade)
    return talk


async def lobby(client: Client, key: str = "lobby-first") -> Data:
    """Start an attempt that waits in a lobby, and return the ack."""
    return await client.send("attempt_start", practice_id=practice(key))


async def test_an_earlier_chat_becomes_part_of_the_attempt(server: Server, client: Client) -> None:
    await server.script(*FULL_MARKS)
    old = await practised(client)
    ack = await lobby(client)
    ended = len(client.named("attempt_chat_ended"))
    done = await client.send(
        EVENT, attempt_id=ack["attempt_id"], previous_chat_map={ack["chat_entry_id"]: old.chat_id}
    )
    assert done["chat_ids"] == [old.chat_id]
    said = await client.until("attempt_chat_ended", count=ended + 1)
    assert (said["chat_id"], said["is_attempt_finished"], said["room"]) == (old.chat_id, False, old.room)
    assert said["grade_id"] == client.named("attempt_graded")[0]["grade_id"]
    begun = await client.until("attempt_chat_started", attempt_id=ack["attempt_id"])
    assert {r["room"] for r in done["rooms"]} == {old.room, f"attempt_{begun['chat_id']}"}
    again = await client.send("attempt_grade", attempt_id=ack["attempt_id"], chat_id=old.chat_id)
    await client.until("attempt_graded", grade_id=again["grade_ids"][0])  # it is one of its chats now
    talk = Talk(client, ack["attempt_id"], begun["chat_id"], done)
    assert (await talk.end(grade=False))["is_attempt_finished"] is True
    over = await client.until("attempt_ended", attempt_id=ack["attempt_id"])
    assert over["all_scenarios_complete"] is True


async def test_the_last_scenario_ends_the_attempt(server: Server, learner: Socket) -> None:
    old = await practised(learner)
    ack = await lobby(learner, "lobby-only")
    await learner.send(
        EVENT, attempt_id=ack["attempt_id"], previous_chat_map={ack["chat_entry_id"]: old.chat_id}
    )
    over = await learner.until("attempt_ended", attempt_id=ack["attempt_id"])
    assert over["all_scenarios_complete"] is True
    said = await learner.until("attempt_chat_ended", count=2)
    assert said["is_attempt_finished"] is True


async def test_null_practises_the_scenario_after_all(server: Server, learner: Socket) -> None:
    ack = await lobby(learner)
    done = await learner.send(
        EVENT, attempt_id=ack["attempt_id"], previous_chat_map={ack["chat_entry_id"]: None}
    )
    assert done["chat_ids"] == []
    begun = await learner.until("attempt_chat_started")
    talk = Talk(learner, ack["attempt_id"], begun["chat_id"], done)
    await talk.say()


async def test_the_next_cycle_has_its_lobby_again(server: Server, learner: Socket) -> None:
    ack = await learner.send("attempt_start", practice_id=practice("lobby-only"), infinite_mode=True)
    chosen = {ack["chat_entry_id"]: None}
    await learner.send(EVENT, attempt_id=ack["attempt_id"], previous_chat_map=chosen)
    begun = await learner.until("attempt_chat_started")
    talk = Talk(learner, ack["attempt_id"], begun["chat_id"], ack)
    await talk.end(grade=False)
    waiting = await learner.until("attempt_started", count=2)
    assert waiting["chat_entry_id"] != ack["chat_entry_id"]
    step = await learner.send("attempt_next", attempt_id=ack["attempt_id"])
    assert step["chat_id"] != talk.chat_id


async def test_all_or_nothing(server: Server, cast: Cast, client: Client) -> None:
    good = await practised(client)
    ungraded = await practised(client, grade=False)
    plain = await begin(client)
    await plain.say()
    await plain.end()
    stranger = await cast.stranger()
    foreign = await practised(stranger)
    running = await lobby(client, "lobby-only")
    open_chat = await client.send("attempt_next", attempt_id=running["attempt_id"])
    ack = await lobby(client, "lobby-twice")
    attempt_id, first = ack["attempt_id"], ack["chat_entry_id"]
    attempts = {a["_id"]: a for a in await stored(server, "attempts", owner=cast.learner_id)}
    others = [e["chat_entry_id"] for e in attempts[attempt_id]["entries"][1:]]
    wrong: list[tuple[str, dict[str, str | None]]] = [
        ("not_found", {first: good.chat_id, new(): good.chat_id}),
        ("not_found", {first: foreign.chat_id}),
        ("not_found", {first: new()}),
        ("conflict", {first: ungraded.chat_id}),
        ("conflict", {first: open_chat["chat_id"]}),
        ("conflict", {first: plain.chat_id}),
        ("conflict", {first: good.chat_id, others[0]: plain.chat_id}),
        ("conflict", {first: good.chat_id, others[1]: None}),
        ("bad_request", {}),
        ("bad_request", {"first": good.chat_id}),
        ("bad_request", {first: "previous"}),
    ]
    for code, chosen in wrong:
        await refused(client, EVENT, code, attempt_id=attempt_id, previous_chat_map=chosen)
    chosen = {first: good.chat_id}
    await refused(client, EVENT, "not_found", attempt_id=new(), previous_chat_map=chosen)
    await refused(stranger, EVENT, "not_found", attempt_id=attempt_id, previous_chat_map=chosen)
    author = await cast.author()
    await refused(author, EVENT, "forbidden", attempt_id=attempt_id, previous_chat_map=chosen)
    after = {a["_id"]: a for a in await stored(server, "attempts", owner=cast.learner_id)}
    assert after[attempt_id] == attempts[attempt_id]
    await client.send(EVENT, attempt_id=attempt_id, previous_chat_map=chosen)
    await refused(client, EVENT, "conflict", attempt_id=attempt_id, previous_chat_map=chosen)
    await client.send("attempt_end_all", attempt_id=attempt_id)
    await client.until("attempt_ended", attempt_id=attempt_id)
    await refused(client, EVENT, "conflict", attempt_id=attempt_id, previous_chat_map=chosen)
