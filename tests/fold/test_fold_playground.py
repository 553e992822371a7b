"""A session's folded log equals what is stored, at its end and from any point on (core §9)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest

from schemas.envelope import Id, utc_now
from schemas.playground import ChatData, LlmParams, PlaygroundSession, SentMessage, SessionPatch
from schemas.retrieval import RetrievalParams
from schemas.stored import RunningReply
from server.engine.access import Identity
from server.engine.conversation.reply import ReplyEnd
from server.engine.ids import new
from server.engine.playground.chat import Said, SessionPlace
from server.rooms.entry import Entry, Sound
from server.rooms.folds import FOLDS, PLAYGROUND_EVENTS
from server.rooms.folds.fold import MAX_BYTES
from server.rooms.folds.playground import MAX_MESSAGES
from server.rooms.follower import Follower
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import check_splits, log_of, shown_by
from tests.support.playgrounds import CATS, HOURS, Session, join, pipeline
from tests.support.running import Server

SLOW: dict[str, Any] = {"chunks": ["One ", "two ", "three."], "delay_ms": 5, "hang": True}
NOTES = ("sources", "reasoning", "usage", "state")
FOLD = FOLDS["playground"]
Play = tuple[Server, Cast, Session]


def learner_of(cast: Cast) -> Identity:
    return Identity(kind="profile", id=cast.learner_id, role="learner")


def as_shown(session: PlaygroundSession) -> list[dict[str, Any]]:
    """Return the stored messages as a snapshot shows them."""
    return [
        {"id": m.id, "role": m.role, "content": m.content or "", "state": "complete"}
        | {note.type: orjson.loads(note.data) for note in m.annotations if note.type in NOTES}
        for m in session.chat_messages
    ]


async def check(play: Play) -> set[str]:
    """Check that the log, snapshots of it and the store agree; return the events' names."""
    server, cast, session = play
    await server.app[keys.HUB].log.flush()
    rows = await log_of(server.app[keys.STORE], session.room)
    stored = await server.app[keys.PLAYGROUND].session(learner_of(cast), session.pipeline_id)
    shown = shown_by(session.room, rows)
    assert shown["messages"] == as_shown(stored)
    assert shown["llm_params"] == stored.llm_params.model_dump(mode="json")
    assert shown["retrieval_params"] == stored.retrieval_params.model_dump(mode="json")
    running = shown.get("running", {}).get("message_id")
    assert running == (stored.reply.message_id if stored.reply else None)
    check_splits(session.room, rows)
    return {row.name for row in rows}


async def turns(play: Play) -> None:
    for text in ("When?", "And cats?", "Why?"):
        await play[2].say(text)
        await check(play)


async def stop(play: Play) -> None:
    server, _, session = play
    await server.script(SLOW)
    await session.send()
    await session.hears("three.")
    await check(play)
    await session.client.send("playground_stop", pipeline_id=session.pipeline_id)
    await server.script()
    await session.say()


async def failure(play: Play) -> None:
    server, _, session = play
    broken = {"match": {"last_contains": "break"}, "chunks": ["Half ", "of "], "break_after": 1}
    await server.script(broken, {"match": {"last_contains": "refuse"}, "status": 400})
    for text in ("break", "refuse"):
        await session.fails(text)
        await check(play)
    await session.say("And now?")


async def settings(play: Play) -> None:
    server, cast, session = play
    change = SessionPatch(
        llm_params=LlmParams(use_chain_of_thought_reasoning=True, temperature=None),
        retrieval_params=RetrievalParams(alpha=1.0),
    )
    await server.app[keys.PLAYGROUND].patch(learner_of(cast), session.pipeline_id, change)
    await server.script({"reply": "<thinking>Nine, it says.</thinking>At nine."})
    await session.say()


async def history(play: Play) -> None:
    server, cast, session = play
    await session.say()
    before = [SentMessage(role="user", content="Another?"), SentMessage(role="tool", content=None)]
    said = await server.app[keys.PLAYGROUND].say(
        learner_of(cast),
        session.pipeline_id,
        message="And so?",
        message_id=new(),
        reply_id=new(),
        history=before,
        data=ChatData(llm_parameters=LlmParams(model_name="GPT_4O")),
    )
    await session.client.until("playground_complete", message_id=said.assistant_message_id)


