"""Following a long reply over connections that are cut (core §5, §6)."""

import asyncio
import random

from server.transports import keys
from tests.conftest import Cast
from tests.support.clients import Http, Recorder, Socket, http_client, socket
from tests.support.proxy import Proxy, proxy
from tests.support.running import Server, practice
from tests.support.tail import Tail

DROPS = 10
WORDS = [f"{n} " for n in range(1000)]
A_LONG_REPLY = {"chunks": WORDS, "delay_ms": 10}


async def begin(client: Socket | Http, message: str = "Count.") -> tuple[str, str]:
    """Start an attempt and say something; return (chat_id, assistant_message_id)."""
    ack = await client.send("attempt_start", practice_id=practice("one"))
    said = await client.send(
        "attempt_message", attempt_id=ack["attempt_id"], chat_id=ack["chat_id"], message=message
    )
    return ack["chat_id"], said["assistant_message_id"]


async def stored_text(server: Server, chat_id: str, message_id: str) -> str:
    """Return the stored text of a message."""
    chat = await server.app[keys.STORE].chats.get(chat_id)
    assert chat is not None
    return next(m.content for m in chat.messages if m.id == message_id)


def places(rng: random.Random) -> list[int]:
    """Return the lengths of the text at which the connection is cut."""
    return [drop * 300 + rng.randint(1, 250) for drop in range(DROPS)]


async def until_length(recorder: Recorder, place: int) -> None:
    """Wait until the text is so long."""

    def long() -> bool:
        return sum(len(d["content"]) for d in recorder.named("attempt_progress")) >= place

    await recorder.when(long)


async def follow_until_cut(tail: Tail, through: Proxy, token: str, *, more: int) -> None:
    """Join where the last connection ended, read so much more text, and lose the connection."""
    async with socket(through.url, {"token": token}) as client:
        chat_id = tail.room.removeprefix("attempt_")
        ack = await client.send("attempt_join", chat_id=chat_id, after=tail.last, epoch=tail.epoch)
        assert ack["recovered"] is True
        assert ack["epoch"] == tail.epoch
        assert "snapshot" not in ack
        await until_length(client, more)
        through.cut()
        await client.client.wait()
        tail.take(client)


async def test_a_socket_follows_a_reply_over_ten_cuts(server: Server, cast: Cast) -> None:
    await server.script(A_LONG_REPLY)
    rng = random.Random(11)
    learner = await cast.learner()
    chat_id, message_id = await begin(learner)
    tail = Tail(f"attempt_{chat_id}")
    tail.epoch = learner.named("connection_confirmed")[0]["epoch"]
    token = server.token(cast.learner_id)
    async with proxy(server.url) as through:
        for place in places(rng):
            await follow_until_cut(tail, through, token, more=place - len(tail.text(message_id)))
        assert not tail.named("attempt_assistant_complete"), "the reply ended before the last cut"
        async with socket(through.url, {"token": token}) as last:
            ack = await last.send("attempt_join", chat_id=chat_id, after=tail.last, epoch=tail.epoch)
            assert ack["recovered"] is True
            await last.until("attempt_assistant_complete")
            tail.take(last)
    assert tail.text(message_id) == "".join(WORDS)
    assert await stored_text(server, chat_id, message_id) == "".join(WORDS)


async def test_a_stream_follows_a_reply_over_ten_cuts(server: Server, cast: Cast) -> None:
    await server.script(A_LONG_REPLY)
    rng = random.Random(12)
    async with (
        proxy(server.url) as through,
        http_client(through.url, token=server.token(cast.learner_id)) as learner,
    ):
        await learner.connect()
        chat_id, message_id = await begin(learner)
        for place in places(rng):
            await until_length(learner, place)
            through.cut()
            await learner.ended()
            await learner.resume()
            assert learner.seen_last("connection_confirmed")["recovered"] is True
        await learner.until("attempt_assistant_complete")
        tail = Tail(f"attempt_{chat_id}")
        tail.take(learner)
    assert not learner.named("room_reset")
    assert tail.text(message_id) == "".join(WORDS)
    assert await stored_text(server, chat_id, message_id) == "".join(WORDS)


async def test_joining_in_the_middle_continues_the_snapshot(server: Server, cast: Cast) -> None:
    await server.script({"chunks": WORDS[:150], "delay_ms": 20})
    learner = await cast.learner()
    chat_id, message_id = await begin(learner)
    room = f"attempt_{chat_id}"
    joins = []
    for count in (1, 5, 20):
        await learner.until("attempt_progress", count=count)
        watcher = await cast.learner()
        ack = await watcher.send("attempt_join", chat_id=chat_id)
        assert ack["recovered"] is False
        assert ack["snapshot"]["running"]["message_id"] == message_id
        assert ack["snapshot"]["offset"] == ack["offset"]
        joins.append((watcher, ack))
    await asyncio.gather(*(w.until("attempt_assistant_complete") for w, _ in joins))
    for watcher, ack in joins:
        tail = Tail(room, last=ack["offset"])
        tail.take(watcher)
        assert ack["snapshot"]["running"]["text"] + tail.text(message_id) == "".join(WORDS[:150])
        assert watcher.names().index("attempt_joined") < watcher.names().index("attempt_progress")


async def test_the_ack_of_a_join_comes_before_its_entries_and_these_before_joined(
    server: Server, cast: Cast
) -> None:
    learner = await cast.learner()
    chat_id, _ = await begin(learner)
    await learner.until("attempt_assistant_complete")
    watcher = await cast.learner()
    ack = await watcher.send("attempt_join", chat_id=chat_id, after=0)
    head = ack["offset"]
    await watcher.until("attempt_joined")
    tail = Tail(f"attempt_{chat_id}")
    tail.take(watcher)
    assert ack["recovered"] is True
    assert tail.last == head
    assert watcher.seen[-1][0] == "attempt_joined"


async def test_a_place_that_is_not_in_the_log_gets_a_snapshot(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    chat_id, message_id = await begin(learner)
    await learner.until("attempt_assistant_complete")
    for place in ({"after": 10**6}, {"after": -1}, {"after": 0, "epoch": "another"}, {}):
        watcher = await cast.learner()
        ack = await watcher.send("attempt_join", chat_id=chat_id, **place)
        assert ack["recovered"] is False, place
        assert ack["snapshot"]["messages"][-1]["id"] == message_id
        assert ack["snapshot"]["offset"] == ack["offset"]


async def test_joining_again_answers_alone_and_keeps_the_cursor(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    chat_id, _ = await begin(learner)
    await learner.until("attempt_assistant_complete")
    again = await learner.send("attempt_join", chat_id=chat_id, after=0)
    assert "snapshot" not in again
    assert (await learner.send("attempt_join", chat_id=chat_id))["offset"] == again["offset"]
    assert not learner.named("attempt_joined")
    tail = Tail(f"attempt_{chat_id}")
    tail.take(learner)
