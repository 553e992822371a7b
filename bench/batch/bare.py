"""The least that a client in Python does: aiohttp, the same bodies, so many at once, and every answer parsed.

It prints wall and CPU seconds; connections and code are warm before the clock starts.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import orjson
import uvloop

from bench.batch.work import prompts


def bodies(template: bytes, count: int, *, salt: str) -> list[bytes]:
    """Return the body that our server sent, once for each prompt."""
    body = orjson.loads(template)
    found = []
    for prompt in prompts(count, salt=salt):
        body["messages"][-1]["content"] = prompt
        found.append(orjson.dumps(body))
    return found


async def send(session: aiohttp.ClientSession, url: str, *, todo: Sequence[bytes], at_once: int) -> None:
    """Make the calls, so many at once; raises when one fails."""
    left = iter(todo)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}

    async def worker() -> None:
        for body in left:
            async with session.post(f"{url}/v1/chat/completions", data=body, headers=headers) as response:
                response.raise_for_status()
                answer = orjson.loads(await response.read())
                assert answer["choices"][0]["message"]["tool_calls"]

    await asyncio.gather(*(worker() for _ in range(at_once)))


async def run(given: argparse.Namespace) -> None:
    """Warm up, then measure."""
    todo = bodies(given.body.read_bytes(), given.cases + given.at_once, salt=given.salt)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await send(session, given.url, todo=todo[given.cases :], at_once=given.at_once)
        cpu, began = time.process_time(), time.perf_counter()
        await send(session, given.url, todo=todo[: given.cases], at_once=given.at_once)
        wall = time.perf_counter() - began
    print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu}))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("body", type=Path, help="a file with a request of our server")
    parser.add_argument("--cases", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--salt", required=True)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
