"""CPU of a replay: a test of recorded runs against the bare sequence of the same model calls, in turn.

The scripted model answers without delay, from its own process. `python -m bench.replays` prints the server's
milliseconds of CPU a replay, with a follower of the test, the replays per second that one core does, and the
CPU of OpenAI's SDK for the same calls, made by this process; then their ratio.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence

import uvloop
from openai import AsyncOpenAI
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionMessageParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionUserMessageParam,
)

from bench._parts import BENCHMARK, RUNS, SAID, SECRET, Bench, Client, connect, running
from server.engine.access import mint
from server.engine.ids import new

WORDS = 40  # of a reply, each a chunk
AT_ONCE = 8


async def replay_cost(bench: Bench, author: Client) -> tuple[float, float]:
    """Return the server's CPU seconds and the wall seconds of a replay."""
    test = await author.call("test_start", request_id=new(), benchmark_id=BENCHMARK)
    place = test["invocations"][0]
    await author.call("test_join", invocation_id=place["invocation_id"])
    before, began = bench.cpu(), time.perf_counter()
    ids = {"test_id": test["test_id"], "test_invocation_id": place["invocation_id"]}
    await author.call("test_group", request_id=new(), **ids)
    done = await author.event("test_all_complete")
    if not done["success"]:
        raise RuntimeError(f"replays failed: {done}")
    return (bench.cpu() - before) / RUNS, (time.perf_counter() - began) / RUNS


async def sdk_cost(client: AsyncOpenAI) -> float:
    """Return the CPU seconds of one run's calls with the SDK, so many runs at once."""
    left = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with left:
            await conversation(client)

    before = time.process_time()
    await asyncio.gather(*(one() for _ in range(RUNS)))
    return (time.process_time() - before) / RUNS


async def conversation(client: AsyncOpenAI) -> None:
    """Make the calls of one run: each user's turn, with all that was said before."""
    said: list[ChatCompletionMessageParam] = [
        ChatCompletionSystemMessageParam(role="system", content="You are Ada.")
    ]
    for text in SAID:
        said.append(ChatCompletionUserMessageParam(role="user", content=text))
        stream = await client.chat.completions.create(model="scripted", messages=said, stream=True)
        reply = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
        said.append(ChatCompletionAssistantMessageParam(role="assistant", content=reply))


def tell(ours: Sequence[tuple[float, float]], theirs: Sequence[float]) -> None:
    """Print the medians."""
    cpu = statistics.median(cost for cost, _ in ours)
    wall = statistics.median(seconds for _, seconds in ours)
    sdk = statistics.median(theirs)
    calls = f"{len(SAID)} calls of {WORDS} chunks"
    print(
        f"a replay, {calls}: {cpu * 1e3:.1f} ms CPU of the server, {1 / cpu:.0f} replays a second and core, "
        f"{1 / wall:.0f} a second here; SDK alone {sdk * 1e3:.1f} ms CPU; ratio {cpu / sdk:.2f}",
        flush=True,
    )


async def compare(*, rounds: int) -> None:
    """Run both in turn, over and over; the first round only warms up."""
    async with running() as bench:
        await bench.script(chunks_count=WORDS, chunk_text="Recursion ")
        author = await connect(bench, token=mint(SECRET, role="author", profile_id=new(), seconds=3600))
        ours, theirs = [], []
        async with AsyncOpenAI(base_url=f"{bench.model_url}/v1", api_key="none") as sdk:
            for number in range(rounds + 1):
                cost, peer = await replay_cost(bench, author), await sdk_cost(sdk)
                if number:
                    ours.append(cost)
                    theirs.append(peer)
        tell(ours, theirs)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    uvloop.run(compare(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
