"""Owns an embedded part until killed, and prints its URL: `-m tests.embedded.owner PART [DIR]`."""

import asyncio
import sys
from pathlib import Path

from pymongo import AsyncMongoClient

from server.embedded.model import embedded_model
from server.embedded.mongod import embedded_mongod
from server.embedded.valkey import embedded_valkey


async def own_mongod(data_dir: Path) -> None:
    """Run the database; when interrupted, write a farewell before it is stopped."""
    async with embedded_mongod(data_dir) as url:
        print(url, flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            client: AsyncMongoClient[dict[str, str]] = AsyncMongoClient(url)
            await client.test.notes.insert_one({"note": "farewell"})
            await client.close()


async def own_model() -> None:
    """Run the model."""
    async with embedded_model() as url:
        print(url, flush=True)
        await asyncio.Event().wait()


async def own_valkey(data_dir: Path) -> None:
    """Run the Valkey."""
    async with embedded_valkey(data_dir) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


async def own(part: str, *arguments: str) -> None:
    """Run a part by its name."""
    if part == "model":
        await own_model()
    else:
        await (own_valkey if part == "valkey" else own_mongod)(Path(arguments[0]))


if __name__ == "__main__":
    try:
        asyncio.run(own(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(0)
