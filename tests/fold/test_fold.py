"""Replay equals reality: the folded log equals the store for every event of an attempt (core §9)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.envelope import Id
from schemas.events import EXTRA_SERVER_EVENTS, SERVER_EVENTS
from server.rooms.folds import CHAT_EVENTS
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import check_chat, check_profile, log_of, shown_by
from tests.support.clients import Socket
from tests.support.grounded import PIPELINE, load_grounded
from tests.support.grounded import begin as begin_grounded
from tests.support.running import Server, practice
from tests.support.voice import LOUD, SILENT, PlainEngine

VERDICT = {"schema": "Verdict"}
SLOW: dict[str, Any] = {"chunks": ["One ", "two ", "three."], "delay_ms": 5, "hang": True}
TURN = {"attempt_user_start", "attempt_user_complete", "attempt_assistant_start"}
REPLY = {*TURN, "attempt_progress", "attempt_assistant_complete"}
GRADED = {"attempt_grading_progress", "attempt_content_progress", "attempt_graded", "attempt_chat_ended"}
BEGUN = {"attempt_started", "attempt_chat_started"}
PRIVATE = {"attempt_joined"}  # never an entry
SOUND = {"attempt_assistant_audio", "attempt_user_audio"}  # never entries either
VOICE = {"attempt_user_delta", "attempt_audio_ready", "attempt_audio_ended"}


@dataclass
class Play:
    """One learner at an attempt, and the rooms to look at in the end."""

    server: Server
    learner: Socket
    profile: Id
    attempts: list[Id]
    chats: list[Id]

    async def begin(self, key: str) -> dict[str, Id]:
        """Start an attempt; return the ids that other events want."""
        ack = await self.learner.send("attempt_start", practice_id=practice(key))
        self.attempts.append(ack["attempt_id"])
        if "chat_id" in ack:
            self.chats.append(ack["chat_id"])
        return {k: ack[k] for k in ("attempt_id", "chat_id") if k in ack}

    async def say(self, chat: dict[str, Id], text: str = "What now?", **more: Any) -> dict[str, Any]:
        """Say something and wait until the reply is over."""
        ack = await self.learner.send("attempt_message", **chat, message=text, **more)
        reply = {"message_id": ack["assistant_message_id"]}
        await self.learner.until("attempt_assistant_complete", **reply)
        return ack

    async def end(self, chat: dict[str, Id], **more: Any) -> None:
        """End a chat and wait until that is done."""
        await self.learner.send("attempt_end", **chat, **more)
        await self.learner.until("attempt_chat_ended", chat_id=chat["chat_id"])

    async def names(self) -> set[str]:
        """Check every room against the store and return the events that were in them."""
        store = self.server.app[keys.STORE]
        await self.server.app[keys.HUB].log.flush()
        seen: set[str] = set()
        for chat_id in self.chats:
            seen |= await check_chat(store, chat_id)
        return seen | await check_profile(store, f"profile_{self.profile}", self.attempts)


async def turns(play: Play) -> None:
    chat = await play.begin("one")
    for text in ("What is it?", "And then?", "Why?"):
        await play.say(chat, text)


async def tree(play: Play) -> None:
    chat = await play.begin("one")
    first = await play.say(chat, "What is it?")
    await play.say(chat, "And then?")
    await play.say(chat, "Or so?", parent_message_id=first["assistant_message_id"])
    await play.say(chat, "Or that?", parent_message_id=first["assistant_message_id"])
    await play.say(chat, "And now?")
    await play.say(chat, "Again?", parent_message_id=first["message_id"])


async def stop(play: Play) -> None:
    await play.server.script(SLOW)
    chat = await play.begin("one")
    await play.learner.send("attempt_message", **chat, message="Count.")
    await play.learner.until("attempt_progress")
    await play.names()
    assert (await play.learner.send("attempt_stop", chat_id=chat["chat_id"]))["success"]
    await play.learner.until("attempt_stopped", success=True)
    await play.server.script()
    await play.say(chat)


async def failure(play: Play) -> None:
    broken = {"match": {"last_contains": "break"}, "chunks": ["Half ", "of "], "break_after": 1}
    refused = {"match": {"last_contains": "refuse"}, "status": 400}
    await play.server.script(broken, refused)
    chat = await play.begin("one")
    for count, text in enumerate(("break", "refuse"), start=1):
        await play.learner.send("attempt_message", **chat, message=text)
        await play.learner.until("attempt_error", count=count, type="send")
        await play.names()
    await play.say(chat)


async def hints(play: Play) -> None:
    await play.server.script(
        {"match": {"schema": "HintsDraft"}, "json": {"hints": ["Ask why.", "Listen first."]}}
    )
    chat = await play.begin("hinted")
    for count in (1, 2):
        await play.say(chat)
        await play.learner.until("attempt_hint_progress", count=count)


async def quiz(play: Play) -> None:
    chat_id = (await play.begin("quiz"))["chat_id"]
    stored = await play.server.app[keys.STORE].chats.get(chat_id)
    assert stored is not None
    one, many = stored.scenario.questions
    for question, texts in ((one, {"A line"}), (one, {"A loop"}), (many, {"for", "while"})):
        await play.learner.send(
            "attempt_response_submit",
            chat_id=chat_id,
            question_id=question.id,
            option_ids=[o.id for o in question.options if o.text in texts],
        )
    await play.learner.until("attempt_response_result", count=3)


async def graded(play: Play) -> None:
    chat = await play.begin("one")
    await play.say(chat)
    await play.end(chat)
    again = await play.learner.send("attempt_grade", **chat)
    await play.learner.until("attempt_graded", grade_id=again["grade_ids"][0])
    fewer = await play.learner.send("attempt_grade", **chat, resource_types=["feedbacks"])
    await play.learner.until("attempt_graded", grade_id=fewer["grade_ids"][0])


async def grading_fails(play: Play) -> None:
    chat = await play.begin("one")
    await play.say(chat)
    await play.server.script({"match": VERDICT, "status": 400})
    await play.end(chat)
    assert play.learner.named("attempt_error", type="grade")
    await play.server.script()
    again = await play.learner.send("attempt_grade", **chat)
    await play.learner.until("attempt_graded", grade_id=again["grade_ids"][0])


async def grading_runs(play: Play) -> None:
    chat = await play.begin("one")
    await play.say(chat)
    await play.server.script({"match": VERDICT, "first_delay_ms": 1500})
    await play.learner.send("attempt_end", **chat)
    await play.learner.until("attempt_grading_progress")


async def use_previous(play: Play) -> None:
    first = await play.begin("lobby-only")
    chat_id = (await play.learner.send("attempt_next", **first))["chat_id"]
    play.chats.append(chat_id)
    chat = {**first, "chat_id": chat_id}
    await play.say(chat)
    await play.end(chat)
    second = await play.begin("lobby-first")
    waiting = await play.learner.until("attempt_started", attempt_id=second["attempt_id"])
    entry = waiting["chat_entry_id"]
    await play.learner.send("attempt_join", chat_id=chat_id)
    await play.learner.send("attempt_use_previous", **second, previous_chat_map={entry: chat_id})
    await play.learner.until("attempt_chat_ended", chat_id=chat_id, is_attempt_finished=False)
    opened = await play.learner.until("attempt_chat_started", attempt_id=second["attempt_id"])
    play.chats.append(opened["chat_id"])


async def end_all(play: Play) -> None:
    await play.server.script(SLOW | {"times": 1})
    chat = await play.begin("two")
    await play.learner.send("attempt_message", **chat, message="Count.")
    await play.learner.until("attempt_progress")
    await play.learner.send("attempt_end_all", attempt_id=chat["attempt_id"])
    await play.learner.until("attempt_ended")


async def overdue(play: Play) -> None:
    await play.begin("hurried")
    await play.learner.until("attempt_ended")


async def openings(play: Play) -> None:
    for count, key in enumerate(("opening", "improvised"), start=1):
        chat = await play.begin(key)
        await play.learner.until("attempt_assistant_complete", count=1, chat_id=chat["chat_id"])
        await play.say(chat)
        assert len(play.chats) == count


async def ungraded(play: Play) -> None:
    chat = await play.begin("two")
    await play.end(chat, grade=False)
    following = await play.learner.until("attempt_chat_started", count=2)
    play.chats.append(following["chat_id"])
    await play.end({**chat, "chat_id": following["chat_id"]})
    await play.learner.until("attempt_ended")


async def grounded(play: Play) -> None:
    """One reply with its sources, one that is stopped, and one whose pipeline is gone."""
    await load_grounded(play.server)
    await play.server.script({"match": {"last_contains": "Count"}, **SLOW}, {"reply": "In two weeks."})
    talk = await begin_grounded(play.learner)
    play.attempts.append(talk.attempt_id)
    play.chats.append(talk.chat_id)
    await talk.say("When are refunds paid?")
    await talk.send("Count the parcels.")
    await play.learner.until("attempt_sources", count=2)
    await play.learner.send("attempt_stop", chat_id=talk.chat_id)
    await play.server.app[keys.STORE].pipelines.delete(PIPELINE)
    await talk.say("When does the shop open?")
    assert [bool(t["sources"]) for t in play.learner.named("attempt_sources")] == [True, True, False]


async def spoken(play: Play) -> None:
    """What was said, nothing that was said, a reply that is cut off, and hints."""
    engine = PlainEngine(understands=["How are you?", "", "Wait."])
    voice = play.server.app[keys.VOICE]
    voice.make = lambda: engine
    await play.server.script({"match": {"last_contains": "How"}, "chunks": ["word "] * 100})
    chat = await play.begin("one")
    key = chat["chat_id"]
    await play.learner.send("attempt_audio_start", chat_id=key)
    await play.learner.until("attempt_audio_ready", chat_id=key)
    for frame in (LOUD, SILENT):
        await play.learner.send("attempt_audio_frame", chat_id=key, audio=frame)
    await play.learner.until("attempt_assistant_audio", count=3)
    engine.hint("Listen first.")
    await play.learner.until("attempt_hint_progress")
    await play.names()
    for frame in (LOUD, SILENT, LOUD, LOUD, SILENT):
        await play.learner.send("attempt_audio_frame", chat_id=key, audio=frame)
    await play.learner.until("attempt_user_complete", count=2)
    await play.learner.until("attempt_assistant_complete", count=2)
    await play.learner.send("attempt_audio_frame", chat_id=key, audio=LOUD)
    await play.learner.until("attempt_user_start", count=4)
    await play.names()
    await play.learner.send("attempt_audio_stop", chat_id=key)
    await play.learner.until("attempt_audio_ended", chat_id=key)
    voice.make = None


SCENES: dict[Callable[[Play], Awaitable[None]], set[str]] = {
    turns: BEGUN | REPLY,
    tree: REPLY,
    stop: {*REPLY, "attempt_stopped"},
    failure: {*REPLY, "attempt_error"},
    hints: {"attempt_hint_progress"},
    quiz: {"attempt_response_result"},
    graded: GRADED,
    grading_fails: {"attempt_error", "attempt_graded", "attempt_chat_ended"},
    grading_runs: {"attempt_grading_progress"},
    use_previous: GRADED,
    end_all: {"attempt_chat_ended", "attempt_ended"},
    overdue: {"attempt_chat_ended", "attempt_ended"},
    openings: REPLY,
    ungraded: {"attempt_chat_ended", "attempt_ended", "attempt_graded"},
    grounded: {*REPLY, "attempt_sources", "attempt_stopped"},
    spoken: {*REPLY, *VOICE, "attempt_stopped", "attempt_hint_progress"},
}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_log_folds_to_the_store(
    server: Server, cast: Cast, scene: Callable[[Play], Awaitable[None]]
) -> None:
    play = Play(server, await cast.learner(), cast.learner_id, [], [])
    await scene(play)
    assert SCENES[scene] <= await play.names()


def test_every_event_that_can_be_an_entry_is_covered() -> None:
    shown = set().union(*SCENES.values())
    events = (*SERVER_EVENTS, *EXTRA_SERVER_EVENTS)
    known = {name for name in events if name.startswith("attempt_")}
    assert shown == known - PRIVATE - SOUND
    assert shown >= CHAT_EVENTS


async def test_a_snapshot_in_the_middle_of_a_reply_is_the_log_up_to_there(server: Server, cast: Cast) -> None:
    await server.script({"chunks": [f"{n} " for n in range(400)], "delay_ms": 10})
    learner = await cast.learner()
    play = Play(server, learner, cast.learner_id, [], [])
    chat = await play.begin("one")
    await learner.send("attempt_message", **chat, message="Count.")
    hub, room, taken = server.app[keys.HUB], f"attempt_{chat['chat_id']}", []
    for count in range(1, 40, 3):
        await learner.until("attempt_progress", count=count)
        place = await hub.place(room, after=None, epoch=None)
        assert place.snapshot is not None
        taken.append((place.offset, place.snapshot))
    await learner.until("attempt_assistant_complete")
    rows = await log_of(server.app[keys.STORE], room)
    for offset, snapshot in taken:
        folded = shown_by(room, rows[:offset])
        assert {k: snapshot[k] for k in folded} == folded
        assert snapshot["running"]["text"]
