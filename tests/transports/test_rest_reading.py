"""Attempts, chats, messages and grades over HTTP: for their owner and organisation, for nobody else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.envelope import Role
from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import begin
from tests.support.clients import Socket
from tests.support.rest import People, Rest
from tests.support.running import Server, practice

LISTS = ("attempts", "chats", "messages", "grades")


class Story:
    """A graded first chat of an attempt, and an open second one with one turn."""

    def __init__(self, learner: Socket, profile: str) -> None:
        self.learner = learner
        self.profile = profile
        self.attempt_id = ""
        self.chats: list[str] = []
        self.grade_id = ""
        self.message_id = ""

    async def live(self) -> "Story":
        """Play it."""
        ack = await self.learner.send("attempt_start", practice_id=practice("two"))
        self.attempt_id, chat_id = ack["attempt_id"], ack["chat_id"]
        self.message_id = await self.say(chat_id, "What do you know about loops?")
        end = await self.learner.send("attempt_end", attempt_id=self.attempt_id, chat_id=chat_id)
        self.grade_id = end["grade_id"]
        following = await self.learner.until("attempt_chat_started", count=2)
        self.chats = [chat_id, following["chat_id"]]
        await self.say(self.chats[1], "And again?")
        return self

    async def say(self, chat_id: str, text: str) -> str:
        """Have one turn and return the id of what was said."""
        ack = await self.learner.send(
            "attempt_message", attempt_id=self.attempt_id, chat_id=chat_id, message=text
        )
        await self.learner.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])
        message_id: str = ack["message_id"]
        return message_id

    @property
    def addresses(self) -> list[str]:
        """Return where it can be read."""
        return [
            f"attempts/{self.attempt_id}",
            *(f"chats/{c}" for c in self.chats),
            f"messages/{self.message_id}",
            f"grades/{self.grade_id}",
        ]


async def story(cast: Cast) -> Story:
    return await Story(await cast.learner(), cast.learner_id).live()


async def test_the_owner_reads_everything_back(server: Server, cast: Cast, people: People) -> None:
    told = await story(cast)
    learner = people.a("learner", profile=told.profile)
    attempt = await learner.get(f"attempts/{told.attempt_id}")
    assert (attempt["chat_ids"], attempt["status"]) == (told.chats, "open")
    assert attempt["room"] == f"profile_{told.profile}"
    assert attempt["offset"] == len(told.learner.named("attempt_started", room=attempt["room"])) + 2
    first, second = [await learner.get(f"chats/{c}") for c in told.chats]
    assert (first["status"], first["ended"], second["status"], second["ended"]) == (
        "closed",
        True,
        "open",
        False,
    )
    assert [m["content"] for m in second["messages"] if m["role"] == "user"] == ["And again?"]
    assert first["grades"][0]["grade_id"] == told.grade_id
    grade = await learner.get(f"grades/{told.grade_id}")
    assert {g["name"] for g in grade["groups"]} == {"Listening", "Clarity"}
    assert {"strengths", "improvements", "analyses", "score", "percentage", "passed"} <= set(grade)
    assert grade["chat_id"] == told.chats[0]
    message = await learner.get(f"messages/{told.message_id}")
    assert (message["content"], message["chat_id"]) == ("What do you know about loops?", told.chats[0])


async def test_lists_and_their_filters(server: Server, cast: Cast, people: People) -> None:
    told = await story(cast)
    learner, author = people.a("learner", profile=told.profile), people.a("author")

    async def found(person: Rest, path: str) -> list[str]:
        return [i.get("id") or i["grade_id"] for i in (await person.get(path))["items"]]

    for person in (learner, author, people.a("ops")):
        assert await found(person, "attempts") == [told.attempt_id]
        assert await found(person, "chats") == told.chats[::-1]
        assert await found(person, "grades") == [told.grade_id]
        assert len(await found(person, "messages")) == 4
        assert await found(person, f"chats?profile_id={told.profile}") == told.chats[::-1]
        assert await found(person, f"attempts?profile_id={new()}") == []
        assert await found(person, f"chats?attempt_id={told.attempt_id}&limit=1") == told.chats[1:]
        assert len(await found(person, f"messages?chat_id={told.chats[1]}")) == 2
        assert len(await found(person, f"messages?attempt_id={told.attempt_id}")) == 4
        assert await found(person, f"grades?chat_id={told.chats[1]}") == []
        for query in (f"chats?attempt_id={new()}", f"messages?chat_id={new()}", "grades?chat_id=1"):
            assert await person.refused(query, status=404) == "not_found"


async def test_messages_come_newest_first_and_each_once(server: Server, cast: Cast, people: People) -> None:
    told = await story(cast)
    learner = people.a("learner", profile=told.profile)
    whole = (await learner.get("messages"))["items"]
    assert [m["created_at"] for m in whole] == sorted((m["created_at"] for m in whole), reverse=True)
    assert await one_by_one(learner, "messages") == whole


async def test_messages_of_one_millisecond_stand_in_the_order_of_their_chat(
    server: Server, cast: Cast, people: People
) -> None:
    talk = await begin(await cast.learner())
    for count in range(12):
        await talk.say(f"Question {count}.")
    learner = people.a("learner", profile=cast.learner_id)
    said = [message["id"] for message in (await learner.get(f"chats/{talk.chat_id}"))["messages"]]
    assert len(said) == 24
    said.reverse()
    await server.app[keys.STORE].database.chats.update_one(
        {"_id": talk.chat_id}, {"$set": {"messages.$[].created_at": datetime(2026, 1, 1, tzinfo=UTC)}}
    )
    assert [message["id"] for message in (await learner.get("messages"))["items"]] == said
    assert [message["id"] for message in await one_by_one(learner, "messages")] == said


async def one_by_one(person: Rest, name: str) -> list[dict[str, Any]]:
    """Return a list that was read in pages of one."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await person.get(f"{name}?limit=1{f'&cursor={cursor}' if cursor else ''}")
        found += page["items"]
        cursor = page["next_cursor"]
    return found


