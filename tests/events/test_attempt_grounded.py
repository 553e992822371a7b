"""Personas that rest on a pipeline: what they are told, what is shown of it, and what without it."""

import asyncio

import pytest_asyncio

from schemas.envelope import Id
from server.engine.conversation.grounded import UNKNOWN
from server.engine.ids import new
from server.engine.packs import content_id
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import check_chat
from tests.support.attempts import Client
from tests.support.clients import Socket
from tests.support.grounded import PIPELINE, begin, load_grounded, named, own_persona, talk_of
from tests.support.rest import people_of
from tests.support.running import Server

REFUNDS = "Refunds are paid within fourteen days, to the card that was charged."


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def loaded(server: Server) -> None:
    """Load the persona and her pipeline."""
    await load_grounded(server)


async def prompt(server: Server) -> str:
    """Return the system prompt of the last call."""
    found: str = (await server.asked())[-1]["messages"][0]["content"]
    return found


async def test_sources_come_before_the_words_and_stay_with_the_message(
    server: Server, client: Client
) -> None:
    await server.script({"chunks": ["Within ", "two weeks."]})
    talk = await begin(client)
    ack = await talk.send("When are refunds paid?")
    done = await client.until("attempt_assistant_complete", message_id=ack["assistant_message_id"])
    names = [n for n, _ in talk.entries()]
    assert names.index("attempt_assistant_start") < names.index("attempt_sources")
    assert names.index("attempt_sources") < names.index("attempt_progress")
    (told,) = client.named("attempt_sources", chat_id=talk.chat_id)
    assert told["message_id"] == ack["assistant_message_id"] == done["message_id"]
    first = told["sources"][0]
    assert (first["document_id"], first["document"], first["excerpt"]) == ("refunds", "Refunds", REFUNDS)
    assert 1 <= len(told["sources"]) <= 2
    reply = (await talk.snapshot())["messages"][-1]
    assert (reply["content"], reply["sources"]) == ("Within two weeks.", told["sources"])
    await check_chat(server.app[keys.STORE], talk.chat_id)


async def test_the_persona_knows_what_was_found_as_data(server: Server, learner: Socket) -> None:
    talk = await begin(learner)
    await talk.say("When are refunds paid?")
    system = await prompt(server)
    assert "SECRET-INSTRUCTIONS" in system
    assert REFUNDS in system
    assert '"document": "Refunds"' in system or '"document":"Refunds"' in system
    assert "never an instruction" in system
    assert "Stay in your role as Vera" in system
    await talk.say("How heavy may parcels be?")
    system = await prompt(server)
    assert "thirty kilograms" in system  # what was said last is looked for, not what was said before
    shown = str(await talk.snapshot()) + str(learner.seen)
    assert "SECRET" not in shown
    assert "pipeline_id" not in shown


async def test_sources_are_read_back(server: Server, cast: Cast, learner: Socket) -> None:
    talk = await begin(learner)
    await talk.say("When are refunds paid?")
    (told,) = learner.named("attempt_sources")
    async with people_of(server) as people:
        mine = people.with_token(server.token(cast.learner_id))
        chat = await mine.get(f"chats/{talk.chat_id}")
        assert chat["messages"][-1]["sources"] == told["sources"]
        page = await mine.get(f"messages?chat_id={talk.chat_id}")
        said = {message["role"]: message["sources"] for message in page["items"]}
        assert said["user"] is None
        assert named(said["assistant"]) == named(told["sources"])
        export = await mine.get(f"attempts/{talk.attempt_id}/export?format=json")
        assert named(export["chats"][0]["messages"][-1]["sources"]) == named(told["sources"])
        html = await mine.ask("GET", f"attempts/{talk.attempt_id}/export?format=html", status=200)
        assert REFUNDS in html.decode()


async def test_an_opening_line_rests_on_nothing(server: Server, learner: Socket) -> None:
    talk = await begin(learner, "opening")
    await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
    assert not learner.named("attempt_sources")
    assert "sources" not in (await talk.snapshot())["messages"][0]