class Ending:
    """A sink that ends all answers in the tick in which sources come into the log."""

    size = 0

    def __init__(self, server: Server) -> None:
        self._server = server

    def write(self, entries: Sequence[Entry]) -> None:
        if any(entry.name == "playground_sources" for entry in entries):
            self._server.app[keys.PLAYGROUND].replies.interrupt_all()

    def sound(self, sound: Sound) -> None:
        """Take no sound."""

    def answer(self, event: str, data: bytes) -> None:
        """Take no notice."""

    def abort(self, reason: str) -> None:
        """Take no notice."""

    async def drained(self) -> None:
        """Return at once: nothing waits."""


async def ended_while_told(play: Play) -> None:
    server, cast, session = play
    hub = server.app[keys.HUB]
    follower = Follower(Ending(server), hub.wake)
    room = await hub.room(session.room)
    follower.follow(room, room.head)
    try:
        done = await session.say()
    finally:
        hub.forget(follower)
    assert (done["state"], done["content"]) == ("interrupted", "")
    stored = await server.app[keys.PLAYGROUND].session(learner_of(cast), session.pipeline_id)
    assert "sources" in {note.type for note in stored.chat_messages[-1].annotations}


PLAYS = [turns, stop, failure, settings, history, ended_while_told]


@pytest.mark.parametrize("plays", PLAYS, ids=lambda f: f.__name__)
async def test_the_log_adds_up_to_what_is_stored(
    server: Server, cast: Cast, plays: Callable[[Play], Awaitable[None]]
) -> None:
    pipeline_id = await pipeline(server, cast.author_id, HOURS, CATS)
    play = (server, cast, await join(await cast.learner(), pipeline_id))
    await plays(play)
    assert await check(play) <= PLAYGROUND_EVENTS


@pytest.mark.parametrize(("text", "end"), [("At nine.", "complete"), ("", "stopped"), ("", "failed")])
async def test_the_end_of_an_answer_says_what_the_session_is_then(
    server: Server, cast: Cast, text: str, end: ReplyEnd
) -> None:
    store = server.app[keys.STORE].playground
    pipeline_id = await pipeline(server, cast.author_id)
    session = await server.app[keys.PLAYGROUND].session(learner_of(cast), pipeline_id)
    running = RunningReply(message_id=new(), parent_message_id=new(), created_at=utc_now(), owner="me")
    place = SessionPlace(session, running, store=store, said=Said(sources=[]))
    closing = place.closing(text, None, end=end, failure=None)
    await store.change(session.id, when={}, update=closing.update, outbox=closing.events)
    stored = await store.get(session.id)
    assert stored is not None
    unequal = {"updated_at"}
    assert closing.after.model_dump(exclude=unequal) == stored.model_dump(exclude=unequal)


def said(number: int, content: str = "x") -> tuple[str, dict[str, Any]]:
    return "playground_complete", {"session_id": "s", "message_id": str(number), "content": content}


def folded(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    state = FOLD.initial()
    for name, data in events:
        FOLD.step(state, name, data)
    return FOLD.show(state)


def test_snapshots_are_bounded() -> None:
    shown = folded(*(said(n) for n in range(3 * MAX_MESSAGES)))
    assert [m["id"] for m in shown["messages"]] == [str(n) for n in range(2 * MAX_MESSAGES, 3 * MAX_MESSAGES)]
    assert shown["more"] is True
    large = folded(*(said(n, "x" * (MAX_BYTES // 2)) for n in range(3)))
    assert [m["id"] for m in large["messages"]] == ["2"]
    assert large["more"] is True
    assert "more" not in folded(said(1))


def test_nothing_is_folded_after_a_session_is_forgotten() -> None:
    key: Id = new()
    begun = ("playground_user_complete", {"message_id": "u", "content": "?", "assistant_message_id": key})
    part = ("playground_progress", {"message_id": key, "content": "late"})
    shown = folded(begun, part, ("playground_forgotten", {"session_id": "s"}), part, said(1))
    assert (shown["forgotten"], shown["messages"], "running" in shown) == (True, [], False)


def test_parts_of_another_answer_are_not_taken() -> None:
    begun = ("playground_user_complete", {"message_id": "u", "content": "?", "assistant_message_id": "a"})
    other = [
        (name, {"message_id": "b", "content": "x"}) for name in ("playground_progress", "playground_error")
    ]
    assert folded(begun, *other)["running"] == {"message_id": "a", "text": ""}
