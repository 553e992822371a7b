"""attempt_start: what it makes, and what it refuses."""

from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Client, begin, one_after_another, refused, stored
from tests.support.clients import Socket
from tests.support.running import Server, home, practice


async def test_it_makes_an_attempt_and_its_first_chat(server: Server, cast: Cast, client: Client) -> None:
    ack = await client.send("attempt_start", practice_id=practice("two"))
    assert set(ack) == {"success", "attempt_id", "chat_entry_id", "chat_id", "rooms"}
    epoch = client.named("connection_confirmed")[0]["epoch"]
    assert ack["rooms"] == [{"room": f"attempt_{ack['chat_id']}", "epoch": epoch, "offset": 0}]
    begun = await client.until("attempt_chat_started", attempt_id=ack["attempt_id"])
    assert begun["chat_id"] == ack["chat_id"]
    own = f"profile_{cast.learner_id}"
    entries = [(n, d) for n, d in client.seen if d.get("room") == own]
    assert [n for n, _ in entries] == ["attempt_started", "attempt_chat_started"]
    assert entries[0][1]["attempt_id"] == ack["attempt_id"]
    assert entries[0][1]["chat_entry_id"] == ack["chat_entry_id"]
    assert one_after_another(entries)


async def test_a_home_for_everyone_is_open_to_everyone(server: Server, cast: Cast) -> None:
    for client in (await cast.learner(), await cast.guest()):
        ack = await client.send("attempt_start", home_id=home("everyone"), infinite_mode=False)
        await client.until("attempt_chat_started", chat_id=ack["chat_id"])


async def test_an_author_may_try_a_home_that_is_assigned_to_others(server: Server, cast: Cast) -> None:
    author = await cast.author()
    ack = await author.send("attempt_start", home_id=home("nobody"))
    assert ack["chat_id"]


async def test_what_it_refuses_makes_nothing(server: Server, cast: Cast, client: Client) -> None:
    both = await refused(
        client, "attempt_start", "bad_request", home_id=home("everyone"), practice_id=practice("one")
    )
    assert both["message"] == "give exactly one of home_id and practice_id"
    await refused(client, "attempt_start", "bad_request")
    await refused(client, "attempt_start", "bad_request", home_id=None, practice_id=None)
    await refused(client, "attempt_start", "not_found", practice_id=new())
    await refused(client, "attempt_start", "not_found", home_id=new())
    await refused(client, "attempt_start", "not_found", home_id=practice("one"))
    await refused(client, "attempt_start", "not_found", practice_id=home("everyone"))
    await refused(client, "attempt_start", "not_found", home_id=home("nobody"))
    for name in ("attempts", "chats"):
        assert await stored(server, name, owner=cast.learner_id) == []
    assert "attempt_started" not in client.names()


async def test_ops_reads_only(server: Server, cast: Cast) -> None:
    await refused(await cast.ops(), "attempt_start", "forbidden", practice_id=practice("one"))


async def test_a_lobby_comes_first(server: Server, cast: Cast, learner: Socket) -> None:
    ack = await learner.send("attempt_start", practice_id=practice("lobby-first"))
    assert set(ack) == {"success", "attempt_id", "chat_entry_id"}
    await learner.until("attempt_started", chat_entry_id=ack["chat_entry_id"])
    assert await stored(server, "chats", owner=cast.learner_id) == []
    await learner.send("attempt_next", attempt_id=ack["attempt_id"])
    await learner.until("attempt_chat_started")
    assert len(learner.named("attempt_started")) == 1


async def test_infinite_mode_begins_again_until_end_all(server: Server, cast: Cast, learner: Socket) -> None:
    talk = await begin(learner, infinite_mode=True)
    chat_ids = {talk.chat_id}
    for cycle in (2, 3):
        ended = await talk.end(grade=False)
        assert ended["is_attempt_finished"] is False
        started = await learner.until("attempt_chat_started", count=cycle)
        chat_ids.add(started["chat_id"])
        talk.chat_id = started["chat_id"]
        await learner.send("attempt_join", chat_id=talk.chat_id)
    assert len(chat_ids) == 3
    attempt = (await stored(server, "attempts", owner=cast.learner_id))[0]
    assert [(e["cycle"], e["state"]) for e in attempt["entries"]] == [
        (0, "done"),
        (1, "done"),
        (2, "open"),
    ]
    assert "attempt_ended" not in learner.names()
    ack = await learner.send("attempt_end_all", attempt_id=talk.attempt_id)
    assert ack["chat_ids"] == [talk.chat_id]
    over = await learner.until("attempt_ended")
    assert over["success"]
    assert over["all_scenarios_complete"]