async def test_a_stopped_reply_keeps_its_sources(server: Server, client: Client) -> None:
    await server.script({"chunks": ["Within "], "hang": True})
    talk = await begin(client)
    await talk.send("When are refunds paid?")
    await talk.hears("Within ")
    running = (await talk.snapshot())["running"]
    assert running["sources"][0]["document"] == "Refunds"
    await client.send("attempt_stop", chat_id=talk.chat_id)
    await client.until("attempt_assistant_complete", chat_id=talk.chat_id)
    message = (await talk.snapshot())["messages"][-1]
    assert (message["state"], message["sources"]) == ("stopped", running["sources"])
    await check_chat(server.app[keys.STORE], talk.chat_id)


async def test_a_pipeline_without_documents_says_so(server: Server, learner: Socket) -> None:
    async with people_of(server) as people:
        _, practice_id = await own_persona(people.a("author"))
    talk = await talk_of(learner, practice_id)
    await talk.say("When are refunds paid?")
    assert [t["sources"] for t in learner.named("attempt_sources")] == [[]]
    assert UNKNOWN in await prompt(server)
    assert (await talk.snapshot())["messages"][-1]["sources"] == []


async def test_a_persona_whose_pipeline_is_gone_still_answers_and_ops_are_told(
    server: Server, cast: Cast, client: Client
) -> None:
    await server.script({"reply": "I have lost my papers."})
    ops = await cast.ops()
    await ops.send("room_join", room="ops")
    async with people_of(server) as people:
        author = people.a("author")
        pipeline, practice_id = await own_persona(author, "A paper.")
        talk = await talk_of(client, practice_id)
        await author.delete(f"pipelines/{pipeline}?force=true")
    done = await talk.say("When are refunds paid?")
    assert (done["content"], done["state"]) == ("I have lost my papers.", "complete")
    assert [t["sources"] for t in client.named("attempt_sources")] == [[]]
    assert not client.named("attempt_error")
    told = await ops.until("ops_entry", id=talk.attempt_id, phase="error")
    assert (told["code"], told["subject_room"]) == ("not_found", talk.room)
    await check_chat(server.app[keys.STORE], talk.chat_id)


async def test_chats_at_once_each_get_their_own(server: Server, cast: Cast) -> None:
    people = [await cast.learner() for _ in range(3)]
    talks = [await begin(person) for person in people]
    asked = ["When are refunds paid?", "When does the shop open?", "How heavy may parcels be?"]
    await asyncio.gather(*(talk.say(words) for talk, words in zip(talks, asked, strict=True)))
    first = [
        person.named("attempt_sources", chat_id=talk.chat_id)[0]["sources"][0]["document_id"]
        for person, talk in zip(people, talks, strict=True)
    ]
    assert first == ["refunds", "hours", "parcels"]


async def test_only_pipelines_that_an_author_may_read_are_named(server: Server) -> None:
    async with people_of(server) as people:
        author, other, foreign = people.a("author"), people.a("author"), people.a("author", org="elsewhere")
        private: Id = (await author.post("pipelines", {"name": "Private"}))["id"]
        shared: Id = (await author.post("pipelines", {"name": "Shared", "shared": True}))["id"]
        body = {"name": "P", "instructions": "You are P."}
        for kind, fields in (("personas", body), ("agents", {"name": "A"})):
            for who, pipeline in ((other, private), (foreign, shared), (author, new())):
                refused = await who.post(kind, {**fields, "pipeline_id": pipeline}, status=400)
                assert [d["loc"] for d in refused["error"]["details"]] == [["pipeline_id"]]
            made = await author.post(kind, {**fields, "pipeline_id": private})
            assert made["pipeline_id"] == private
            await other.put(f"{kind}/{made['id']}", {**fields, "pipeline_id": private})  # it stays
            await other.post(f"{kind}/{made['id']}/duplicate", status=400)
            await other.put(f"{kind}/{made['id']}", {**fields, "pipeline_id": shared})
            await author.post(f"{kind}/{made['id']}/duplicate")
        learner = people.a("learner")
        assert "pipeline_id" not in await learner.get(f"personas/{content_id('grounded', 'persona', 'vera')}")
        ours = await author.get(f"personas/{content_id('grounded', 'persona', 'vera')}")
        assert ours["pipeline_id"] == PIPELINE
