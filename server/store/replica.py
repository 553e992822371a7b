"""Makes a single mongod a replica set of one node, which journaled majority writes and transactions need."""

import asyncio
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from server.errors import Unavailable

NAME = "greenroom"
NOT_YET_INITIALIZED = 94
ALREADY_INITIALIZED = 23


def replica_url(port: int) -> str:
    """Return the address of the replica set on a local port."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&replicaSet={NAME}"


async def make_writable(port: int, *, within: float) -> None:
    """Wait until the mongod on a local port takes writes, making it a replica set first.

    A node whose port has changed since the last start is told its new address. Raises Unavailable after
    `within` seconds; cancelling is safe, and so is calling it again.
    """
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=int(within * 1000)
    )
    try:
        async with asyncio.timeout(within):
            while not await _is_writable(client, f"127.0.0.1:{port}"):
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        raise Unavailable(f"the database on port {port} takes no writes after {within:g} s") from error
    except PyMongoError as error:
        raise Unavailable(f"the database on port {port} did not become writable: {error}") from error
    finally:
        await asyncio.shield(client.close())  # cut off, it would leave its connections open


async def _is_writable(client: AsyncMongoClient[dict[str, Any]], address: str) -> bool:
    """Tell whether a node takes writes by now, after telling it of its set."""
    try:
        await _configure(client, address)
        return bool((await client.admin.command("hello")).get("isWritablePrimary"))
    except ConnectionFailure:
        return False  # a node that starts closes all its connections when its state in the set changes


async def _configure(client: AsyncMongoClient[dict[str, Any]], address: str) -> None:
    while (config := await _configuration(client)) is None:
        if await _initiate(client, address):
            return
        await asyncio.sleep(0.01)
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        # by force, because a node that is not at its own address is a member of nothing and has no primary
        await client.admin.command("replSetReconfig", config, force=True)


async def _configuration(client: AsyncMongoClient[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what a node has been told of its set, None when it was told nothing or has not read it yet."""
    try:
        found: dict[str, Any] = (await client.admin.command("replSetGetConfig"))["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        return None
    return found


async def _initiate(client: AsyncMongoClient[dict[str, Any]], address: str) -> bool:
    """Make a node a set of its own; False when it is one: it has just started, and was still reading that."""
    member = {"_id": 0, "host": address}
    try:
        await client.admin.command("replSetInitiate", {"_id": NAME, "members": [member]})
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise
        return False
    return True
