"""How the page keeps up with a room that it watches: frame times while deltas stream in, beside an idle page.

`python -m bench.console` runs a server, Chromium and the built page, and publishes 0, 500 and 5,000 deltas a
second into one reply of a conversation, then into eight replays of a test. It prints frame times, what keys
wait for, the page's CPU and memory, and the CPU per 1,000 deltas. It needs `make console` and Chromium.
"""

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from playwright.async_api import Browser, async_playwright, expect

from server.embedded.mongod import embedded_mongod
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.console.browser import chromium
from tests.console.streaming import Stream, replay_stream, reply_stream, watched
from tests.console.visitor import visited
from tests.support.clients import Socket, socket
from tests.support.running import Server, load_pack, running, settings_for

RATES = (0, 500, 5_000)  # deltas a second; 0 is the page by itself
Scene = Callable[[Server, Socket], Awaitable[Stream]]
SCENES: dict[str, Scene] = {"one reply": reply_stream, "eight replays": replay_stream}


@dataclass(frozen=True)
class Stage:
    """A browser, a database and a model, for one server after the other."""

    browser: Browser
    mongod_url: str
    model: ScriptedModel
    model_url: str

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Server]:
        """Run a server of its own; what hangs in it ends with it."""
        async with running(settings_for(self.mongod_url, self.model_url)) as (url, app):
            await load_pack(app)
            yield Server(url, app, self.model, self.model_url.removesuffix("/v1"))


async def keep_up(stage: Stage, name: str, *, rate: int, seconds: float) -> float:
    """Watch a room that is written into, print how that went, and return the page's CPU seconds."""
    async with (
        stage.server() as server,
        visited(server, stage.browser) as console,
        socket(server.url, {"token": server.token(new(), role="author")}) as client,
    ):
        stream = await SCENES[name](server, client)
        visitor = await console.visit("author")
        await visitor.open("watch", stream.room)
        shown = visitor.page.get_by_role("log").or_(visitor.page.get_by_role("region", name="What is said"))
        await expect(shown).to_contain_text(stream.text(0).strip())
        async with watched(visitor.page) as found:
            begun = time.perf_counter()
            sent = await stream.run(rate=rate, seconds=seconds)
            took = time.perf_counter() - begun
        await expect(shown).to_contain_text(stream.text(sent).strip())
        each = f"; {found[0].task_s / sent * 1e6:.0f} ms CPU per 1,000 deltas" if sent else ""
        print(f"{name}, {sent / took:.0f} deltas/s: {found[0]}{each}", flush=True)
        return found[0].task_s


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Run a database, a model and a browser."""
    model = ScriptedModel()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            embedded_mongod(Path(folder, "mongod")) as mongod_url,
            chromium(Path(folder, "chromium")) as address,
            async_playwright() as driver,
        ):
            browser = await driver.chromium.connect_over_cdp(address)
            yield Stage(browser, mongod_url, model, await model.start())
            await browser.close()
            await model.stop()


async def compare(*, seconds: float) -> None:
    """Run each scene at each rate."""
    async with staged() as stage:
        for name in SCENES:
            spent = [await keep_up(stage, name, rate=rate, seconds=seconds) for rate in RATES]
            print(f"{name}: {spent[-1] / spent[0]:.1f} times the CPU of the page by itself", flush=True)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(compare(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
