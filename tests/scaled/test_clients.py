"""Unmodified clients without stickiness: whichever process the kernel chooses, the session is found."""

from typing import Any

import pytest
import socketio

from server.engine.ids import new
from tests.clients.node import run, script
from tests.clients.test_javascript import TRANSPORTS, recorded
from tests.scaled.cluster import Cluster
from tests.support.clients import Socket, socket
from tests.support.running import practice
from tests.support.tail import Tail

CONNECTS = 30
LIVES = 6
WORDS = [f"{n} " for n in range(400)]


async def talking(
    cluster: Cluster, client: Socket, learner: str, *, delay_ms: int
) -> tuple[dict[str, Any], str]:
    """Start a long reply; return what a script needs to follow it, and the id of the reply."""
    await cluster.script({"chunks": WORDS, "delay_ms": delay_ms})
    start = await client.send("attempt_start", practice_id=practice("one"))
    said = await client.send(
        "attempt_message", attempt_id=start["attempt_id"], chat_id=start["chat_id"], message="Count."
    )
    given = {
        "url": cluster.url,
        "token": cluster.token(learner),
        "chat_id": start["chat_id"],
        "room": f"attempt_{start['chat_id']}",
        "epoch": client.seen_last("connection_confirmed")["epoch"],
        "after": 0,
    }
    return given, said["assistant_message_id"]


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_connecting_again_and_again_never_fails(shared: Cluster, kind: str) -> None:
    found = await run(
        "connects",
        url=shared.url,
        token=shared.token(new()),
        transports=TRANSPORTS[kind],
        times=CONNECTS,
    )
    assert len(found["lives"]) == CONNECTS
    for life in found["lives"]:
        assert life["errors"] == []
        assert life["closed"] == []
        assert life["transport"] == TRANSPORTS[kind][-1]
        assert life["left"]["success"] is True
    assert len({life["sid"].partition(".")[0] for life in found["lives"]}) == 2


async def test_upgrades_in_the_middle_of_a_stream_lose_nothing(shared: Cluster) -> None:
    learner = new()
    async with socket(shared.url, {"token": shared.token(learner)}) as client:
        given, _ = await talking(shared, client, learner, delay_ms=40)
        found = await run("upgrades", transports=["polling", "websocket"], lives=LIVES, **given)
    tail = Tail(given["room"])
    for life in found["lives"]:
        assert life["join"]["recovered"] is True
        assert (life["opened"], life["closed"]) == ("polling", "websocket")
        tail.take(recorded(life["seen"]))
    text = "".join(d["content"] for d in tail.named("attempt_progress"))
    assert "".join(WORDS).startswith(text)


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_python_clients_connect_by_every_transport(shared: Cluster, kind: str) -> None:
    for _ in range(5):
        auth = {"token": shared.token(new())}
        async with socket(shared.url, auth, transports=TRANSPORTS[kind]) as client:
            start = await client.send("attempt_start", practice_id=practice("one"))
            assert (await client.send("attempt_join", chat_id=start["chat_id"]))["offset"] >= 0


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_clients_of_a_killed_server_go_on_with_the_other(mortal: Cluster, kind: str) -> None:
    learner = new()
    async with mortal.each(learner) as (first, second):
        given, message_id = await talking(mortal, second, learner, delay_ms=10)
        await first.send("attempt_join", chat_id=given["chat_id"])
        async with script("follow", transports=TRANSPORTS[kind], **given) as running:
            others = [script("follow", transports=TRANSPORTS[kind], **given) for _ in range(2)]
            async with others[0] as another, others[1] as third:
                await second.until("attempt_progress", count=60)
                await mortal.kill("first")
                found = [await follower.result() for follower in (running, another, third)]
    for follower in found:
        client = recorded(follower["seen"])
        tail = Tail(given["room"])
        tail.take(client)
        assert tail.text(message_id) == "".join(WORDS)
        assert [join["recovered"] for join in follower["joins"]] == [True] * len(follower["joins"])
    with pytest.raises(socketio.exceptions.SocketIOError):
        await first.call("attempt_join", chat_id=given["chat_id"])
