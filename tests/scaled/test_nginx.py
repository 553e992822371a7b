"""The documented nginx in front of two servers that share a database, a Valkey and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from server.engine.ids import new
from tests.clients.node import run, script
from tests.clients.test_javascript import TRANSPORTS, recorded
from tests.scaled.cluster import Cluster, cluster
from tests.scaled.front import find_nginx, nginx
from tests.support.clients import Http, http_client, socket
from tests.support.process import free_port
from tests.support.running import practice
from tests.support.tail import Tail

pytestmark = pytest.mark.skipif(
    find_nginx() is None, reason="there is no nginx; make setup-test unpacks one on Debian and Ubuntu"
)
CONNECTS = 20
CLIENTS = 6
WORDS = [f"{n} " for n in range(400)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hosts(
    mongod_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    """Run two servers with ports and data directories of their own, and nginx in front of them."""
    folder = tmp_path_factory.mktemp("hosts")
    options: dict[str, Any] = {"reuse_port": False, "trusted_proxies": ["127.0.0.1"]}
    async with cluster(mongod_url, valkey_url, folder=folder, servers=(), **options) as members:
        ports = [free_port(), free_port()]
        for name, port in zip(("one", "two"), ports, strict=True):
            own = {"port": port, "data_dir": folder / name}
            members.servers[name] = members.member("serve", name, logs=folder, **own)
        members.doors = [f"http://127.0.0.1:{port}" for port in ports]
        await members.start()
        async with nginx(ports, folder) as members.url:
            yield members


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_clients_connect_again_and_again(hosts: Cluster, kind: str) -> None:
    given = {"url": hosts.url, "token": hosts.token(new()), "transports": TRANSPORTS[kind]}
    found = await run("connects", times=CONNECTS, **given)
    for life in found["lives"]:
        assert (life["errors"], life["closed"]) == ([], [])
        assert life["transport"] == TRANSPORTS[kind][-1]
        assert life["left"]["success"] is True
    assert {life["sid"].partition("-")[0] for life in found["lives"]} == {"one", "two"}


@pytest.mark.parametrize("kind", TRANSPORTS)
async def test_a_reply_is_followed_to_its_end(hosts: Cluster, kind: str) -> None:
    await hosts.script({"chunks": WORDS, "delay_ms": 5})
    learner = new()
    async with socket(hosts.url, {"token": hosts.token(learner)}) as client:
        start = await client.send("attempt_start", practice_id=practice("one"))
        given = {
            "url": hosts.url,
            "token": hosts.token(learner),
            "chat_id": start["chat_id"],
            "room": f"attempt_{start['chat_id']}",
            "epoch": client.seen_last("connection_confirmed")["epoch"],
            "after": 0,
        }
        said = await client.send(
            "attempt_message", attempt_id=start["attempt_id"], chat_id=start["chat_id"], message="Count."
        )
        async with script("follow", transports=TRANSPORTS[kind], **given) as following:
            found = await following.result()
    tail = Tail(given["room"])
    tail.take(recorded(found["seen"]))
    assert tail.text(said["assistant_message_id"]) == "".join(WORDS)
    assert found["reasons"] == []


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Origin": "{own}"}, True),
        ({"Origin": "https://elsewhere.example"}, False),
        ({"Origin": "http://elsewhere.example", "X-Forwarded-Host": "elsewhere.example"}, False),
        ({"Origin": "https://{host}", "X-Forwarded-Proto": "https"}, False),  # it came by http
    ],
)
async def test_the_origin_is_nginx_s_own(hosts: Cluster, headers: dict[str, str], allowed: bool) -> None:
    own = {"own": hosts.url, "host": hosts.url.removeprefix("http://")}
    sent = {name: value.format(**own) for name, value in headers.items()}
    address = f"{hosts.url}/socket.io/?EIO=4&transport=polling"
    async with aiohttp.ClientSession() as http, http.get(address, headers=sent) as response:
        assert response.status == (200 if allowed else 403)


async def test_requests_and_streams_of_a_session_meet(hosts: Cluster) -> None:
    await hosts.script({"chunks": WORDS, "delay_ms": 5})
    for _ in range(CLIENTS):
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as http:
            client = Http(http, hosts.url, {"Authorization": f"Bearer {hosts.token(new())}"})
            await client.connect()
            start = await client.send("attempt_start", practice_id=practice("one"))
            said = await client.send(
                "attempt_message", attempt_id=start["attempt_id"], chat_id=start["chat_id"], message="Count."
            )
            await client.until("attempt_progress", count=5)
            await client.until("attempt_assistant_complete")
            tail = Tail(f"attempt_{start['chat_id']}")
            tail.take(client)
            assert tail.text(said["assistant_message_id"]) == "".join(WORDS)
            assert len(client.named("attempt_progress")) > 20  # nothing collects them on the way
            assert len(client.named("connection_confirmed")) == 1
            await client.drop()


async def test_a_session_moves_to_the_host_that_is_asked(hosts: Cluster) -> None:
    async with http_client(hosts.doors[0], token=hosts.token(new())) as client:
        await client.connect()
        client.url = hosts.doors[1]
        start = await client.send("attempt_start", practice_id=practice("one"))
        await client.ended()  # the other host has heard of it
        await client.resume()
        assert client.seen_last("connection_confirmed").get("recovered") is not False
        await client.until("attempt_chat_started", chat_id=start["chat_id"])
        await client.drop()
        client.url = hosts.doors[0]
        await client.resume()
        assert (await client.send("attempt_leave", chat_id=start["chat_id"]))["success"]


async def test_clients_of_a_host_that_is_gone_go_to_the_other(hosts: Cluster) -> None:
    await hosts.script({"chunks": ["Yes."]})
    await hosts.kill("one")
    try:
        for kind in TRANSPORTS.values():
            given = {"url": hosts.url, "token": hosts.token(new()), "transports": kind}
            found = await run("connects", times=5, **given)
            assert [life["errors"] for life in found["lives"]] == [[]] * 5
    finally:
        await hosts.start()
