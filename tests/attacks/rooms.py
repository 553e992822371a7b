"""Rooms of others, rooms that are not there, watchers that act, and places that no log has."""

from typing import Any

import orjson

from schemas.envelope import Role
from server.engine.ids import new
from server.engine.packs import content_id
from tests.attacks.node import Node, call, code_of
from tests.attacks.table import Attack
from tests.support.attempts import Talk
from tests.support.clients import Socket

Data = dict[str, Any]
AFTER: tuple[object, ...] = (2**63, -(2**63), 2**53 + 1, 10**30, 1.5, "1", "", True, [], [1], {}, {"$gt": 0})
OUTSIDERS: tuple[tuple[Role, str], ...] = (
    ("learner", "default"), ("author", "elsewhere"), ("ops", "elsewhere"), ("admin", "elsewhere"),
)  # fmt: skip
STAFF: tuple[Role, ...] = ("ops", "author", "admin")
EPOCHS: tuple[object, ...] = ("1; drop", 1, True, [], {}, "e" * 65)
SPEEDS: tuple[object, ...] = (-1, "1", None, [], 10**30)
NO_ROOMS = (
    "*", "attempt", "attempt_", "attempt_*", "attempt_..", "attempt_%2a", "attempt_\0", "attempt_None", "_",
    "ops:default", "ops:", "ops_default", "ops:elsewhere", "OPS", "entries", "sessions", "$cmd",
    "system.users", "guest_", "profile_", "test_", "generation_", "a" * 64,
)  # fmt: skip


def strip(error: Data, *ids: str) -> bytes:
    """Return a refusal without the ids that were asked for."""
    text = orjson.dumps(error).decode()
    for given in ids:
        text = text.replace(given, "…")
    return text.encode()


async def foreign(node: Node) -> None:
    """To who may not follow it, a room that exists is answered exactly as one that does not."""
    async with node.victim() as talk:
        victims = (talk.room, f"profile_{node.victim_id}")
        for role, org in OUTSIDERS:
            async with node.client(role=role, org=org) as thief:
                await _refused(thief, talk)
                for room in (*victims, "ops") if role == "learner" else victims:
                    guess = f"{room.partition('_')[0]}_{new()}"
                    for event in ("room_join", "room_replay"):
                        told = [await thief.call(event, room=name, speed=0) for name in (room, guess)]
                        assert {code_of(ack) for ack in told} == {"not_found"}, (role, event, room)
                        assert strip(told[0]["error"], room) == strip(told[1]["error"], guess)
                assert thief.names(talk.room) == []
            token = node.token(role=role, org=org)
            for path in ("rooms/{}/entries", "rooms/{}"):
                both = [await get(node, path.format(name), token) for name in (talk.room, f"attempt_{new()}")]
                assert both[0][0] == 404, (role, path)
                assert both[0] == both[1]
            for path, key in (("chats", talk.chat_id), ("attempts", talk.attempt_id)):
                both = [await get(node, f"{path}/{name}", token) for name in (key, new())]
                assert both[0][0] == 404, (role, path)
                assert both[0] == both[1]


async def _refused(thief: Socket, talk: Talk) -> None:
    """Try every event that names a chat or an attempt, for the victim's and for one that does not exist."""
    events: dict[str, Data] = {
        "attempt_join": {}, "attempt_stop": {}, "attempt_message": {"message": "Mine!"}, "attempt_end": {},
        "attempt_end_all": {}, "attempt_next": {}, "attempt_grade": {},
        "attempt_use_previous": {"previous_chat_map": {new(): None}},
        "attempt_response_submit": {"question_id": new(), "option_ids": [new()]},
    }  # fmt: skip
    for event, more in events.items():
        guessed = {"attempt_id": new(), "chat_id": new()}
        mixed = {"attempt_id": new(), "chat_id": talk.chat_id}
        told = [await thief.call(event, **ids, **more) for ids in (talk.ids, guessed, mixed)]
        assert {code_of(ack) for ack in told} == {"not_found"}, (event, told)
        assert told[0]["error"] == told[1]["error"] == told[2]["error"]


async def get(node: Node, path: str, token: str) -> tuple[int, Data]:
    """Ask for something under /api/v1."""
    headers = {"Authorization": f"Bearer {token}"}
    async with node.http.get(f"{node.url}/api/v1/{path}", headers=headers) as response:
        return response.status, await response.json()


async def guessed(node: Node) -> None:
    wire, admin = await node.websocket(), await node.websocket(node.token(role="admin"))
    for by in (wire, admin):
        for name in NO_ROOMS:
            assert code_of(await call(by, "room_join", {"room": name})) in ("not_found", "bad_request"), name
            ack = await call(by, "room_leave", {"room": name})  # what nobody is in can be left
            assert ack["success"] or code_of(ack) == "bad_request", name
        for value in (None, 1, True, [], {}, {"$ne": None}, {"$regex": ".*"}, ["attempt_"]):
            assert code_of(await call(by, "room_join", {"room": value})) == "bad_request", value
        await by.close()


