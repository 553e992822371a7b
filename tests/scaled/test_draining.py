"""One of two servers behind a port is stopped: it gets nobody new, and who it has stays to the end."""

from contextlib import AsyncExitStack

from server.engine.ids import new
from tests.scaled.cluster import Cluster
from tests.support.clients import socket
from tests.support.running import practice
from tests.support.tail import Tail
from tests.support.wires import Wire, wire

LONGEST = 25.0
SOON = 12.0  # on a machine that stalls; what runs has 15 s
TRIES = 100
WORDS = [f"{n} " for n in range(240)]
COUNT = {"chunks": WORDS, "delay_ms": 25}


async def polling_at(stack: AsyncExitStack, cluster: Cluster, name: str) -> Wire:
    """Connect a client that polls, by trying until the kernel has chosen a server."""
    for _ in range(TRIES):
        token = cluster.token(new())
        client = await stack.enter_async_context(wire(cluster.url, token, "polling", fresh=True))
        if client.sid.startswith(f"{name}-"):
            return client
    raise AssertionError(f"{TRIES} connections, none at {name}")


async def test_new_connections_go_to_the_other_and_old_ones_stay(mortal: Cluster) -> None:
    await mortal.script(COUNT)
    async with AsyncExitStack() as stack:
        client = await polling_at(stack, mortal, "first")
        ack = await client.send("attempt_start", practice_id=practice("one"))
        talk = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
        said = await client.send("attempt_message", **talk, message="Count.")
        mortal["first"].interrupt()
        await client.until("server_draining")
        for _ in range(10):
            async with socket(mortal.url, {"token": mortal.token(new())}) as newcomer:
                assert mortal.server_of(newcomer) == "second"
        refused = await client.call("attempt_message", **talk, message="Again.")
        assert refused["error"]["code"] == "unavailable"
        done = await client.until("attempt_assistant_complete", message_id=said["assistant_message_id"])
        assert (done["state"], done["content"]) == ("complete", "".join(WORDS))
        Tail(f"attempt_{talk['chat_id']}").take(client)
        await client.reading
        assert client.packets[-1] == "1"
        assert await mortal["first"].ended(LONGEST) == 0
    await mortal.stop("first")


async def test_a_worker_that_is_stopped_is_gone_at_once(mortal: Cluster) -> None:
    mortal["third"].interrupt()
    assert await mortal["third"].ended(SOON) == 0
    await mortal.stop("third")
