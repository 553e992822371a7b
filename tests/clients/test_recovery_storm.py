"""Twenty socket.io-clients through ten kills of their server and connections cut at random (core §6)."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.clients.crowd import Crowd, Member, Verdict, crowd
from tests.support.attempts import begin
from tests.support.clients import socket
from tests.support.passing import passes
from tests.support.proxy import Proxy, proxy
from tests.support.publishing import publish
from tests.support.reborn import Reborn, reborn
from tests.support.running import load_pack, running, settings_for

KILLS = 10
MEMBERS = 20
CONTROLS = 2
KINDS = ("websocket", "polling", "upgrade", "late")
ROOMS = 6
JOINED = 3
PAUSE = 0.005  # between entries
CUT_SHARE = 0.15
END = "the end"
PINGS = {"ping_interval": 3.0, "ping_timeout": 3.0}
# the client has stopped polling for an upgrade whose WebSocket is then cut: only a missing ping tells it
REASONS = {"transport close", "transport error", "ping timeout"}
WITHIN = 60.0  # seconds for all to be back after a kill, on a busy machine
Model = tuple[ScriptedModel, str]


@dataclass
class Storm:
    """Rooms that another process writes to, a server that is killed, and a proxy that cuts."""

    publisher: web.Application
    mortal: Reborn
    through: Proxy
    rooms: list[str]
    rng: random.Random
    heads: dict[str, int] = field(default_factory=dict)
    written: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def members(self, count: int) -> list[Member]:
        """Return members of all kinds, each with a choice of rooms."""
        return [
            Member(
                name=f"{KINDS[n % len(KINDS)]}-{n}",
                token=self.mortal.token(new(), role="author"),
                kind=KINDS[n % len(KINDS)],
                rooms=self.rng.sample(self.rooms, JOINED),
            )
            for n in range(count)
        ]

    async def write(self, *, until: asyncio.Event) -> None:
        """Put entries into the rooms, kills or not, and a last one into each."""
        choice = self.rng.choice
        while not await passes(PAUSE, because="commits come at a steady pace", until=until):
            rooms = self.rng.sample(self.rooms, choice((1, 1, 1, 3)))  # of one commit
            texts = ["x" * choice((3, 40, 40, 400, 400, 9000))] * choice((1, 1, 3, 5))
            await asyncio.gather(*(self._put(room, *texts) for room in rooms))
        for room in self.rooms:
            await self._put(room, END)

    async def cut(self, *, until: asyncio.Event) -> None:
        """Cut some connections every now and then."""
        while not until.is_set():
            await self.passed(self.rng.randint(10, 60))
            self.through.cut(chosen=lambda: self.rng.random() < CUT_SHARE)

    async def passed(self, entries: int) -> None:
        """Wait until so many more entries are written."""
        goal = self.written + entries
        async with asyncio.timeout(WITHIN):
            while self.written < goal:
                self.news.clear()
                await self.news.wait()

    async def kill(self, found: Crowd, *, back: int) -> None:
        """Kill the server, start it again, and wait until so many members are back."""
        await self.mortal.kill()
        before = found.connections()
        await self.mortal.start()
        await found.when(lambda: len(found.named("connected")[before:]) >= back, within=WITHIN)

    async def _put(self, room: str, *contents: str) -> None:
        self.heads[room] = max(await publish(self.publisher, room, *contents))
        self.written += len(contents)
        self.news.set()


@asynccontextmanager
async def storm(mongod_url: str, valkey_url: str, model_url: str, *, data: Path) -> AsyncIterator[Storm]:
    """Run a server that may be killed, behind a proxy, and another in this process that writes."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    settings = settings_for(
        mongod_url, model_url, redis_url=SecretStr(valkey_url), data_dir=data, job_slots=0
    )
    async with (
        reborn(settings, data / "server.log") as mortal,
        running(settings.model_copy(update={"instance": "publisher"})) as (url, app),
        proxy(mortal.url) as through,
    ):
        await load_pack(app)
        await mortal.start()
        async with socket(url, {"token": mortal.token(new())}) as learner:
            rooms = [(await begin(learner)).room for _ in range(ROOMS)]
        for room in rooms:
            await publish(app, room, "before anybody has joined")
        yield Storm(app, mortal, through, rooms, random.Random(seed))


async def weather(on: Storm, found: Crowd, control: Crowd) -> None:
    """Wait for the members, write, cut and kill, and wait for what they report."""
    for each, members in ((found, MEMBERS), (control, CONTROLS)):
        await each.when(partial(_told, each, "joined", members), within=WITHIN)
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(on.write(until=over))
        cutting = group.create_task(on.cut(until=over))
        for _ in range(KILLS):
            await on.passed(on.rng.randint(30, 100))
            await on.kill(found, back=on.rng.choice((MEMBERS, MEMBERS, MEMBERS // 2)))
        await on.passed(100)
        cutting.cancel()
        over.set()
    for each, members in ((found, MEMBERS), (control, CONTROLS)):
        await each.when(partial(_told, each, "report", members), within=WITHIN)


def _told(found: Crowd, what: str, members: int) -> bool:
    return len(found.named(what)) >= members


@pytest.mark.timeout(300)
async def test_ten_kills_and_many_cuts_lose_and_double_nothing(
    mongod_url: str, valkey_url: str, model: Model, tmp_path: Path
) -> None:
    """The control sends back the place in the last room only: it has to fail what the others pass."""
    async with (
        storm(mongod_url, valkey_url, model[1], data=tmp_path) as on,
        crowd(on.through.url, on.members(MEMBERS), end=END) as found,
        crowd(on.through.url, on.members(CONTROLS), end=END, strip=True) as control,
    ):
        await weather(on, found, control)
    reconnects = Counter(found.reconnects())
    print(f"{on.written} entries, {reconnects}")
    assert found.verdict(on.heads) == Verdict()
    assert all(recovered for _, recovered in reconnects), reconnects
    assert reconnects[True, True] >= MEMBERS * KILLS * 2 // 3  # after kills
    assert reconnects[False, True] >= MEMBERS  # after cuts
    check_manners(found)
    wrong = control.verdict(on.heads)
    print(f"the control: {wrong}")
    assert wrong.lost + wrong.doubled > 0


def check_manners(found: Crowd) -> None:
    """Check that nobody was sent away or told anything strange, and that upgrades happened."""
    upgrades: Counter[str] = Counter()
    for report in found.named("report"):
        assert (report["failures"], report["strange"]) == ([], []), report["name"]
        assert set(report["reasons"]) <= REASONS
        upgrades[report["kind"]] += report["upgrades"]
    assert upgrades["late"] >= KILLS
    assert upgrades["upgrade"] >= KILLS
    assert upgrades["polling"] == upgrades["websocket"] == 0
