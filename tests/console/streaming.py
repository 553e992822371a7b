"""Rooms into which thousands of deltas are published a second, and how a page that watches keeps up."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from playwright.async_api import CDPSession, Page

from server.engine.packs import content_id, read_pack
from server.transports import keys
from tests.support.attempts import begin
from tests.support.clients import Socket
from tests.support.passing import passes
from tests.support.running import Server

REPLAYS = 8
SAID = "word "
TICK = 0.02  # seconds between two parts, as between two deltas of a reply
MOST = 2  # ticks' worth in one tick: a loop that was held up is not held up more by what it owes
BEGUN = "At "
HANGING = {"chunks": [BEGUN], "hang": True}
RUN = {"messages": [{"user": "Hi"}, {"assistant": "Ho"}]}
PACK = f"""
pack: {{id: stream, name: Stream}}
agents:
  ada: {{name: Ada, instructions: You are Ada.}}
benchmarks:
  many:
    name: Many
    agents: [ada]
    concurrency: {REPLAYS}
    runs: {orjson.dumps({f"run-{n}": RUN for n in range(REPLAYS)}).decode()}
"""
WATCHING = """() => {
  const seen = { frames: [], tasks: [], inputs: [], going: true };
  let last = performance.now();
  const frame = (now) => {
    seen.frames.push(now - last);
    last = now;
    if (seen.going) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({ entryTypes: ["longtask"] });
  addEventListener("keydown", (event) => {
    const at = event.timeStamp;
    requestAnimationFrame(() => seen.inputs.push(performance.now() - at));
  });
  window.seen = seen;
}"""
SEEN = """() => {
  const { frames, tasks, inputs } = window.seen;
  window.seen.going = false;
  return { frames, tasks, inputs };
}"""

ENTRIES = "Number(document.querySelector('.watch-place').textContent.match(/Entry ([0-9]+) of/)[1])"
PAUSING = f"""more => {{
  const begun = {ENTRIES};
  const look = () => {{
    if ({ENTRIES} < begun + more) return requestAnimationFrame(look);
    document.querySelector("button[aria-label=Pause]").click();
  }};
  requestAnimationFrame(look);
  return begun;
}}"""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Texts that are being written in a room: the event and the payload of each, up to its text."""

    server: Server
    room: str
    event: str
    heads: Sequence[dict[str, Any]]
    key: str

    async def run(self, *, rate: int, seconds: float, before: int = 0) -> int:
        """Publish so many deltas a second, or what a busy machine can; return how many when the log has all.

        Each text has its turn. `before` are those of an earlier run, which count.
        """
        log = self.server.app[keys.HUB].log
        loop = asyncio.get_running_loop()
        begun, sent = loop.time(), before
        last: asyncio.Future[int] | None = None
        while (passed := loop.time() - begun) < seconds:
            for _ in range(min(int(before + passed * rate) - sent, int(MOST * TICK * rate))):
                part = {**self.heads[sent % len(self.heads)], self.key: SAID}
                last = log.publish(self.room, self.event, orjson.dumps(part))
                sent += 1
            await passes(TICK, because="this many deltas are published in a second")
        if last is not None:
            await last
        return sent

    def text(self, sent: int) -> str:
        """Return what the last of the texts is when so many were sent."""
        return BEGUN + SAID * (sent // len(self.heads))


async def reply_stream(server: Server, learner: Socket) -> Stream:
    """Return a conversation in which one reply is being written."""
    await server.script(HANGING)
    talk = await begin(learner)
    message_id = (await talk.send("Hi!"))["assistant_message_id"]
    await learner.until("attempt_progress")
    head = {"chat_id": talk.chat_id, "content_type": "delta", "message_id": message_id}
    return Stream(server=server, room=talk.room, event="attempt_progress", heads=[head], key="content")


async def replay_stream(server: Server, author: Socket) -> Stream:
    """Return an invocation of a test in which many replays are being written."""
    await server.script(HANGING)
    await server.app[keys.STORE].content.put(read_pack(PACK, file="stream").contents, org="default")
    test = await author.send("test_start", benchmark_id=content_id("stream", "benchmark", "many"))
    invocation_id = test["invocations"][0]["invocation_id"]
    await author.send("test_join", invocation_id=invocation_id)
    await author.send("test_group", test_id=test["test_id"], test_invocation_id=invocation_id)
    await author.until("test_progress", count=REPLAYS, type="assistant_delta")
    heads = [
        {key: d[key] for key in ("invocation_id", "type", "run_id", "current_run", "total_runs")}
        for _, d in author.seen
        if d.get("type") == "assistant_delta"
    ]
    room = f"test_{invocation_id}"
    return Stream(server=server, room=room, event="test_progress", heads=heads, key="message")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How a page kept up: frames, tasks over 50 ms and answers to keys in ms; CPU in s, memory in bytes."""

    frames: list[float]
    tasks: list[float]
    inputs: list[float]
    task_s: float
    script_s: float
    layout_s: float
    heap: int
    heap_more: int

    def __str__(self) -> str:
        """Return the figures as a line."""
        return (
            f"frames p50 {_share(self.frames, 50):.1f} p95 {_share(self.frames, 95):.1f} "
            f"p99 {_share(self.frames, 99):.1f} max {max(self.frames):.0f} ms; "
            f"{len(self.tasks)} tasks over 50 ms, {sum(self.tasks):.0f} ms together; "
            f"keys p50 {_share(self.inputs, 50):.0f} max {max(self.inputs, default=0):.0f} ms; "
            f"CPU {self.task_s:.2f} s, of which script {self.script_s:.2f} and layout {self.layout_s:.2f}; "
            f"heap {self.heap / 1e6:.1f} MB, {self.heap_more / 1e6:+.1f}"
        )


def _share(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return max(values, default=0)
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


@asynccontextmanager
async def watched(page: Page) -> AsyncIterator[list[Kept]]:
    """Measure a page while the block runs; what it yields holds the figures afterwards."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    found: list[Kept] = []
    await page.evaluate(WATCHING)
    before = await _figures(session)
    pressing = asyncio.create_task(_press(page))
    try:
        yield found
    finally:
        pressing.cancel()
        await asyncio.gather(pressing, return_exceptions=True)
    after, seen = await _figures(session), await page.evaluate(SEEN)
    spent = {name: after[name] - before[name] for name in after}
    found.append(
        Kept(
            **seen,
            task_s=spent["TaskDuration"],
            script_s=spent["ScriptDuration"],
            layout_s=spent["LayoutDuration"] + spent["RecalcStyleDuration"],
            heap=int(after["JSHeapUsedSize"]),
            heap_more=int(spent["JSHeapUsedSize"]),
        )
    )
    await session.detach()


async def pause_after(page: Page, more: int) -> int:
    """Have the page press Pause itself when it shows so many more entries; return the one it shows now.

    Whoever drives a browser is told of each frame that its sockets get, and answers come behind all of
    them: under load a click from outside came a minute late, by no fault of the page.
    """
    entry: int = await page.evaluate(PAUSING, more)
    return entry


async def entry_shown(page: Page) -> int:
    """Return the number of the entry that a watched room stands at."""
    entry: int = await page.evaluate(ENTRIES)
    return entry


async def _press(page: Page) -> None:
    while True:
        await page.keyboard.press("Shift")
        await passes(0.2, because="somebody presses a key now and then")


async def _figures(session: CDPSession) -> dict[str, float]:
    answer = await session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in answer["metrics"]}