async def deleted(node: Node) -> None:
    """A chat that is gone is one that never was, to its owner too."""
    async with node.victim() as talk, node.client(role="ops") as watcher:
        await watcher.send("attempt_join", chat_id=talk.chat_id)
        store = node.cluster.store
        await store.chats._documents.delete_one({"_id": talk.chat_id})
        for client in (talk.client, watcher):
            for event in ("attempt_join", "room_join"):
                data = {"chat_id": talk.chat_id} if event == "attempt_join" else {"room": talk.room}
                assert code_of(await client.call(event, **data)) == "not_found"
        for event, more in (
            ("attempt_message", {"message": "Hello?"}),
            ("attempt_stop", {}),
            ("attempt_end", {}),
        ):
            assert code_of(await talk.client.call(event, **talk.ids, **more)) == "not_found", event
        assert (await get(node, f"rooms/{talk.room}/entries", node.token(node.victim_id)))[0] == 404
        assert (await talk.client.call("attempt_leave", chat_id=talk.chat_id))["success"]
        await store.attempts._documents.delete_one({"_id": talk.attempt_id})
        assert code_of(await talk.client.call("attempt_end_all", attempt_id=talk.attempt_id)) == "not_found"


async def watchers_that_act(node: Node) -> None:
    """Who follows somebody's chat can neither write nor stop nor end nor, as ops, grade."""
    async with node.victim() as talk:
        await talk.say()
        before = await said(talk)
        for role in STAFF:
            async with node.client(role=role) as watcher:
                await watcher.send("attempt_join", chat_id=talk.chat_id)
                tried: list[tuple[str, Data]] = [
                    ("attempt_message", {**talk.ids, "message": "I am the learner."}),
                    ("attempt_stop", {"chat_id": talk.chat_id}),
                    ("attempt_end", talk.ids),
                    ("attempt_end_all", {"attempt_id": talk.attempt_id}),
                    ("attempt_next", {"attempt_id": talk.attempt_id}),
                ]
                if role == "ops":
                    tried.append(("attempt_grade", talk.ids))
                    tried.append(("test_start", {"benchmark_id": content_id("lesson", "benchmark", "desk")}))
                for event, data in tried:
                    assert code_of(await watcher.call(event, **data)) == "forbidden", (role, event)
        assert await said(talk) == before
        assert (await talk.say("Still here?"))["content"]


async def said(talk: Talk) -> tuple[Data, list[Data]]:
    """Return what a chat is, and what was said in it."""
    snapshot = await talk.snapshot()
    return snapshot["chat"], snapshot["messages"]


async def places(node: Node) -> None:
    """A place is a number of the log; another epoch, or what is not in the log yet, gets a snapshot."""
    async with node.victim() as talk:
        await talk.say()
        join = await talk.client.send("attempt_join", chat_id=talk.chat_id)
        async with node.client(role="ops") as watcher:
            for after in AFTER:
                for event, data in (
                    ("attempt_join", {"chat_id": talk.chat_id}),
                    ("room_join", {"room": talk.room}),
                ):
                    assert code_of(await watcher.call(event, **data, after=after)) == "bad_request", after
            for value in EPOCHS:
                ack = await watcher.call("attempt_join", chat_id=talk.chat_id, after=0, epoch=value)
                if ack["success"]:
                    assert (ack["recovered"], ack["offset"]) == (False, join["offset"]), value
                    await watcher.send("attempt_leave", chat_id=talk.chat_id)
                else:
                    assert code_of(ack) == "bad_request"
            for place in (
                {"after": -1},
                {"after": 0, "epoch": "another"},
                {"after": 2**53},
                {"after": join["offset"] + 1},
            ):
                ack = await watcher.send("attempt_join", chat_id=talk.chat_id, **place)
                assert (ack["recovered"], ack["epoch"], "snapshot" in ack) == (False, join["epoch"], True), (
                    place
                )
                await watcher.send("attempt_leave", chat_id=talk.chat_id)
            for start, end in ((-1, 1), (2**63, 1), ("1", 2), (1, "2"), (1.5, 2), (True, 2)):
                ack = await watcher.call(
                    "room_replay", **{"room": talk.room, "from": start, "to": end, "speed": 0}
                )
                assert code_of(ack) == "bad_request", (start, end)
            for speed in SPEEDS:
                ack = await watcher.call("room_replay", room=talk.room, speed=speed)
                assert code_of(ack) == "bad_request", speed
        for query in (
            "after=-1",
            "after=x",
            "after=1.5",
            f"after={2**63}",
            "limit=-1",
            "limit=x",
            "limit=99999999999",
        ):
            status, _ = await get(node, f"rooms/{talk.room}/entries?{query}", node.token(node.victim_id))
            assert status == 400, query


ATTACKS = [
    Attack(run=foreign),
    Attack(run=guessed),
    Attack(run=deleted),
    Attack(run=watchers_that_act),
    Attack(run=places),
]
