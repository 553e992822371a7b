"""What a turn costs: CPU per streamed model chunk, the ack's latency, the time before the first token.

Each figure stands beside a peer that is measured in the same minutes: the openai SDK reading the same stream,
one raw journaled insert, and the model called without a server between.
"""

import argparse
import asyncio
import statistics
import time
from typing import Any

import aiohttp
import uvloop
from motor.motor_asyncio import AsyncIOMotorClient
from openai import AsyncOpenAI
from pymongo.write_concern import WriteConcern

from bench._parts import PRACTICE, Bench, Client, connect, running

TEXT = "Recursion "
TURNS = 15  # of a chat, before another begins


async def start_chat(client: Client) -> dict[str, Any]:
    """Start an attempt and return its ids."""
    ack = await client.call("attempt_start", practice_id=PRACTICE)
    return {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}


async def turn(client: Client, chat: dict[str, Any]) -> str:
    """Say something and return the whole answer."""
    await client.send("attempt_message", message="Explain recursion.", **chat)
    done = await client.event("attempt_assistant_complete")
    return str(done["content"])


async def chunk_cost(bench: Bench, clients: list[tuple[Client, dict[str, Any]]], chunks: int) -> float:
    """Return the server's CPU microseconds per model chunk, one follower each."""
    before = bench.cpu()
    texts = await asyncio.gather(*(turn(client, chat) for client, chat in clients))
    spent = bench.cpu() - before
    if any(len(text) != chunks * len(TEXT) for text in texts):
        raise RuntimeError("a reply is not whole")
    return spent / (len(clients) * chunks) * 1e6


async def sdk_cost(sdk: AsyncOpenAI, streams: int) -> float:
    """Return this process's CPU microseconds per chunk when the SDK reads the same streams and drops them."""

    async def read() -> int:
        stream = await sdk.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "Explain recursion."}], stream=True
        )
        return sum([1 async for chunk in stream if chunk.choices and chunk.choices[0].delta.content])

    before = time.process_time()
    counts = await asyncio.gather(*(read() for _ in range(streams)))
    return (time.process_time() - before) / sum(counts) * 1e6


async def chunks_bench(bench: Bench, *, streams: int, chunks: int, rounds: int) -> None:
    """Print the cost of a chunk, paced and as fast as possible."""
    clients = []
    for _ in range(streams):
        client = await connect(bench)
        clients.append((client, await start_chat(client)))
    sdk = AsyncOpenAI(base_url=f"{bench.model_url}/v1", api_key="none")
    for label, delay in (("as fast as possible", 0.0), ("paced, 100 a second each", 10.0)):
        await bench.script(chunks_count=chunks, chunk_text=TEXT, delay_ms=delay)
        ours, theirs = [], []
        for number in range(rounds + 1):
            cost, peer = await chunk_cost(bench, clients, chunks), await sdk_cost(sdk, streams)
            if number:  # the first round only warms up
                ours.append(cost)
                theirs.append(peer)
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"chunk to follower, {label:24} {mine:6.1f} us CPU a chunk; SDK alone {other:6.1f}; "
            f"ratio {mine / other:.2f}",
            flush=True,
        )
    await sdk.close()


async def ack_bench(bench: Bench, *, rounds: int) -> None:
    """Print the latency of attempt_message's ack beside one raw journaled insert, interleaved."""
    await bench.script(reply="Yes.", chunk_words=10)
    client = await connect(bench)
    mongo: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(bench.mongod_url)
    raw = mongo.get_database("raw").get_collection("raw", write_concern=WriteConcern(w="majority", j=True))
    acks, inserts = [], []
    for number in range(rounds):
        if number % TURNS == 0:
            chat = await start_chat(client)
        began = time.perf_counter()
        await client.send("attempt_message", message="Go on.", **chat)
        await client.ack()
        acks.append(time.perf_counter() - began)
        await client.event("attempt_assistant_complete")
        began = time.perf_counter()
        await raw.insert_one({"n": number, "text": "Go on."})
        inserts.append(time.perf_counter() - began)
    mongo.close()
    ack, insert = statistics.median(acks[10:]) * 1e3, statistics.median(inserts[10:]) * 1e3
    print(
        f"ack of attempt_message {ack:.2f} ms; raw journaled insert {insert:.2f} ms; ratio {ack / insert:.2f}"
    )


async def first_token_bench(bench: Bench, *, rounds: int) -> None:
    """Print what the server adds between a message and its first delta, beyond the model's own time."""
    client = await connect(bench)
    await bench.script(reply="Yes it is so.", first_delay_ms=0)
    through, direct = [], []
    for number in range(rounds):
        if number % TURNS == 0:
            chat = await start_chat(client)
        began = time.perf_counter()
        await client.send("attempt_message", message="Go on.", **chat)
        await client.event("attempt_progress")
        through.append(time.perf_counter() - began)
        await client.event("attempt_assistant_complete")
        direct.append(await _first_chunk(bench))
    ours, model = statistics.median(through[10:]) * 1e3, statistics.median(direct[10:]) * 1e3
    print(f"first token through us {ours:.2f} ms; model alone {model:.2f} ms; added {ours - model:.2f} ms")


async def _first_chunk(bench: Bench) -> float:
    began = time.perf_counter()
    body = {"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "Go on."}]}
    timeout = aiohttp.ClientTimeout(total=10)
    async with bench.http.post(
        f"{bench.model_url}/v1/chat/completions", json=body, timeout=timeout
    ) as answer:
        first = None
        async for line in answer.content:  # to its end, so that the model does not see a client that hangs up
            if first is None and b'"content"' in line:
                first = time.perf_counter() - began
    if first is None:
        raise RuntimeError("the model said nothing")
    return first


async def compare(*, streams: int, chunks: int, rounds: int) -> None:
    """Run all three."""
    async with running() as bench:
        await ack_bench(bench, rounds=rounds * 60)
        await first_token_bench(bench, rounds=rounds * 40)
        await chunks_bench(bench, streams=streams, chunks=chunks, rounds=rounds)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    uvloop.run(compare(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
