"""Event streams that open while other things happen to their session (core §6)."""

import asyncio

from server.transports import keys
from tests.conftest import Cast
from tests.support.clients import Http, http_client
from tests.support.running import Server, practice
from tests.support.tail import Tail


async def opened(server: Server, cast: Cast, client: Http) -> None:
    """Open a session and read nothing yet."""
    answer = await client.send("connect")
    client.headers = {**client.headers, "X-Session-Id": answer["session_id"]}
    client.stream_path = answer["stream"]


async def test_rooms_that_are_joined_while_the_stream_opens_are_on_it(server: Server, cast: Cast) -> None:
    for _ in range(20):
        async with http_client(server.url, token=server.token(cast.learner_id)) as client:
            await opened(server, cast, client)
            _, ack = await asyncio.gather(
                client.resume(), client.send("attempt/start", practice_id=practice("one"))
            )
            chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
            await client.send("attempt/message", **chat, message="Hello!")
            await client.until("attempt_assistant_complete")
            Tail(f"attempt_{ack['chat_id']}").take(client)


async def test_of_two_streams_opened_at_once_one_is_left(server: Server, cast: Cast) -> None:
    async with (
        http_client(server.url, token=server.token(cast.learner_id)) as one,
        http_client(server.url, token=server.token(cast.learner_id)) as two,
    ):
        await opened(server, cast, one)
        two.headers, two.stream_path = one.headers, one.stream_path
        one.open()
        two.open()
        first, _ = await asyncio.wait(
            [one.reader, two.reader], timeout=10, return_when=asyncio.FIRST_COMPLETED
        )
        assert len(first) == 1
        left = two if one.reader in first else one
        ack = await left.send("attempt/start", practice_id=practice("one"))
        chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
        await left.send("attempt/message", **chat, message="Hello!")
        await left.until("attempt_assistant_complete")
        room = server.app[keys.HUB].loaded_room(f"profile_{cast.learner_id}")
        assert room is not None
        assert len(room.live) == 1
        Tail(f"attempt_{ack['chat_id']}").take(left)
        await left.send("disconnect")
        assert not room.live


async def test_a_room_left_and_joined_again_is_followed_from_its_new_place(
    server: Server, cast: Cast
) -> None:
    client = await cast.http()
    ack = await client.send("attempt/start", practice_id=practice("one"))
    chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    await client.send("attempt/message", **chat, message="Hello!")
    await client.until("attempt_assistant_complete")
    await client.drop()
    await client.send("attempt/leave", chat_id=ack["chat_id"])
    again = await client.send("attempt/join", chat_id=ack["chat_id"], after=0)
    assert again["recovered"] is True
    before = len(client.seen)
    await client.resume()
    await client.until("attempt_assistant_complete", count=2)
    offsets = [d["offset"] for _, d in client.seen[before:] if d.get("room") == f"attempt_{ack['chat_id']}"]
    assert offsets == list(range(1, again["offset"] + 1))
