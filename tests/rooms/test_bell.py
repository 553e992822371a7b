"""The bell over a real Valkey: cut, killed, emptied, paused, slow, forged; what is followed goes on."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import orjson
import pytest
import pytest_asyncio

from server.engine.ids import new
from server.rooms.announcements import Seal, entries_body, number_body
from server.rooms.entry import Entry
from server.rooms.valkey_bell import ValkeyBell
from server.store import Store, connect
from tests.conformance.nodes import Client, Node, Nodes, check_followed, over, running
from tests.support.proxy import Proxy, proxy
from tests.support.valkey import ValkeyServer, valkey_server

DATABASE = "bell"
QUIET = 0.4
SOON = 15.0  # on a machine that stalls; rooms are checked every 30 s
PREFIX = "conformance:"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prepared(mongod_url: str) -> str:
    """Return the address of a mongod whose database has its indexes."""
    store = connect(mongod_url, DATABASE)
    await store.prepare()
    store.close()
    return mongod_url


@pytest_asyncio.fixture
async def store(prepared: str) -> AsyncIterator[Store]:
    """Connect to the database of these tests."""
    found = connect(prepared, DATABASE)
    yield found
    found.close()


@pytest_asyncio.fixture
async def valkey() -> AsyncIterator[ValkeyServer]:
    """Run a Valkey that may be killed."""
    async with valkey_server() as found:
        yield found


@pytest_asyncio.fixture
async def pair(store: Store, valkey: ValkeyServer) -> AsyncIterator[Nodes]:
    """Run two processes' worth of the core that hear each other."""
    async with hearing(store, valkey.url) as nodes:
        yield nodes


@pytest.fixture
def room() -> str:
    """Return a room of one's own."""
    return f"attempt_{new()}"


@asynccontextmanager
async def hearing(store: Store, url: str, *, quiet: float = 10.0) -> AsyncIterator[Nodes]:
    """Run two nodes that hear each other."""
    async with running(store, count=2, bell=over(url, quiet=quiet)) as nodes:
        for node in nodes:
            await until(lambda n=node: n.bell.healthy)  # type: ignore[misc]
        yield nodes


async def until(holds: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0)


async def publish(node: Node, room: str, count: int) -> None:
    """Publish some entries and wait until they are in the log."""
    async with asyncio.timeout(30):
        await asyncio.gather(*[node.publish(room, str(n)) for n in range(count)])


async def check_goes_on(nodes: Nodes, room: str, client: Client, *, after: int) -> None:
    """Raise unless the client of the second node hears what the first one publishes, without polls."""
    await until(lambda: all(node.bell.healthy for node in nodes))
    await until(lambda: nodes[1].valkey_bell._subscriptions.heard(room))
    await client.until(room, after)
    began = time.monotonic()
    await publish(nodes[0], room, 1)
    await client.until(room, after + 1)
    assert time.monotonic() - began < SOON
    check_followed(client, room, after=0, upto=after + 1)
    await client.close()


async def test_entries_and_their_order_arrive_without_reading(pair: Nodes, room: str) -> None:
    client = Client(pair[1])
    await client.join(room, after=0)
    for _ in range(20):
        await publish(pair[0], room, 10)
    await client.until(room, 200)
    check_followed(client, room, after=0, upto=200)
    loaded = await pair[1].room(room)
    assert [e.data for e in client.got] == [e.data for e in loaded.ring]
    mine = await pair[0].room(room)
    rows = await pair[0].store.entries.page(room, after=0, limit=300)
    assert [(r.n, r.w, r.at) for r in rows] == [(e.n, e.w, e.at) for e in client.got]
    assert mine.head == 200
    await client.close()


async def test_what_is_too_large_to_carry_is_read(pair: Nodes, room: str) -> None:
    client = Client(pair[1])
    await client.join(room, after=0)
    await pair[0].publish(room, "x" * 300_000)
    await publish(pair[0], room, 3)
    await client.until(room, 4)
    check_followed(client, room, after=0, upto=4)
    await client.close()


async def test_what_is_published_while_a_room_loads_is_not_missed(pair: Nodes, room: str) -> None:
    for turn in range(20):
        other = f"{room}{turn}"
        publishing = asyncio.create_task(publish(pair[0], other, 30))
        client = Client(pair[1])
        for _ in range(turn):
            await asyncio.sleep(0)
        await client.join(other, after=0)
        await publishing
        await client.until(other, 30)
        check_followed(client, other, after=0, upto=30)
        await client.close()


