"""CPU per streamed model chunk: ours against the SDK's own streaming iterator, in one run.

The scripted model runs in its own process. Streams are paced and many at once, as in use; `python -m
bench.llm_chunk` prints microseconds of this process per chunk, and the ratio.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import uvloop
from openai import AsyncOpenAI, DefaultAioHttpClient
from openai.types.chat import ChatCompletionUserMessageParam

from server.llm import ChatTurn, Models

TEXT = "Recursion "
TURNS: list[ChatTurn] = [{"role": "user", "content": "Explain recursion."}]
MESSAGES: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Explain recursion."}]
Read = Callable[[], Awaitable[int]]


def ours(models: Models) -> Read:
    """Return a reader that counts chunks with our stream."""

    async def read() -> int:
        async with models.stream(TURNS) as stream:
            return sum([len(text) async for text in stream]) // len(TEXT)

    return read


def sdk(client: AsyncOpenAI) -> Read:
    """Return a reader that counts chunks with the SDK's stream."""

    async def read() -> int:
        stream = await client.chat.completions.create(model="scripted", messages=MESSAGES, stream=True)
        texts = [c.choices[0].delta.content or "" async for c in stream if c.choices]
        return sum(map(len, texts)) // len(TEXT)

    return read


async def cost(read: Read, *, streams: int, chunks: int) -> float:
    """Return CPU microseconds per chunk of so many streams at once."""
    before = time.process_time()
    counts = await asyncio.gather(*(read() for _ in range(streams)))
    spent = time.process_time() - before
    if sum(counts) != streams * chunks:
        raise RuntimeError(f"{sum(counts)} chunks read, {streams * chunks} sent")
    return spent / sum(counts) * 1e6


async def script(base_url: str, **rule: float | str) -> None:
    """Give the scripted model its only rule."""
    async with aiohttp.ClientSession() as session:
        await session.put(f"{base_url.removesuffix('/v1')}/script", json=[{"chunk_text": TEXT, **rule}])


async def compare(base_url: str, *, rounds: int, streams: int, chunks: int) -> None:
    """Run all readers in turn, over and over, and print the medians."""
    models = Models(base_url=base_url, api_key=None, model="scripted")
    plain = AsyncOpenAI(base_url=base_url, api_key="none")
    aio = AsyncOpenAI(base_url=base_url, api_key="none", http_client=DefaultAioHttpClient())
    readers = {"greenroom": ours(models), "openai SDK": sdk(plain), "openai SDK on aiohttp": sdk(aio)}
    for label, delay in (("paced, 200 chunks/s a stream", 5.0), ("as fast as possible", 0.0)):
        await script(base_url, chunks_count=chunks, delay_ms=delay)
        costs: dict[str, list[float]] = {name: [] for name in readers}
        for turn in range(rounds + 1):
            for name, read in readers.items():
                spent = await cost(read, streams=streams, chunks=chunks)
                if turn:  # the first round only warms up
                    costs[name].append(spent)
        medians = {name: statistics.median(values) for name, values in costs.items()}
        for name, value in medians.items():
            ratio = medians["greenroom"] / value
            print(
                f"{label:30} {name:22} {value:7.1f} us CPU a chunk   ratio ours / it {ratio:.2f}", flush=True
            )
    await models.aclose()
    await plain.close()
    await aio.close()


def main() -> None:
    """Start the scripted model and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=400)
    options = parser.parse_args()
    command = [sys.executable, "-m", "server.llm.scripted", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        try:
            uvloop.run(compare(base_url, **vars(options)))
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
