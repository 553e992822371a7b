"""python-socketio's client over each transport."""

from typing import Any

import pytest
import socketio
from socketio.exceptions import ConnectionError as Refused

from tests.conftest import Cast
from tests.support.running import Server, practice
from tests.support.tail import Tail

TRANSPORTS: dict[str, dict[str, Any]] = {
    "polling": {"transports": ["polling"]},
    "websocket": {"transports": ["websocket"]},
    "default": {"transports": None},
}
LAST = {"polling": "polling", "websocket": "websocket", "default": "websocket"}


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_an_attempt_from_start_to_grade(server: Server, cast: Cast, kind: str) -> None:
    learner = await cast.learner(**TRANSPORTS[kind])
    start = await learner.send("attempt_start", practice_id=practice("one"))
    chat = {"attempt_id": start["attempt_id"], "chat_id": start["chat_id"]}
    await learner.send("attempt_message", **chat, message="Hello!")
    await learner.until("attempt_assistant_complete")
    refused = await learner.call("attempt_stop", chat_id=chat["chat_id"])
    assert refused["error"]["code"] == "conflict"
    assert learner.seen[-1][0] == "attempt_stopped"
    end = await learner.send("attempt_end", **chat)
    assert (await learner.until("attempt_graded"))["grade_id"] == end["grade_id"]
    await learner.until("attempt_ended")
    assert learner.client.transport() == LAST[kind]
    tail = Tail(f"attempt_{chat['chat_id']}")
    tail.take(learner)
    assert tail.named("attempt_chat_ended")


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_bad_token_is_refused_with_a_reason(server: Server, kind: str) -> None:
    client = socketio.AsyncClient(reconnection=False)
    told: list[dict[str, Any]] = []
    client.on("connect_error", told.append)
    with pytest.raises(Refused):
        await client.connect(server.url, auth={"token": "nonsense"}, **TRANSPORTS[kind])
    await client.shutdown()
    assert "token" in told[0]["message"]
    assert told[0]["data"]["code"] == "unauthenticated"
