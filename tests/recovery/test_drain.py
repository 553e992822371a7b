"""SIGTERM as supervisors send it: clients are told, replies may finish, and the process ends in time."""

import asyncio
import os
import signal
import socket as stdsocket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from schemas.envelope import Id, Role
from server.embedded.mongod import Mongod, start_mongod
from server.embedded.runfile import database_pid
from server.engine.access import mint
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.settings import as_variables
from server.store import connect
from server.transports import keys
from tests.conformance.mongo_proxy import CHANGE_CHAT, mongo_proxy
from tests.support.clients import Http, http_client
from tests.support.process import free_port
from tests.support.program import Program
from tests.support.running import SECRET, load_content, practice, running, settings_for
from tests.support.tail import Tail
from tests.support.valkey import valkey_server
from tests.support.wires import Wire, wire

LONGEST = 25.0  # from SIGTERM to the end, whatever hangs
SOON = 12.0  # when nothing runs, on a machine that stalls; what runs has 15 s
ATTEMPT = 15.0  # that a reply has to finish
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
WORDS = [f"{n} " for n in range(240)]
COUNT = {"match": {"last_contains": "Count"}, "chunks": WORDS, "delay_ms": 25}
HANG = {"match": {"last_contains": "Think"}, "chunks": ["Let me ", "see"], "hang": True}
TALK = {"match": {"last_contains": "Talk"}, "chunks": ["x" * 1000] * 60}
SILENT = {"match": {"last_contains": "Hush"}, "chunks": [], "hang": True}
Model = tuple[ScriptedModel, str]


class Served(Program):
    """`python -m server serve`, with the tests' content and a scripted model."""

    url: str
    asked: float

    async def start(self) -> str:
        line = await super().start()
        self.url = line.rpartition(" ")[2]
        return line

    def drain(self) -> None:
        """Send SIGTERM."""
        self.asked = time.monotonic()
        self.interrupt()

    async def drained(self) -> float:
        """Return after how many seconds it has ended, well."""
        code = await self.ended(LONGEST)
        assert code == 0, self.told()
        return time.monotonic() - self.asked

    async def health(self, path: str) -> tuple[int, str]:
        """Ask for a page of health, or for the figures."""
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as response:
            return response.status, await response.text()

    async def until_not_ready(self) -> None:
        """Wait until it has heard of the signal."""
        async with asyncio.timeout(20):
            while (await self.health("/health/ready"))[0] == 200:
                pass


@asynccontextmanager
async def serving(
    mongod_url: str, model_url: str, folder: Path, *, redis_url: str | None = None
) -> AsyncIterator[Served]:
    """Run a server as its users do."""
    settings = settings_for(mongod_url, model_url, redis_url=redis_url).model_copy(
        update={"port": free_port(), "data_dir": folder, "secret": SECRET, "guests": True}
    )
    store = connect(mongod_url, settings.mongodb_database)
    try:
        await store.prepare()
        await load_content(store)
    finally:
        store.close()
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    environment = {**kept, "PYTHONWARNINGS": "error", **as_variables(settings)}
    served = Served(["server", "serve"], environment=environment, log=folder / "serve.log")
    await served.start()
    try:
        yield served
    finally:
        await served.stop()


