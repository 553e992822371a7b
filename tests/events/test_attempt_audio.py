"""Voice sessions in a chat: what is said becomes turns, replies are spoken, and it can be cut off."""

import asyncio
import base64
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from server.engine.ids import new
from server.engine.voice.session import READY_SECONDS
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Talk, begin
from tests.support.clients import Http, Socket
from tests.support.running import Server
from tests.support.voice import LOUD, SILENT, VOICED, PlainEngine


@asynccontextmanager
async def understanding(server: Server, *said: str) -> AsyncIterator[PlainEngine]:
    """Have voice sessions served by one engine, which understands what is said one after the other."""
    engine = PlainEngine(understands=list(said))
    serve(server, engine)
    yield engine
    serve(server, None)


def serve(server: Server, engine: PlainEngine | None, *, ready_seconds: float = READY_SECONDS) -> None:
    """Have the next voice session served by an engine, in whichever process."""
    assert server.apps
    for app in server.apps:
        voice = app[keys.VOICE]
        voice.make = None if engine is None else lambda: engine
        voice.ready_seconds = ready_seconds


async def ready(talk: Talk) -> None:
    """Begin a voice session, and wait until it is heard."""
    await talk.client.send("attempt_audio_start", chat_id=talk.chat_id)
    told = await talk.client.until("attempt_audio_ready", chat_id=talk.chat_id)
    assert told["success"], told


async def say(talk: Talk, frames: int = 3) -> None:
    """Say something: loud frames, then silence."""
    for frame in [LOUD] * frames + [SILENT]:
        await talk.client.send("attempt_audio_frame", chat_id=talk.chat_id, audio=frame)


def heard(socket: Socket, name: str = "attempt_assistant_audio") -> bytes:
    """Return all sound of a kind that a client was sent."""
    return b"".join(d["audio"] for d in socket.named(name))


async def test_what_is_said_is_answered_aloud(server: Server, learner: Socket) -> None:
    await server.script({"chunks": ["Good ", "morning ", "to you."]})
    async with understanding(server, "Hello out there"):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        start = await learner.until("attempt_user_start", chat_id=talk.chat_id)
        delta = await learner.until("attempt_user_delta", item_id=start["item_id"], count=3)
        assert delta["transcript"] == "Hello out there"
        user = await learner.until("attempt_user_complete", chat_id=talk.chat_id)
        assert (user["content"], user["message_id"], user["item_id"]) == (
            "Hello out there",
            start["message_id"],
            start["item_id"],
        )
        done = await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert (done["content"], done["state"]) == ("Good morning to you.", "complete")
        assert heard(learner) == VOICED * 4
        assert learner.named("attempt_user_audio") == []
        assert (user["audio"]["ms"], done["audio"]["ms"]) == (120, 160)
        kept = (await talk.snapshot())["messages"]
        assert [m["content"] for m in kept] == ["Hello out there", "Good morning to you."]
        assert kept[1]["parent_message_id"] == user["message_id"]
        await learner.send("attempt_audio_stop", chat_id=talk.chat_id)
        ended = await learner.until("attempt_audio_ended", chat_id=talk.chat_id)
        assert (ended["success"], ended["message"], ended["dropped_frames"]) == (True, "user_stopped", 0)


async def test_speaking_cuts_off_what_is_said_to_one(server: Server, learner: Socket) -> None:
    await server.script({"chunks": ["word "] * 200})
    async with understanding(server, "Tell me", "Stop that"):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        await learner.until("attempt_assistant_audio", count=3)
        await learner.send("attempt_audio_frame", chat_id=talk.chat_id, audio=LOUD)
        stopped = await learner.until("attempt_stopped", chat_id=talk.chat_id)
        assert stopped["success"]
        count = len(learner.named("attempt_assistant_audio"))
        done = learner.named("attempt_assistant_complete")[0]
        assert done["state"] == "stopped"
        await learner.send("attempt_audio_frame", chat_id=talk.chat_id, audio=SILENT)
        second = await learner.until("attempt_user_complete", count=2)
        assert second["content"] == "Stop that"
        assert second["parent_message_id"] == done["message_id"]
        assert count < 50
        await learner.send("attempt_stop", chat_id=talk.chat_id)


async def test_who_is_muted_is_not_heard(server: Server, learner: Socket) -> None:
    async with understanding(server, "Hello") as engine:
        talk = await begin(learner)
        await ready(talk)
        await learner.send("attempt_audio_mute", chat_id=talk.chat_id, muted=True)
        await say(talk)
        assert (engine.muted, engine.heard) == (True, 0)
        await learner.send("attempt_audio_mute", chat_id=talk.chat_id, muted=False)
        await say(talk)
        user = await learner.until("attempt_user_complete", chat_id=talk.chat_id)
        assert user["content"] == "Hello"


async def test_no_words_are_no_turn(server: Server, learner: Socket) -> None:
    async with understanding(server, "", "Hello"):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        await learner.when(lambda: any(d["transcript"] == "" for d in learner.named("attempt_user_delta")))
        assert "typing" not in await talk.snapshot()
        await say(talk)
        done = await learner.until("attempt_user_complete", chat_id=talk.chat_id)
        assert done["content"] == "Hello"