async def test_others_see_nothing_and_cannot_tell(server: Server, cast: Cast, people: People) -> None:
    told = await story(cast)
    guest = people.with_token(None)
    for person in (people.a("learner"), people.a("author", org="elsewhere"), people.a("ops", org="x"), guest):
        for name in LISTS:
            assert await person.get(name) == {"items": [], "next_cursor": None}
        for address in told.addresses:
            family = address.partition("/")[0]
            missing = await person.get(f"{family}/{new()}", status=404)
            assert await person.get(address, status=404) == missing
        assert await person.refused(f"messages?chat_id={told.chats[0]}", status=404) == "not_found"
        assert await person.refused(f"chats?attempt_id={told.attempt_id}", status=404) == "not_found"
    for address in (*told.addresses, *LISTS):
        assert await people.with_token("x").refused(address, status=401) == "unauthenticated"


@pytest.mark.parametrize("role", ["author", "ops", "admin"])
async def test_the_organisation_reads_what_learners_read(
    server: Server, cast: Cast, people: People, role: Role
) -> None:
    told = await story(cast)
    learner, other = people.a("learner", profile=told.profile), people.a(role)
    for address in told.addresses:
        text = (await other.ask("GET", address, status=200)).decode()
        assert "SECRET" not in text
        theirs, own = await other.get(address), await learner.get(address)
        for row in (theirs, own):
            row.pop("timer", None)
        assert theirs == own


async def test_a_guest_reads_its_own(server: Server, people: People) -> None:
    guest = people.with_token(None)
    guest.headers["X-Guest-Id"] = guest.profile
    answer = await guest.start(practice("one"))
    assert [a["id"] for a in (await guest.get("attempts"))["items"]] == [answer["attempt_id"]]
    assert (await guest.get(f"chats/{answer['chat_id']}"))["owner"] == {"kind": "guest", "id": guest.profile}
    assert await people.with_token(None).refused(f"chats/{answer['chat_id']}", status=404) == "not_found"


async def test_a_chat_and_its_offset_never_disagree(server: Server, cast: Cast, people: People) -> None:
    """What is read in mid-reply and the entries after its offset together are what was said."""
    await server.script({"chunk_text": "word ", "chunks_count": 120, "delay_ms": 5})
    learner = await cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    chat_id = ack["chat_id"]
    sent = await learner.send(
        "attempt_message", attempt_id=ack["attempt_id"], chat_id=chat_id, message="Go on."
    )
    rest = people.a("learner", profile=cast.learner_id)
    await learner.until("attempt_progress", chat_id=chat_id)
    rows = [await rest.get(f"chats/{chat_id}") for _ in range(12)]
    done = await learner.until("attempt_assistant_complete", chat_id=chat_id)
    deltas = learner.named("attempt_progress", chat_id=chat_id)
    running = [row for row in rows if row["running"]]
    assert running
    for row in running:
        assert row["running"]["message_id"] == sent["assistant_message_id"]
        later = "".join(d["content"] for d in deltas if d["offset"] > row["offset"])
        assert row["running"]["text"] + later == done["content"]
    listed = (await rest.get("chats"))["items"][0]
    whole = await rest.get(f"chats/{chat_id}")
    assert {k: v for k, v in whole.items() if k in listed and k != "timer"} == {
        k: v for k, v in listed.items() if k != "timer"
    }
    assert whole["offset"] == learner.named("attempt_assistant_complete")[0]["offset"]