@pytest_asyncio.fixture
async def served(mongod_url: str, model: Model, tmp_path: Path) -> AsyncIterator[Served]:
    """Run a server as its users do."""
    model[0].script([COUNT, HANG, SILENT, TALK])
    async with serving(mongod_url, model[1], tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Close what a test has opened."""
    async with AsyncExitStack() as opened:
        yield opened


def token(profile: Id, role: Role = "learner") -> str:
    """Return a token for a profile."""
    return mint(SECRET, role=role, profile_id=profile, seconds=3600)


async def everybody(stack: AsyncExitStack, served: Served, profile: Id) -> tuple[Wire, Wire, Http]:
    """Connect somebody over a WebSocket, by polling and over a stream."""
    socket = await stack.enter_async_context(wire(served.url, token(profile)))
    polling = await stack.enter_async_context(wire(served.url, token(profile), "polling"))
    stream = await stack.enter_async_context(http_client(served.url, token=token(profile)))
    await stream.connect()
    return socket, polling, stream


async def chat(client: Wire) -> dict[str, str]:
    """Begin a chat."""
    ack = await client.send("attempt_start", practice_id=practice("one"))
    return {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}


async def check_ends(socket: Wire, polling: Wire, stream: Http) -> None:
    """Check that all connections end so that their clients come back by themselves."""
    await asyncio.gather(socket.reading, polling.reading, stream.ended())
    assert polling.packets[-1] == "1"
    assert not [p for p in (*socket.packets, *polling.packets) if p.startswith("41")]


async def refused(served: Served) -> None:
    """Check that nobody new is let in."""
    paths = ("/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=websocket")
    async with aiohttp.ClientSession() as http:
        for path in paths:
            async with http.get(served.url + path) as response:
                assert response.status == 503
                assert int(response.headers["Retry-After"]) >= 1
        headers = {"Authorization": f"Bearer {token(new())}"}
        url = f"{served.url}/socket/v5/client/connect"
        async with http.post(url, json={}, headers=headers) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
            assert (await response.json())["error"]["code"] == "unavailable"


async def test_who_is_connected_is_told_and_let_go(served: Served, stack: AsyncExitStack) -> None:
    socket, polling, stream = await everybody(stack, served, new())
    served.drain()
    told = [await client.until("server_draining") for client in (socket, polling, stream)]
    assert all(1 <= t["reconnect_in"] <= 6 for t in told)
    assert len({t["reconnect_in"] for t in told}) > 1
    assert stream.retry == round(told[2]["reconnect_in"] * 1000)
    await check_ends(socket, polling, stream)
    assert await served.drained() < SOON


async def test_a_reply_is_finished_and_followed_to_its_end(served: Served, stack: AsyncExitStack) -> None:
    clients = socket, polling, stream = await everybody(stack, served, new())
    talk, other = await chat(socket), await chat(socket)
    for client in (polling, stream):
        await client.send("attempt_join", chat_id=talk["chat_id"], after=0)
    said = await socket.send("attempt_message", **talk, message="Count.")
    await socket.until("attempt_progress", count=3)
    served.drain()
    await socket.until("server_draining")
    assert await served.health("/health/ready") == (503, await status(served))
    assert (await served.health("/health/live"))[0] == 200
    assert "greenroom_draining 1.0" in (await served.health("/metrics"))[1]
    await refused(served)
    for client in clients:
        ack = await client.call("attempt_message", **other, message="And me?")
        assert (ack["error"]["code"], ack["error"]["retryable"]) == ("unavailable", True)
    joined = await polling.send("attempt_join", chat_id=other["chat_id"])
    assert joined["snapshot"]["messages"] == []
    for client in clients:
        done = await client.until("attempt_assistant_complete", message_id=said["assistant_message_id"])
        assert (done["state"], done["content"]) == ("complete", "".join(WORDS))
        tail = Tail(f"attempt_{talk['chat_id']}", last=0 if client is not socket else done_before(client))
        tail.take(client)
    await check_ends(socket, polling, stream)
    assert await served.drained() < ATTEMPT


async def test_what_waits_for_the_database_is_answered_and_finished(
    mongod_url: str, model: Model, tmp_path: Path, stack: AsyncExitStack
) -> None:
    """An event that was let in before the signal, and whose write is answered after it."""
    model[0].script([COUNT])
    way = await stack.enter_async_context(mongo_proxy(mongod_url, command=CHANGE_CHAT))
    async with serving(way.url, model[1], tmp_path) as served:
        socket = await stack.enter_async_context(wire(served.url, token(new())))
        talk = await chat(socket)
        way.hold()
        saying = asyncio.create_task(socket.send("attempt_message", **talk, message="Count."))
        await way.held.wait()
        served.drain()
        await socket.until("server_draining")
        await served.until_not_ready()
        way.let_go()
        said = await saying
        done = await socket.until("attempt_assistant_complete", message_id=said["assistant_message_id"])
        assert (done["state"], done["content"]) == ("complete", "".join(WORDS))
        await socket.reading
        assert await served.drained() < ATTEMPT


@pytest.mark.parametrize("late", [False, True])
async def test_a_reply_that_starts_when_no_time_is_left_is_interrupted(
    late: bool, mongod_url: str, model: Model, stack: AsyncExitStack
) -> None:
    model[0].script([HANG])
    way = await stack.enter_async_context(mongo_proxy(mongod_url, command=CHANGE_CHAT))
    url, app = await stack.enter_async_context(running(settings_for(way.url, model[1])))
    await load_content(app[keys.STORE])
    socket = await stack.enter_async_context(wire(url, token(new())))
    talk = await chat(socket)
    way.hold()
    saying = asyncio.create_task(socket.send("attempt_message", **talk, message="Think."))
    await way.held.wait()
    app[keys.DRAIN].begin()
    finishing = asyncio.create_task(app[keys.DRAIN].finish(0.0))
    if late:
        await finishing
    way.let_go()
    said = await saying
    await finishing
    assert late or not app[keys.CONVERSATION].running
    done = await socket.until("attempt_assistant_complete", message_id=said["assistant_message_id"])
    assert done["state"] == "interrupted"


def done_before(client: Wire) -> int:
    """Return the offset from which a client that entered a room by what it did follows it."""
    return int(client.named("attempt_user_start")[0]["offset"]) - 1


async def status(served: Served) -> str:
    """Return what readiness says."""
    text = (await served.health("/health/ready"))[1]
    assert text.startswith('{"status":"draining"')
    return text


async def test_what_never_ends_is_interrupted_in_time(served: Served, stack: AsyncExitStack) -> None:
    """One model that stops in the middle, one that says nothing, and a client that reads nothing."""
    socket, polling, stream = await everybody(stack, served, new())
    begun, silent = await chat(socket), await chat(socket)
    for client in (polling, stream):
        await client.send("attempt_join", chat_id=begun["chat_id"])
    deaf = await stack.enter_async_context(wire(served.url, token(new())))
    deaf.deafen()
    await socket.send("attempt_message", **silent, message="Hush.")
    said = await socket.send("attempt_message", **begun, message="Think.")
    await socket.until("attempt_progress")
    served.drain()
    for client in (socket, polling, stream):
        done = await client.until(
            "attempt_assistant_complete", message_id=said["assistant_message_id"], within=LONGEST
        )
        assert (done["state"], done["content"]) == ("interrupted", "Let me see")
        error = await client.until("attempt_error", chat_id=begun["chat_id"])
        assert (error["code"], error["type"]) == ("unavailable", "send")
    assert time.monotonic() - served.asked > ATTEMPT - 1
    await socket.until("attempt_error", chat_id=silent["chat_id"], code="unavailable")
    await check_ends(socket, polling, stream)
    assert await served.drained() < LONGEST


async def test_who_does_not_read_holds_nobody_up(served: Served, stack: AsyncExitStack) -> None:
    socket = await stack.enter_async_context(wire(served.url, token(profile := new())))
    talk = await chat(socket)
    for n in range(1, 5):
        await socket.send("attempt_message", **talk, message="Talk.")
        await socket.until("attempt_assistant_complete", count=n)
    stream = await stack.enter_async_context(http_client(served.url, token=token(profile)))
    opened = await stream.send("connect")
    stream.headers["X-Session-Id"] = opened["session_id"]
    await stream.send("attempt_join", chat_id=talk["chat_id"], after=0)
    with stdsocket.socket() as deaf:
        deaf.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", int(served.url.rpartition(":")[2])))
        deaf.sendall(f"GET {opened['stream']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert deaf.recv(100)
        served.drain()
        assert await served.drained() < SOON


@pytest_asyncio.fixture
async def mongod(tmp_path: Path) -> AsyncIterator[Mongod]:
    """Run a mongod that a test may stop."""
    running = await start_mongod(tmp_path)
    yield running
    await running.stop()


@pytest.mark.parametrize("away", [signal.SIGSTOP, signal.SIGKILL])
async def test_what_is_away_holds_nobody_up(
    away: signal.Signals, mongod: Mongod, model: Model, tmp_path: Path, stack: AsyncExitStack
) -> None:
    """The database, and Valkey too, and the model says nothing more."""
    model[0].script([HANG])
    valkey = await stack.enter_async_context(valkey_server())
    async with serving(mongod.url, model[1], tmp_path, redis_url=valkey.url) as served:
        socket, polling, stream = await everybody(stack, served, new())
        talk, other = await chat(socket), await chat(socket)
        await socket.send("attempt_message", **talk, message="Think.")
        await socket.until("attempt_progress")
        pid = database_pid(mongod.data_dir / "mongo")
        assert pid is not None
        os.kill(pid, away)
        valkey.pause()
        asked = asyncio.create_task(socket.call("attempt_message", **other, message="Are you there?"))
        try:
            served.drain()
            await socket.until("server_draining")
            await check_ends(socket, polling, stream)
            assert await served.drained() < LONGEST
        finally:
            asked.cancel()
            valkey.resume()
            if away is signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)


async def test_a_second_ctrl_c_ends_it_at_once(served: Served, stack: AsyncExitStack) -> None:
    socket = await stack.enter_async_context(wire(served.url, token(new())))
    talk = await chat(socket)
    await socket.send("attempt_message", **talk, message="Think.")
    await socket.until("attempt_progress")
    served.interrupt(signal.SIGINT)
    await served.until_not_ready()
    repeated = asyncio.get_running_loop().time() + 0.6  # sooner it would be one that a wrapper passes on
    while asyncio.get_running_loop().time() < repeated:
        await served.health("/health/live")
    served.interrupt(signal.SIGINT)
    assert await served.ended(SOON) == 130