async def test_a_member_that_asked_for_it_hears_both(server: Server, cast: Cast, learner: Socket) -> None:
    await server.script({"chunks": ["Fine."]})
    author = await cast.author()
    other = await cast.author()
    async with understanding(server, "How are you", "And now"):
        talk = await begin(learner)
        await author.send("attempt_join", chat_id=talk.chat_id, audio=True)
        await other.send("attempt_join", chat_id=talk.chat_id)
        await ready(talk)
        await say(talk)
        for client in (author, other):
            await client.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert heard(author, "attempt_user_audio") == LOUD * 3 + SILENT
        assert heard(author) == VOICED
        assert heard(other) + heard(other, "attempt_user_audio") == b""
        sound = author.named("attempt_assistant_audio")[0]
        assert "offset" not in sound
        assert sound["room"] == talk.room
        await author.send("room_leave", room=talk.room)
        await author.send("room_join", room=talk.room)  # without it
        await say(talk)
        await author.until("attempt_assistant_complete", chat_id=talk.chat_id, count=2)
        assert heard(author, "attempt_user_audio") == LOUD * 3 + SILENT


async def test_a_session_ends_with_its_speakers_connection(server: Server, cast: Cast) -> None:
    watcher = await cast.author()
    async with understanding(server, "Hello") as engine:
        speaker = await cast.learner()
        talk = await begin(speaker)
        await watcher.send("attempt_join", chat_id=talk.chat_id)
        await ready(talk)
        await speaker.client.disconnect()
        ended = await watcher.until("attempt_audio_ended", chat_id=talk.chat_id)
        assert ended["success"]
        assert engine.closed


async def test_a_session_ends_with_its_chat(server: Server, learner: Socket) -> None:
    async with understanding(server, "Hello"):
        talk = await begin(learner)
        await ready(talk)
        await learner.send("attempt_end", **talk.ids, grade=False)
        ended = await learner.until("attempt_audio_ended", chat_id=talk.chat_id)
        assert ended["message"] == "The chat has ended."


async def test_a_newer_session_takes_the_place_of_the_older(server: Server, learner: Socket) -> None:
    async with understanding(server, "Hello", "Again"):
        talk = await begin(learner)
        await ready(talk)
        engine = PlainEngine(understands=["Again"])
        serve(server, engine)
        await learner.send("attempt_audio_start", chat_id=talk.chat_id)
        await learner.until("attempt_audio_ready", chat_id=talk.chat_id, count=2)
        await say(talk)
        user = await learner.until("attempt_user_complete", chat_id=talk.chat_id)
        assert user["content"] == "Again"
        assert learner.named("attempt_audio_ended") == []


async def test_of_many_that_begin_at_once_one_goes_on(server: Server, cast: Cast) -> None:
    first, second = await cast.learner(), await cast.learner()
    talk = await begin(first)
    engines: list[PlainEngine] = []

    def make() -> PlainEngine:
        engines.append(PlainEngine(understands=["Hello"]))
        return engines[-1]

    for app in server.apps:
        app[keys.VOICE].make = make
    both = (first, second) * 5
    await asyncio.gather(*(one.send("attempt_audio_start", chat_id=talk.chat_id) for one in both))
    async with asyncio.timeout(20):
        while sum(not engine.closed for engine in engines) > 1:
            await asyncio.sleep(0)
    serve(server, None)
    for one in both:  # one of them began it
        for frame in (LOUD, SILENT):
            await one.call("attempt_audio_frame", chat_id=talk.chat_id, audio=frame)
    said = await first.until("attempt_user_complete", chat_id=talk.chat_id)
    assert said["content"] == "Hello"
    assert len(engines) == len(both)


async def test_a_connection_is_not_heard_in_the_session_of_another(server: Server, cast: Cast) -> None:
    first, second = await cast.learner(), await cast.learner()
    async with understanding(server) as older:
        talk = await begin(first)
        await ready(talk)
        engine = PlainEngine(understands=[])
        serve(server, engine)
        await second.send("attempt_audio_start", chat_id=talk.chat_id)
        await first.until("attempt_audio_ready", chat_id=talk.chat_id, count=2)
        ack = await first.call("attempt_audio_frame", chat_id=talk.chat_id, audio=LOUD)
        assert ack["error"]["code"] == "conflict"
        assert older.heard == engine.heard == 0
        ack = await second.call("attempt_audio_frame", chat_id=talk.chat_id, audio=LOUD)
        assert ack["success"]


async def test_an_engine_that_does_not_open_is_told_of(server: Server, learner: Socket) -> None:
    never = asyncio.Event()
    async with understanding(server):
        serve(server, PlainEngine(understands=[], opens=never), ready_seconds=0.2)
        talk = await begin(learner)
        await learner.send("attempt_audio_start", chat_id=talk.chat_id)
        told = await learner.until("attempt_audio_ready", chat_id=talk.chat_id)
        assert not told["success"]
        assert "not ready" in told["message"]
        ack = await learner.call("attempt_audio_frame", chat_id=talk.chat_id, audio=LOUD)
        assert ack["error"]["code"] == "conflict"


