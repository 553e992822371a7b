"""kill -9 of the server: what was acknowledged is there once, what ran is closed or finished (core §11…)."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.attempt import Chat
from schemas.envelope import Id
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.support.clients import Socket, http_client, socket
from tests.support.process import ServerProcess
from tests.support.running import practice
from tests.support.tail import Tail

KILLS = 10
TAKEOVER_MS = 15_000  # once a server is there
WORDS = [f"{n} " for n in range(2000)]
A_LONG_REPLY = {"match": {"last_contains": "Count"}, "chunks": WORDS, "delay_ms": 10}
Model = tuple[ScriptedModel, str]


@dataclass
class Spoken:
    """A message that was sent: what is known of it, and what its sender saw of the chat."""

    attempt_id: Id
    chat_id: Id
    event_id: str
    text: str
    tail: Tail
    ack: dict[str, Any] = field(default_factory=dict)

    @property
    def payload(self) -> dict[str, str]:
        """Return what is sent, the same each time."""
        return {
            "attempt_id": self.attempt_id,
            "chat_id": self.chat_id,
            "message": self.text,
            "client_event_id": self.event_id,
        }


async def begin(client: Socket, key: str = "one") -> tuple[Id, Id]:
    ack = await client.send("attempt_start", practice_id=practice(key))
    return ack["attempt_id"], ack["chat_id"]


async def prepare(client: Socket, text: str) -> Spoken:
    """Start an attempt in whose chat a text is to be said."""
    attempt_id, chat_id = await begin(client)
    tail = Tail(f"attempt_{chat_id}")
    tail.epoch = client.seen_last("connection_confirmed")["epoch"]
    return Spoken(attempt_id, chat_id, new(), text, tail)


async def rejoin(client: Socket, tail: Tail) -> None:
    """Go on from the last entry that was seen: it has survived."""
    chat_id = tail.room.removeprefix("attempt_")
    ack = await client.send("attempt_join", chat_id=chat_id, after=tail.last, epoch=tail.epoch)
    assert ack["recovered"] is True
    assert ack["epoch"] == tail.epoch
    assert ack["offset"] >= tail.last


async def one_life(mortal: ServerProcess, token: str, rng: random.Random) -> tuple[Spoken, Spoken, float]:
    """Follow a reply and kill the server in the middle, with another message on its way."""
    async with socket(mortal.url, {"token": token}) as client:
        long, last = await prepare(client, "Count!"), await prepare(client, "Are you there?")
        long.ack = await client.send("attempt_message", **long.payload)
        await client.until("attempt_progress", count=rng.randint(1, 40))
        await client.client.emit("attempt_message", last.payload)
        if rng.random() < 0.7:
            await client.until("attempt_progress", count=len(client.named("attempt_progress")) + 1)
        killed_at = time.time() * 1000
        await mortal.kill()
        await client.client.wait()
        long.tail.take(client)
        last.tail.take(client)
    return long, last, killed_at


async def stored(mortal: ServerProcess, chat_id: Id) -> Chat:
    chat = await mortal.store.chats.get(chat_id)
    assert chat is not None
    return chat


@pytest.mark.timeout(300)
async def test_ten_kills_in_the_middle_of_replies(mortal: ServerProcess, model: Model) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    model[0].script([A_LONG_REPLY])
    token = mortal.token(new())
    cut: list[Spoken] = []
    unsure: list[Spoken] = []
    outages: list[tuple[float, float]] = []
    for _ in range(KILLS):
        long, last, killed_at = await one_life(mortal, token, rng)
        cut.append(long)
        unsure.append(last)
        await mortal.start()
        outages.append((killed_at, time.time() * 1000))
    async with socket(mortal.url, {"token": token}) as client:
        for spoken in cut + unsure:
            await rejoin(client, spoken.tail)
        for spoken in unsure:
            spoken.ack = await client.send("attempt_message", **spoken.payload)
        for spoken in cut:
            await client.until("attempt_error", chat_id=spoken.chat_id)
            spoken.tail.take(client)
            await check_interrupted(mortal, spoken, outages)
        for spoken in unsure:
            if not spoken.tail.named("attempt_assistant_complete"):  # it may have come before the kill
                await client.until("attempt_assistant_complete", chat_id=spoken.chat_id)
            spoken.tail.take(client)
            await check_said_once(mortal, spoken)


async def check_interrupted(
    mortal: ServerProcess, spoken: Spoken, outages: list[tuple[float, float]]
) -> None:
    """Check that a cut reply was closed in time with what its followers saw."""
    chat = await stored(mortal, spoken.chat_id)
    user, reply = chat.messages
    assert (user.id, reply.id) == (spoken.ack["message_id"], spoken.ack["assistant_message_id"])
    assert user.content == spoken.text
    assert reply.state == "interrupted"
    assert reply.content == spoken.tail.text(reply.id)
    assert "".join(WORDS).startswith(reply.content)
    assert reply.content
    assert chat.reply is None
    (complete,) = spoken.tail.named("attempt_assistant_complete")
    assert (complete["state"], complete["content"]) == ("interrupted", reply.content)
    (error,) = spoken.tail.named("attempt_error")
    assert (error["type"], error["code"], error["message_id"]) == ("send", "unavailable", reply.id)
    assert error["offset"] == complete["offset"] + 1
    ready = max(ready for killed, ready in outages if killed <= complete["at"])  # a kill may hit a takeover
    assert complete["at"] - ready < TAKEOVER_MS


async def check_said_once(mortal: ServerProcess, spoken: Spoken) -> None:
    chat = await stored(mortal, spoken.chat_id)
    assert [m.id for m in chat.messages] == [spoken.ack["message_id"], spoken.ack["assistant_message_id"]]
    assert chat.messages[0].content == spoken.text


async def test_grading_is_finished_by_the_next_process(mortal: ServerProcess, model: Model) -> None:
    judge = {"match": {"schema": "Verdict"}, "first_delay_ms": 60_000, "reply": "never"}
    model[0].script([judge])
    token = mortal.token(new())
    async with socket(mortal.url, {"token": token}) as client:
        spoken = await prepare(client, "Hello!")
        await client.send("attempt_message", **spoken.payload)
        await client.until("attempt_assistant_complete")
        end = await client.send("attempt_end", attempt_id=spoken.attempt_id, chat_id=spoken.chat_id)
        await client.until("attempt_grading_progress")
        await mortal.kill()
        await client.client.wait()
        spoken.tail.take(client)
    model[0].script([])
    await mortal.start()
    ready_at = time.time() * 1000
    async with socket(mortal.url, {"token": token}) as client:
        await rejoin(client, spoken.tail)
        ended = await client.until("attempt_chat_ended", chat_id=spoken.chat_id)
        spoken.tail.take(client)
        await client.until("attempt_ended", attempt_id=spoken.attempt_id)
    (graded,) = spoken.tail.named("attempt_graded")
    assert graded["grade_id"] == end["grade_id"] == ended["grade_id"]
    assert graded["at"] - ready_at < TAKEOVER_MS
    chat = await stored(mortal, spoken.chat_id)
    assert [g.grade_id for g in chat.grades] == [end["grade_id"]]
    assert chat.ended
    steps = [d["entry"]["type"] for d in spoken.tail.named("attempt_grading_progress")]
    assert steps == ["start", "start", "standard_graded", "standard_graded"]


async def test_an_ended_chat_proceeds_once_although_the_server_was_killed(mortal: ServerProcess) -> None:
    profile = new()
    token = mortal.token(profile)
    room = f"profile_{profile}"
    attempts: list[Id] = []
    for _ in range(3):
        async with socket(mortal.url, {"token": token}) as client:
            attempt_id, chat_id = await begin(client, "two")
            await client.send("attempt_end", attempt_id=attempt_id, chat_id=chat_id, grade=False)
            if attempts:  # once right after the ack, then right after the event
                await client.until("attempt_chat_ended", chat_id=chat_id)
            await mortal.kill()
            await client.client.wait()
            attempts.append(attempt_id)
        await mortal.start()
    async with socket(mortal.url, {"token": token}) as client:
        await client.send("room_leave", room=room)  # it was joined at its head when the client connected
        assert (await client.send("room_join", room=room, after=0))["recovered"] is True
        for attempt_id in attempts:
            await client.until("attempt_chat_started", count=2, attempt_id=attempt_id)
        whole = Tail(room)
        whole.take(client)
    started = [d["chat_id"] for d in whole.named("attempt_chat_started")]
    assert len(started) == len(set(started)) == 2 * len(attempts)
    for attempt_id in attempts:
        attempt = await mortal.store.attempts.get(attempt_id)
        assert attempt is not None
        assert [e.state for e in attempt.entries] == ["done", "open"]
        assert attempt.status == "open"


async def test_a_stream_goes_on_in_the_next_process(mortal: ServerProcess, model: Model) -> None:
    model[0].script([A_LONG_REPLY])
    async with http_client(mortal.url, token=mortal.token(new())) as learner:
        await learner.connect()
        ack = await learner.send("attempt_start", practice_id=practice("one"))
        chat = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
        said = await learner.send("attempt_message", **chat, message="Count!")
        await learner.until("attempt_progress", count=20)
        await mortal.kill()
        await learner.ended()
        await mortal.start()
        await learner.resume()
        assert learner.seen_last("connection_confirmed")["recovered"] is True
        early = await learner.call("attempt_message", **chat, message="Too early.")
        assert (early["error"]["code"], early["error"]["retryable"]) == ("conflict", True)
        await learner.until("attempt_error", code="unavailable")
        again = await learner.send("attempt_message", **chat, message="And now?")
        await learner.until("attempt_assistant_complete", message_id=again["assistant_message_id"])
        tail = Tail(f"attempt_{chat['chat_id']}")
        tail.take(learner)
    assert not learner.named("room_reset")
    complete = tail.named("attempt_assistant_complete")[0]
    assert (complete["state"], complete["message_id"]) == ("interrupted", said["assistant_message_id"])
    assert complete["content"] == tail.text(said["assistant_message_id"])
    messages = (await stored(mortal, chat["chat_id"])).messages
    assert [m.id for m in messages if m.role == "user"] == [said["message_id"], again["message_id"]]
