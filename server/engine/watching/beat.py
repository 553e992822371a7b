"""The beat of the ops room: how this process is doing, every second (socket-v5 §3)."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog

from schemas.room import OpsBeat, OpsWaiting
from server.errors import Unavailable
from server.rooms.bell import Bell
from server.rooms.families import OPS
from server.rooms.hub import Hub

log = structlog.get_logger(__name__)
TICK_SECONDS = 0.1
TICKS = 10


class Figures(NamedTuple):
    """What a process knows of itself: how many there are now, and how many there have been in all."""

    connections: int
    replies_running: int
    jobs: int
    deltas: int
    deliveries: int
    errors: int
    waiting: OpsWaiting | None


class Beat:
    """Sends this process's figures to everybody who follows an ops room, in every process.

    They are of the process, not of an organisation, and say nothing of anybody's work. They are sent whether
    somebody follows or not: who follows elsewhere is not known here, and one message a second costs nothing.
    """

    def __init__(self, *, process: str, hub: Hub, bell: Bell, figures: Callable[[], Figures]) -> None:
        self._process = process
        self._hub = hub
        self._bell = bell
        self._figures = figures

    async def run(self) -> None:
        """Beat until cancelled."""
        loop = asyncio.get_running_loop()
        before, since = self._figures(), loop.time()
        while True:
            lag = await _second(loop)
            now, at = self._figures(), loop.time()
            beat = self._beat(before, now, seconds=at - since, lag=lag)
            self._bell.flash(OPS, beat.event, beat.encode())
            before, since = now, at
            await self._listen()

    def _beat(self, before: Figures, now: Figures, *, seconds: float, lag: float) -> OpsBeat:
        return OpsBeat(
            process=self._process,
            connections=now.connections,
            replies_running=now.replies_running,
            jobs=now.jobs,
            deltas_per_s=round((now.deltas - before.deltas) / seconds, 1),
            deliveries_per_s=round((now.deliveries - before.deliveries) / seconds, 1),
            errors=now.errors - before.errors,
            loop_lag_ms=round(lag * 1000, 2),
            waiting=now.waiting,
        )

    async def _listen(self) -> None:
        """Hear the beats while another organisation's ops room is loaded: they come to the first one's."""
        if any(room.name != OPS for room in self._hub.loaded_as(OPS)):
            try:
                await self._hub.room(OPS)
            except Unavailable:
                log.debug("beats of others are not heard now")


async def _second(loop: asyncio.AbstractEventLoop) -> float:
    """Let a second pass; return by how much the loop was late at worst."""
    worst = 0.0
    for _ in range(TICKS):
        due = loop.time() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        worst = max(worst, loop.time() - due)
    return worst
