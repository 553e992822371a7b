"""Many socket.io-clients in one process of Node, and what may be said of what they have seen."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from tests.clients.node import HERE, node
from tests.support.clients import Recorder

LONGEST_LINE = 16 * 1024 * 1024
Data = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A client of a crowd: `kind` is websocket, polling, upgrade (at once) or late (in mid-stream)."""

    name: str
    token: str
    kind: str
    rooms: Sequence[str]


@dataclass(kw_only=True)
class Verdict:
    """How many entries a client lost, saw twice, or saw out of their order."""

    lost: int = 0
    doubled: int = 0
    disordered: int = 0


class Crowd(Recorder):
    """What a crowd tells: `connected`, `joined`, at the end one `report` of each member."""

    def connections(self) -> int:
        """Return the number of connections so far."""
        return len(self.named("connected"))

    def present(self, process: str) -> set[str]:
        """Return the members that have been connected to a server process."""
        return {told["name"] for told in self.named("connected", process=process)}

    def reconnects(self) -> list[tuple[bool, bool]]:
        """Return for each connection after a member's first: was it to another process, was it recovered?"""
        last: dict[str, str] = {}
        found = []
        for told in self.named("connected"):
            if (before := last.get(told["name"])) is not None:
                found.append((before != told["process"], told["recovered"]))
            last[told["name"]] = told["process"]
        return found

    def verdict(self, heads: Mapping[str, int]) -> Verdict:
        """Compare what all have seen with the rooms' entries, from each one's join to the head."""
        total = Verdict()
        for report in self.named("report"):
            for room, seen in report["seen"].items():
                expected = range(report["starts"][room] + 1, heads[room] + 1)
                first = list(dict.fromkeys(seen))
                total.lost += len(set(expected) - set(seen))
                total.doubled += len(seen) - len(first)
                total.disordered += first != sorted(first)
        return total


@asynccontextmanager
async def crowd(
    url: str, members: Sequence[Member], *, end: str, strip: bool = False
) -> AsyncIterator[Crowd]:
    """Run clients; each reports once it has seen the entry `end` in each of its rooms."""
    given = {"url": url, "members": members, "end": end, "strip": strip}
    process = await asyncio.create_subprocess_exec(
        *[node(), str(HERE / "crowd.mjs"), orjson.dumps(given).decode()],
        stdin=DEVNULL,
        stdout=PIPE,
        limit=LONGEST_LINE,
    )
    found = Crowd()

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told = orjson.loads(line)
            found.record(told.pop("told"), told)

    listening = asyncio.create_task(listen())
    try:
        yield found
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening
