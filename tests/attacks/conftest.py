"""Two servers on one database, each a process with a bystander: one with the default limits, one without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from server.engine.ids import new
from tests.attacks.bystander import Bystander
from tests.attacks.node import Node
from tests.scaled.cluster import Cluster, cluster
from tests.support.process import free_port

LISTED = "https://app.example.org"
PLENTY = 1_000_000
NODES: dict[str, dict[str, Any]] = {
    "open": {
        "connections_per_address": PLENTY,
        "connections_per_identity": PLENTY,
        "events_per_second": PLENTY,
        "events_burst": PLENTY,
    },
    "strict": {
        "guests": False,
        "connections_per_address": 100,
        "connections_per_identity": 10,
        "events_per_second": 20,
        "events_burst": 50,
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nodes(
    mongod_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Node]]:
    """Run both servers, and a bystander of each."""
    folder = tmp_path_factory.mktemp("attacked")
    common: dict[str, Any] = {
        "reuse_port": False,
        "cors_origins": [LISTED],
        "ping_interval": 2.0,
        "ping_timeout": 2.0,
    }
    async with (
        cluster(mongod_url, valkey_url, folder=folder, servers=(), **common) as members,
        AsyncExitStack() as stack,
    ):
        started = await asyncio.gather(*(start(members, name, stack) for name in NODES))
        found = dict(zip(NODES, started, strict=True))
        found["open"].other, found["strict"].other = found["strict"], found["open"]
        for node in found.values():
            node.base = await node.figure("connections")
        yield found


async def start(members: Cluster, name: str, stack: AsyncExitStack) -> Node:
    """Start a server and its bystander."""
    port, folder = free_port(), members.settings.data_dir
    own = {"port": port, "data_dir": folder / name, **NODES[name]}
    program = members.member("serve", name, logs=folder, **own)
    stack.push_async_callback(program.stop)
    await program.start()
    url = f"http://127.0.0.1:{port}"
    bystander = Bystander(url, members.token(new()), folder / f"bystander-{name}.log")
    stack.push_async_callback(bystander.stop)
    await bystander.start()
    log = folder / f"{name}.log"
    return Node(url=url, program=program, log=log, cluster=members, bystander=bystander)