async def test_trouble_is_told_and_fatal_trouble_ends_it(server: Server, learner: Socket) -> None:
    async with understanding(server) as engine:
        talk = await begin(learner)
        await ready(talk)
        engine.trouble("It rustles.")
        told = await learner.until("attempt_error", chat_id=talk.chat_id)
        assert (told["type"], told["message"], told["code"]) == ("audio", "It rustles.", "upstream")
        engine.trouble("It broke.", fatal=True)
        ended = await learner.until("attempt_audio_ended", chat_id=talk.chat_id)
        assert (ended["success"], ended["message"]) == (False, "It broke.")


async def test_hints_of_an_engine_are_kept(server: Server, learner: Socket) -> None:
    async with understanding(server) as engine:
        talk = await begin(learner)
        await ready(talk)
        engine.hint("Ask how she is.")
        await learner.until("attempt_hint_progress", chat_id=talk.chat_id)
        (shown,) = (await talk.snapshot())["hints"]
        assert (shown["hint"], shown["idx"]) == ("Ask how she is.", 0)


async def test_a_flood_of_frames_is_dropped_and_nobody_is_cut(server: Server, learner: Socket) -> None:
    async with understanding(server, "Hello") as engine:
        talk = await begin(learner)
        await ready(talk)
        for _ in range(1200):
            await learner.client.emit("attempt_audio_frame", {"chat_id": talk.chat_id, "audio": SILENT})
        await learner.send("attempt_audio_stop", chat_id=talk.chat_id)
        ended = await learner.until("attempt_audio_ended", chat_id=talk.chat_id)
        assert 0 < engine.heard < 1200 * len(SILENT)
        assert ended["success"]
        assert ended["dropped_frames"] > 0
        assert learner.client.connected


async def test_recordings_are_played_back_whole_and_in_parts(
    server: Server, cast: Cast, learner: Socket
) -> None:
    await server.script({"chunks": ["Good morning."]})
    async with understanding(server, "Hello"):
        talk = await begin(learner)
        await ready(talk)
        await say(talk)
        user = await learner.until("attempt_user_complete", chat_id=talk.chat_id)
        done = await learner.until("attempt_assistant_complete", chat_id=talk.chat_id)
    mine = server.token(cast.learner_id)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {mine}"}) as http:
        at = f"{server.url}/api/v1/messages/{user['message_id']}/audio"
        whole = await stored(http, at)
        with wave.open(io.BytesIO(whole)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
            assert file.readframes(10**9) == LOUD * 3
        async with http.get(at, headers={"Range": "bytes=44-47"}) as part:
            assert (part.status, await part.read()) == (206, LOUD[:4])
            assert part.headers["Content-Range"] == f"bytes 44-47/{len(whole)}"
        async with http.get(at, headers={"Range": "bytes=-4"}) as part:
            assert (part.status, await part.read()) == (206, LOUD[-4:])
        async with http.get(at, headers={"Range": f"bytes={len(whole)}-"}) as part:
            assert (part.status, part.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
        async with http.get(at, headers={"Range": "bytes=0-1,4-5"}) as part:
            assert (part.status, await part.read()) == (200, whole)
        async with http.head(at) as head:
            assert (head.status, head.content_length) == (200, len(whole))
            tag = head.headers["ETag"]
        async with http.get(at, headers={"If-None-Match": tag}) as same:
            assert same.status == 304
        async with http.get(at, headers={"Range": "bytes=44-47", "If-Range": '"other"'}) as part:
            assert part.status == 200
        spoken = await stored(http, f"{server.url}/api/v1/messages/{done['message_id']}/audio")
        assert spoken[44:] == VOICED * 2
    other = server.token(new())
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {other}"}) as http,
        http.get(at) as refused,
    ):
        assert refused.status == 404


async def stored(http: aiohttp.ClientSession, at: str) -> bytes:
    """Return a recording, which is stored a moment after its message."""
    while True:
        async with http.get(at) as answer:
            if answer.status == 200:
                return await answer.read()
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")


async def test_over_http_the_body_of_a_frame_is_its_sound(server: Server, cast: Cast) -> None:
    await server.script({"chunks": ["Fine."]})
    async with understanding(server, "Hello"):
        client = await cast.over("http")
        assert isinstance(client, Http)
        talk = await begin(client)
        await ready(talk)
        at = f"{client.url}/socket/v5/client/attempt/audio_frame?chat_id={talk.chat_id}"
        async with aiohttp.ClientSession(headers=client.headers) as http:
            for frame in (LOUD, LOUD, SILENT):
                async with http.post(at, data=frame) as answer:
                    assert (answer.status, await answer.json()) == (200, {"success": True})
            async with http.post(at, data=b"odd") as answer:
                assert answer.status == 400
        done = await client.until("attempt_assistant_complete", chat_id=talk.chat_id)
        assert done["content"] == "Fine."
        sound = [base64.b64decode(d["audio"]) for d in client.named("attempt_assistant_audio")]
        assert b"".join(sound) == VOICED
