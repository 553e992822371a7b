"""Owns an embedded part until killed, and prints its URL: `-m tests.embedded.owner mongod DIR` or `model`."""

import asyncio
import sys
from pathlib import Path

from pymongo import AsyncMongoClient

from server.embedded.model import embedded_model
from server.embedded.mongod import embedded_mongod


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


if __name__ == "__main__":
    try:
        asyncio.run(own_model() if sys.argv[1] == "model" else own_mongod(Path(sys.argv[2])))
    except KeyboardInterrupt:
        sys.exit(0)
