"""npm's socket.io-client, unmodified, against the server."""

import random
from typing import Any

import pytest

from server.transports import keys
from tests.clients.node import run, script
from tests.conftest import Cast
from tests.support.clients import Recorder
from tests.support.proxy import proxy
from tests.support.running import Server, practice
from tests.support.tail import Tail

CUTS = 5
LIVES = 6
WORDS = [f"{n} " for n in range(400)]
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "default": ["polling", "websocket"]}


def recorded(seen: list[dict[str, Any]]) -> Recorder:
    """Return what a script has seen; every event came with one argument."""
    recorder = Recorder()
    for event in seen:
        assert event["extra"] == 0
        recorder.record(event["name"], event["data"])
    return recorder


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_an_attempt_from_start_to_grade(server: Server, cast: Cast, kind: str) -> None:
    found = await run(
        "attempt",
        url=server.url,
        token=server.token(cast.learner_id),
        transports=TRANSPORTS[kind],
        practice_id=practice("one"),
    )
    client = recorded(found["seen"])
    assert client.names()[0] == "connection_confirmed"
    assert found["confirmed"]["profile_id"] == cast.learner_id
    assert found["opened"] == TRANSPORTS[kind][0] or kind == "default"
    assert found["closed"] == TRANSPORTS[kind][-1]
    for name in ("start", "message", "path", "join", "end"):
        assert found[name]["success"], found[name]
    assert (found["stop"]["success"], found["stop"]["error"]["code"]) == (False, "conflict")
    assert found["wrong"]["error"]["code"] == "bad_request"
    assert found["wrong"]["error"]["details"][0]["loc"] == ["message"]
    assert found["unknown"]["error"]["code"] == "not_found"
    chat_id = found["start"]["chat_id"]
    check_entries(client, f"attempt_{chat_id}", found["join"]["offset"])
    assert client.named("attempt_graded")[0]["grade_id"] == found["end"]["grade_id"]
    stored = await server.app[keys.STORE].chats.get(chat_id)
    assert stored is not None
    assert [g.grade_id for g in stored.grades] == [found["end"]["grade_id"]]
    assert stored.messages[0].content == "What is a loop? Ünïcödé ✓"


def check_entries(client: Recorder, room: str, joined_at: int) -> None:
    """Check that the room came whole once, and again from the start after the client had left and joined."""
    offsets = [d["offset"] for _, d in client.seen if d.get("room") == room]
    again = offsets.index(1, 1)
    assert offsets[:again] == list(range(1, again + 1))
    assert offsets[again:] == list(range(1, len(offsets) - again + 1))
    assert joined_at == again


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_bad_token_is_refused_with_a_reason(server: Server, kind: str) -> None:
    refused = await run("refused", url=server.url, token="nonsense", transports=TRANSPORTS[kind])
    assert refused["connected"] is False
    assert "token" in refused["message"]
    assert refused["data"]["code"] == "unauthenticated"


async def talking(server: Server, cast: Cast, *, delay_ms: int = 10) -> tuple[dict[str, Any], str]:
    """Start a long reply; return what a script needs to follow it, and the id of the reply."""
    await server.script({"chunks": WORDS, "delay_ms": delay_ms})
    learner = await cast.learner()
    start = await learner.send("attempt_start", practice_id=practice("one"))
    said = await learner.send(
        "attempt_message", attempt_id=start["attempt_id"], chat_id=start["chat_id"], message="Count."
    )
    given = {
        "token": server.token(cast.learner_id),
        "chat_id": start["chat_id"],
        "room": f"attempt_{start['chat_id']}",
        "epoch": learner.seen_last("connection_confirmed")["epoch"],
        "after": 0,
    }
    return given, said["assistant_message_id"]


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_it_reconnects_and_goes_on_without_gap_or_duplicate(
    server: Server, cast: Cast, kind: str
) -> None:
    given, message_id = await talking(server, cast)
    rng = random.Random(13)
    async with (
        proxy(server.url) as through,
        script("follow", url=through.url, transports=TRANSPORTS[kind], **given) as running,
    ):
        for _ in range(CUTS):
            await through.cut_after(rng.randint(2_000, 6_000))
        found = await running.result()
    client = recorded(found["seen"])
    tail = Tail(given["room"])
    tail.take(client)
    assert tail.text(message_id) == "".join(WORDS)
    assert [j["recovered"] for j in found["joins"]] == [True] * len(found["joins"])
    assert len(found["joins"]) > CUTS // 2, found["reasons"]
    assert set(found["reasons"]) <= {"transport close", "transport error"}


async def test_upgrades_in_the_middle_of_a_stream_lose_nothing(server: Server, cast: Cast) -> None:
    given, _ = await talking(server, cast, delay_ms=40)
    found = await run("upgrades", url=server.url, transports=["polling", "websocket"], lives=LIVES, **given)
    tail = Tail(given["room"])
    for life in found["lives"]:
        assert life["join"]["recovered"] is True
        assert (life["opened"], life["closed"]) == ("polling", "websocket")
        tail.take(recorded(life["seen"]))
    text = "".join(d["content"] for d in tail.named("attempt_progress"))
    assert "".join(WORDS).startswith(text)
