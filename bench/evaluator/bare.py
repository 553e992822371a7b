"""The least that a client in Python does: aiohttp, the same frames with the same pauses, so many at once.

It prints wall and CPU seconds; code is warm before the clock starts.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator

import aiohttp
import orjson
import uvloop

from bench.evaluator.work import DRAIN_SECONDS, QUIET_SECONDS, TURNS, said


async def call(session: aiohttp.ClientSession, url: str) -> None:
    """Make one call; raises when an answer is missing."""
    async with session.ws_connect(url, compress=0) as ws:
        for number in range(TURNS):
            await ws.send_str(orjson.dumps({"content": said(number)}).decode())
            heard = orjson.loads(await ws.receive_str())
            assert f"answer{number}:" in heard["content"]
            await asyncio.sleep(QUIET_SECONDS)
        await ws.send_str(orjson.dumps({"content": said(TURNS), "type": "end_call"}).decode())
        await asyncio.sleep(DRAIN_SECONDS)


async def play(session: aiohttp.ClientSession, url: str, *, runs: int, at_once: int) -> None:
    """Make the calls, so many at once."""
    left: Iterator[int] = iter(range(runs))

    async def worker() -> None:
        for _ in left:
            await call(session, url)

    await asyncio.gather(*(worker() for _ in range(min(at_once, runs))))


async def run(given: argparse.Namespace) -> None:
    """Warm up, then measure."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await play(session, given.url, runs=20, at_once=20)
        cpu, began = time.process_time(), time.perf_counter()
        await play(session, given.url, runs=given.runs, at_once=given.at_once)
        wall = time.perf_counter() - began
    print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu}))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
