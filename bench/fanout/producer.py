"""What the Python servers of the fan-out benchmark share: the control port and the pace of entries."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import orjson
from aiohttp import web

LATE = 2000  # microseconds after which an entry counts from when it was due: who is late does not hide it
Publish = Callable[[str, list[bytes]], Awaitable[None]]  # returns when the next entries may follow


async def produce(publish: Publish, *, n: int, rate: float, burst: int) -> None:
    """Publish n entries, `burst` of them in a turn; at a rate a second, or turn after turn when it is 0."""
    chat_id, began, sent = str(uuid4()), _micros(), 0
    while sent < n:
        now = _micros()
        due = began + sent * 1e6 / rate if rate else now
        if due > now:
            await asyncio.sleep((due - now) / 1e6)
            continue
        entry = {
            "chat_id": chat_id,
            "content_type": "delta",
            "content": " word",
            "t": round(due if now - due > LATE else now),
        }
        count = min(burst, n - sent)
        await publish("tok", [orjson.dumps(entry)] * count)
        sent += count
        await asyncio.sleep(0)
    await publish("done", [b'{"n":%d}' % sent])


async def obey(port: int, publish: Publish, *, alone: Publish | None = None) -> None:
    """Open the control port, print both, and produce what is asked for until cancelled.

    `alone` is used when entries are not to meet those of another turn: it returns when they were delivered.
    """
    asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def start(request: web.Request) -> web.Response:
        asked.put_nowait(dict(request.query))
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/start", start)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(port, runner.addresses[0][1], flush=True)
    while True:
        given = await asked.get()
        await produce(
            alone if alone is not None and "alone" in given else publish,
            n=int(given["n"]),
            rate=float(given.get("rate", 0)),
            burst=int(given.get("burst", 1)),
        )


def _micros() -> int:
    return time.monotonic_ns() // 1000
