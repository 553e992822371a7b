"""Somebody with nothing to do with an attack, in a process of its own, who sees whether it is felt.

It practises, follows its chat, and sends a cheap event every 50 ms; it writes a line of JSON for each event,
and for each answer.
"""

import asyncio
import os
import statistics
import sys
import time
from asyncio import Task
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from server.engine.ids import new
from tests.support.passing import passes
from tests.support.program import Program
from tests.support.running import practice

EVERY_SECONDS = 0.05
SPEAKS_EVERY = 20  # events
RECENT_SECONDS = 2.0
ENOUGH = 6  # answers for a measure
PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True)
class Felt:
    """Latencies in milliseconds: what nineteen in twenty answers kept, and the longest single wait."""

    usual: float
    longest: float

    def within(self, bound: "Felt") -> bool:
        """Tell whether neither was more than a bound."""
        return self.usual <= bound.usual and self.longest <= bound.longest


class Bystander:
    """Reads what the bystander's process tells."""

    def __init__(self, url: str, token: str, log: Path) -> None:
        environment = {"BYSTANDER_TOKEN": token, "PYTHONWARNINGS": "error"}
        self._program = Program(["tests.attacks.bystander", url], environment=environment, log=log)
        self._answers: list[tuple[float, float]] = []
        self._news = asyncio.Event()
        self._reader: Task[None] | None = None
        self._asked = 0.0
        self.last = 0

    async def start(self) -> None:
        """Start and wait until it practises."""
        await self._program.start()
        self._reader = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Stop the process."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._program.stop()

    def pause(self) -> None:
        """Stop the process in its tracks."""
        self._program.pause()

    def resume(self) -> None:
        """Let a stopped process go on."""
        self._program.resume()

    async def news(self) -> None:
        """Wait for its next answer; fails when there is none for long, or its process has ended."""
        assert self._reader is not None
        if self._reader.done():
            self._reader.result()
        self._news.clear()
        async with asyncio.timeout(PATIENCE):
            await self._news.wait()

    def waits(self) -> float:
        """Return the seconds for which it has waited for an answer; 0 when it waits for none."""
        answered = self._answers[-1][0] if self._answers else 0.0
        return time.monotonic() - self._asked if self._asked > answered else 0.0

    async def before(self) -> Felt:
        """Return what was felt in the last moment."""
        return await self.since(time.monotonic() - RECENT_SECONDS)

    async def since(self, start: float) -> Felt:
        """Return what was felt since, waiting until enough is answered and what was asked by now too."""
        now = time.monotonic()
        while len(found := [ms for at, ms in self._answers if at + ms / 1000 >= start]) < ENOUGH or (
            self._answers[-1][0] < now
        ):
            await self.news()
        return Felt(usual=statistics.quantiles(found, n=20, method="inclusive")[-1], longest=max(found))

    async def _read(self) -> None:
        while True:
            line = await self._program.line()
            assert line, f"the bystander ended: {self._program.told()}"
            told = orjson.loads(line)
            if "asked" in told:
                self._asked = told["asked"]
                continue
            if "ms" in told:
                self._answers.append((told["at"], told["ms"]))
            else:
                self.last = told["offset"]
            self._news.set()


# --- the process itself ----------------------------------------------------------------------------------


class Practising:
    """A client that speaks, listens and asks, and tells by lines what it sees."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._room = ""
        self._ids: dict[str, Any] = {}
        self._offset = 0
        self._free = True
        self._speaks = asyncio.Event()

    async def run(self) -> None:
        """Practise until the connection ends, which it must not."""
        parts = [asyncio.create_task(part) for part in (self._read(), self._ask(), self._speak())]
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise ConnectionError

    async def _call(self, event: str, **data: object) -> dict[str, Any]:
        self._number += 1
        ack = self._acks[self._number] = asyncio.get_running_loop().create_future()
        await self._wire.send_str(f"42{self._number}" + orjson.dumps([event, data]).decode())
        async with asyncio.timeout(PATIENCE):
            answer: dict[str, Any] = await ack
        assert answer["success"], answer
        return answer

    async def _ask(self) -> None:
        started = await self._call("attempt_start", practice_id=practice("one"))
        self._ids = {"attempt_id": started["attempt_id"], "chat_id": started["chat_id"]}
        self._room = f"attempt_{started['chat_id']}"
        tell(ready=True)
        count = 0
        while True:
            at = time.monotonic()
            tell(asked=at)
            await self._call("attempt_leave", chat_id=new())
            tell(at=at, ms=(time.monotonic() - at) * 1000)
            count += 1
            if self._free and count % SPEAKS_EVERY == 0:
                self._free = False
                self._speaks.set()
            await passes(EVERY_SECONDS, because="latency is sampled at a steady pace")

    async def _speak(self) -> None:
        """Speak beside the asking, which would miss a stall while it waited for this."""
        while True:
            await self._speaks.wait()
            self._speaks.clear()
            await self._call("attempt_message", **self._ids, message="And then?")

    async def _read(self) -> None:
        async for message in self._wire:
            if message.data == "2":
                await self._wire.send_str("3")
            elif message.data.startswith("43"):
                number, _, body = message.data[2:].partition("[")
                self._acks.pop(int(number)).set_result(orjson.loads("[" + body)[0])
            elif message.data.startswith("42"):
                self._heard(*orjson.loads(message.data[2:])[:2])

    def _heard(self, name: str, data: dict[str, Any]) -> None:
        if data.get("room") != self._room or not self._room:
            return
        assert self._offset in (0, data["offset"] - 1), f"{data['offset']} after {self._offset}"
        self._offset = data["offset"]
        if name in ("attempt_assistant_complete", "attempt_error"):
            self._free = True
            tell(offset=self._offset)


def tell(**what: object) -> None:
    print(orjson.dumps(what).decode(), flush=True)


async def practise(url: str, token: str) -> None:
    """Connect and practise until the process is ended."""
    async with aiohttp.ClientSession() as http:
        wire = await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket")
        await wire.send_str("40" + orjson.dumps({"token": token}).decode())
        while not str((await wire.receive()).data).startswith('42["connection_confirmed"'):
            pass
        await Practising(wire).run()


if __name__ == "__main__":
    asyncio.run(practise(sys.argv[1], os.environ["BYSTANDER_TOKEN"]))