async def test_rooms_come_and_go_and_come_again(pair: Nodes, room: str) -> None:
    for turn in range(1, 15):
        client = Client(pair[1])
        await client.join(room, after=0)
        await publish(pair[0], room, 5)
        await client.until(room, 5 * turn)
        check_followed(client, room, after=0, upto=5 * turn)
        await client.close()
        await pair[1].hub.unload(await pair[1].room(room))
        for _ in range(turn % 4):
            await asyncio.sleep(0)
    assert pair[1].hub.loaded == 0


async def test_a_client_that_comes_with_more_than_was_heard_is_recovered(
    store: Store, valkey: ValkeyServer, room: str
) -> None:
    async with hearing(store, valkey.url) as (first, second):
        await second.room(room)
        await valkey.kill()
        await publish(first, room, 10)
        client = Client(second)
        place = await client.join(room, after=10, epoch=first.hub.epoch)
        assert (place.recovered, place.cursor) == (True, 10)
        await publish(first, room, 5)
        await client.until(room, 15)
        check_followed(client, room, after=10, upto=15)
        await client.close()


def proxied(valkey: ValkeyServer) -> AbstractAsyncContextManager[Proxy]:
    """Run a proxy in front of a Valkey."""
    return proxy(f"http://127.0.0.1:{valkey.port}")


def over_tcp(between: Proxy) -> str:
    """Return the address of a Valkey behind a proxy."""
    return between.url.replace("http://", "redis://")


async def killed(valkey: ValkeyServer, between: Proxy) -> None:
    await valkey.kill()
    await valkey.start()


async def cut(valkey: ValkeyServer, between: Proxy) -> None:
    between.cut()


async def emptied(valkey: ValkeyServer, between: Proxy) -> None:
    await valkey.send("FLUSHALL")


async def clients_killed(valkey: ValkeyServer, between: Proxy) -> None:
    await valkey.send("CLIENT", "KILL", "TYPE", "pubsub")


async def publishers_killed(valkey: ValkeyServer, between: Proxy) -> None:
    await valkey.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.parametrize("harm", [killed, cut, emptied, clients_killed, publishers_killed])
async def test_nothing_is_lost_when_it_breaks_in_mid_stream(
    store: Store, valkey: ValkeyServer, room: str, harm: Callable[[ValkeyServer, Proxy], Awaitable[None]]
) -> None:
    async with (
        proxied(valkey) as between,
        hearing(store, over_tcp(between)) as nodes,
    ):
        client = Client(nodes[1])
        await client.join(room, after=0)
        publishing = asyncio.create_task(publish(nodes[0], room, 300))
        await client.until(room, 1)
        await harm(valkey, between)
        await publishing
        await client.until(room, 300)
        await check_goes_on(nodes, room, client, after=300)


async def test_a_paused_one_is_noticed_and_polled_around(
    store: Store, valkey: ValkeyServer, room: str
) -> None:
    async with hearing(store, valkey.url, quiet=QUIET) as nodes:
        client = Client(nodes[1])
        await client.join(room, after=0)
        valkey.pause()
        try:
            await publish(nodes[0], room, 50)
            await client.until(room, 50)
            await until(lambda: not any(node.bell.healthy for node in nodes))
            late = Client(nodes[1])
            other = f"{room}x"
            await late.join(other, after=0)
            await publish(nodes[0], other, 5)
            await late.until(other, 5)
            await late.close()
        finally:
            valkey.resume()
        await check_goes_on(nodes, room, client, after=50)


async def test_one_that_was_never_there_costs_latency_only(store: Store, room: str) -> None:
    async with valkey_server() as valkey:
        url = valkey.url
    async with running(store, count=2, bell=over(url)) as nodes:
        client = Client(nodes[1])
        await client.join(room, after=0)
        began = time.monotonic()
        await publish(nodes[0], room, 20)
        await client.until(room, 20)
        assert time.monotonic() - began < SOON
        assert not any(node.bell.healthy for node in nodes)
        await client.close()


async def test_memory_is_bounded_while_it_hangs(store: Store, valkey: ValkeyServer) -> None:
    async with hearing(store, valkey.url) as (first, _):
        bell = first.valkey_bell
        valkey.pause()
        text = b'{"text":"%b"}' % (b"x" * 20_000)
        tracemalloc.start()
        try:
            for n in range(1, 12_001):  # 240 MB if they were kept
                room = f"attempt_{n}"
                bell.ring(room, [Entry(room=room, n=n, w="w", at=0, name="attempt_progress", j=text)])
                bell.flash(room, "ops_beat", text)
                bell.tell("another", "stop_run", "x" * 100)
                if n % 1000 == 0:
                    await asyncio.sleep(0)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            valkey.resume()
        assert kept < 64_000_000
        assert bell._waiting.size <= 2_100_000


