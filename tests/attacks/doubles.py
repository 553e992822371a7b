"""The same event at once, by two connections of two nodes."""

import asyncio
from typing import Any

from server.engine.ids import new
from tests.attacks.node import Node, code_of
from tests.attacks.table import Attack
from tests.support.running import practice

TIMES = 5


async def on_two_nodes(node: Node) -> None:
    """Act once, and answer all alike."""
    assert node.other is not None
    profile = new()
    async with (
        node.client(profile) as here,
        node.other.client(profile) as there,
        node.client(profile) as again,
    ):
        clients = (here, there, again)
        for _ in range(TIMES):
            event: dict[str, Any] = {"practice_id": practice("one"), "client_event_id": new()}
            acks = await asyncio.gather(*(client.send("attempt_start", **event) for client in clients))
            assert len({ack["attempt_id"] for ack in acks}) == 1
            ids = {"attempt_id": acks[0]["attempt_id"], "chat_id": acks[0]["chat_id"]}
            said = {**ids, "message": "Once.", "client_event_id": new()}
            acks = await asyncio.gather(*(client.send("attempt_message", **said) for client in clients))
            assert len({ack["message_id"] for ack in acks}) == 1
            done = acks[0]["assistant_message_id"]
            await here.until("attempt_assistant_complete", message_id=done)
            chat = await node.cluster.store.chats.get(ids["chat_id"])
            assert chat is not None
            assert [m.content for m in chat.messages if m.role == "user"] == ["Once."]


async def with_other_payloads(node: Node) -> None:
    """One of two payloads under one id acts, the other is a conflict; without an id one of two acts too."""
    assert node.other is not None
    profile = new()
    slow = {"match": {"last_contains": "At once"}, "chunks": ["Well. "] * 20, "delay_ms": 50}
    await node.cluster.script(slow)  # so that a reply runs when the later one comes
    async with node.client(profile) as here, node.other.client(profile) as there:
        ack = await here.send("attempt_start", practice_id=practice("one"))
        ids = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
        for key in ({"client_event_id": new()}, {}):
            acks = await asyncio.gather(
                here.call("attempt_message", **ids, message="At once: one.", **key),
                there.call("attempt_message", **ids, message="At once: other.", **key),
            )
            assert sorted(ack["success"] for ack in acks) == [False, True]
            lost, won = sorted(acks, key=lambda ack: bool(ack["success"]))
            assert code_of(lost) == "conflict"
            await here.until("attempt_assistant_complete", message_id=won["assistant_message_id"])
        chat = await node.cluster.store.chats.get(ids["chat_id"])
        assert chat is not None
        assert len([m for m in chat.messages if m.role == "user"]) == 2
    await node.cluster.script()


ATTACKS = [Attack(run=on_two_nodes), Attack(run=with_other_payloads)]