async def test_ringing_never_waits_for_one_that_hangs(store: Store, valkey: ValkeyServer, room: str) -> None:
    async with hearing(store, valkey.url) as (first, _):
        valkey.pause()
        try:
            began = time.monotonic()
            await publish(first, room, 200)
            assert time.monotonic() - began < SOON
        finally:
            valkey.resume()


def forged(room: str, n: int, key: bytes) -> bytes:
    """Return an announcement as a process with this key would send it."""
    entry = Entry(room=room, n=n, w="forged-1", at=0, name="attempt_progress", j=b'{"text":"forged"}')
    return Seal("forger", lambda: key).close(f"{PREFIX}e:{room}".encode(), entries_body([entry]))


async def test_forged_and_broken_messages_are_ignored(pair: Nodes, valkey: ValkeyServer, room: str) -> None:
    client = Client(pair[1])
    await client.join(room, after=0)
    await publish(pair[0], room, 3)
    await client.until(room, 3)
    channel = f"{PREFIX}e:{room}"
    secret = pair[1].process.secret
    elsewhere = Seal("forger", lambda: secret).close(b"another channel", number_body(50))
    broken = [b"", b"x", b"\xff" * 40, orjson.dumps([[4, "w", 0, "attempt_progress", "{}"]])]
    messages = [*broken, forged(room, 4, b"guessed"), forged(room, 4, b"old epoch." + secret), elsewhere]
    for message in messages:
        assert await valkey.send("PUBLISH", channel, message) == b":1\r\n"
    await valkey.send("PUBLISH", f"{PREFIX}c:{pair[1].process.name}", b"forged")
    await valkey.send("PUBLISH", f"{PREFIX}f", b"forged")
    nonsense = Seal("forger", lambda: secret)
    for body in (b"{}", b"[]", b"0", b"nonsense", b"[[1,2]]", b'[["4","w",0,"x","{}"]]'):
        await valkey.send("PUBLISH", channel, nonsense.close(channel.encode(), body))
    await publish(pair[0], room, 3)
    await client.until(room, 6)
    check_followed(client, room, after=0, upto=6)
    assert pair[1].bell.ignored == len(messages) + 2 + 6
    assert pair[1].bell.healthy
    assert await pair[1].publish(room, "mine") == 7  # and no number is left out
    await client.close()


async def test_what_was_said_before_may_be_said_again(pair: Nodes, valkey: ValkeyServer, room: str) -> None:
    """A genuine message that comes twice changes nothing."""
    client = Client(pair[1])
    await client.join(room, after=0)
    await publish(pair[0], room, 1)
    await client.until(room, 1)
    channel = f"{PREFIX}e:{room}"
    seal = Seal(pair[0].process.name, lambda: pair[0].process.secret)
    said = seal.close(channel.encode(), entries_body(client.got))
    for _ in range(3):
        await valkey.send("PUBLISH", channel, said)
    await publish(pair[0], room, 1)
    await client.until(room, 2)
    check_followed(client, room, after=0, upto=2)
    assert pair[1].bell.ignored == 0
    await client.close()


async def test_processes_are_told_and_flashes_reach_who_follows(pair: Nodes, room: str) -> None:
    told: list[tuple[int, str]] = []
    for number, node in enumerate(pair):
        node.bell.on_told("stop_run", lambda key, n=number: told.append((n, key)))  # type: ignore[misc]
    pair[0].bell.tell(pair[1].process.name, "stop_run", "a")
    pair[0].bell.tell(pair[0].process.name, "stop_run", "b")
    pair[0].bell.tell("nobody", "stop_run", "c")
    pair[0].bell.tell(pair[1].process.name, "stop_reply", "nobody listens")
    await until(lambda: len(told) == 2)
    assert sorted(told) == [(0, "b"), (1, "a")]
    clients = [Client(node) for node in pair]
    for client in clients:
        await client.join(room, after=0)
    elsewhere = Client(pair[1])
    await elsewhere.join(f"{room}x", after=0)
    pair[0].bell.flash(room, "ops_beat", b"{}")
    for client in clients:
        await until(lambda c=client: c.answers == [("ops_beat", 0)])  # type: ignore[misc]
    assert elsewhere.answers == []
    for client in (*clients, elsewhere):
        await client.close()


async def test_it_is_quick(pair: Nodes, room: str) -> None:
    client = Client(pair[1])
    await client.join(room, after=0)
    waits = []
    for n in range(1, 101):
        await publish(pair[0], room, 1)
        began = time.monotonic()
        await client.until(room, n)
        waits.append(time.monotonic() - began)
    assert sorted(waits)[50] < 0.1  # polling would take up to 250 ms, checking 30 s
    await client.close()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        ValkeyBell("http://127.0.0.1", prefix="", process="p", key=lambda: b"")
