"""How a process stops serving: clients are told, what runs may finish, and they come back by themselves."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from server.dispatch import Dispatcher
from server.engine.batch.keeper import BatchKeeper
from server.engine.conversation import Conversation
from server.engine.evaluator.keeper import EvaluatorKeeper
from server.engine.playground.indexing.keeper import IndexKeeper
from server.engine.playground.playground import Playground
from server.engine.replay.keeper import TestKeeper
from server.engine.tasks import Tasks
from server.engine.voice.sessions import VoiceSessions
from server.jobs import Jobs
from server.rooms.log import Log

log = structlog.get_logger(__name__)
WORK_SECONDS = 15.0  # for replies, gradings and generations to end by themselves
GIVE_BACK_SECONDS = 3.0  # for the ledger to learn that jobs are free for others
SETTLE_SECONDS = 2.5  # for interrupted replies to be stored and shown


class Door(Protocol):
    """Where clients come in."""

    def announce(self) -> None:
        """Let nobody new in, and tell everybody who is connected that the process is about to stop."""

    async def close(self) -> None:
        """End every connection so that its client comes back by itself; takes a few seconds at most."""


class Drain:
    """Ends the work of a process in three steps, each of which takes its time once and no longer.

    Who is connected stays so, and may join, leave and stop; what would start something is refused.
    """

    def __init__(
        self,
        *,
        conversation: Conversation,
        voice: VoiceSessions,
        playground: Playground,
        dispatch: Dispatcher,
        jobs: Sequence[Jobs],
        tests: TestKeeper,
        batches: BatchKeeper,
        evaluators: EvaluatorKeeper,
        indexing: IndexKeeper,
        tasks: Tasks,
        entries: Log,
    ) -> None:
        self.begun = False
        self.doors: list[Door] = []
        self._conversation = conversation
        self._voice = voice
        self._playground = playground
        self._dispatch = dispatch
        self._jobs = jobs
        self._tests = tests
        self._batches = batches
        self._evaluators = evaluators
        self._indexing = indexing
        self._tasks = tasks
        self._entries = entries
        self._finished = False

    def begin(self) -> None:
        """Take nothing new from now on, and tell the clients; harmless when done before."""
        if not self.begun:
            self.begun = True
            log.info("draining", tasks=len(self._tasks), replies=self._conversation.running)
            self._dispatch.refuse_work()
            for door in self.doors:
                door.announce()

    async def finish(self, patience: float = WORK_SECONDS) -> None:
        """Give jobs back at once and replies some seconds; what still runs then is closed as interrupted.

        When it returns the log has everything, unless the database is away.
        """
        if self._finished:
            return
        self._finished = True
        await asyncio.gather(self._give_back(), self._let_finish(patience), self._voice.close(patience))
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._close_replies()
                await self._dispatch.idle()
                await self._close_replies()  # what these events have started
                await self._entries.flush()
        except TimeoutError:
            log.warning("database away while stopping; what is not stored is finished by others")

    async def close_doors(self) -> None:
        """End every connection."""
        await asyncio.gather(*(door.close() for door in self.doors))

    async def _let_finish(self, patience: float) -> None:
        """Wait for events that are being handled, then for what they and others have started."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._dispatch.idle()
                await self._tasks.finish()

    async def _close_replies(self) -> None:
        """Interrupt replies and answers, and those that start from now on, until they are stored."""
        await asyncio.gather(
            self._conversation.close(SETTLE_SECONDS), self._playground.replies.close(SETTLE_SECONDS)
        )

    async def _give_back(self) -> None:
        """Let others take the jobs of this process."""
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                # first, so that what is given back is not taken again here
                await asyncio.gather(*(jobs.drain() for jobs in self._jobs))
                await asyncio.gather(
                    self._tests.close(GIVE_BACK_SECONDS),
                    self._batches.close(GIVE_BACK_SECONDS),
                    self._evaluators.close(GIVE_BACK_SECONDS),
                    self._indexing.close(GIVE_BACK_SECONDS),
                )
        except TimeoutError:
            log.warning("jobs not given back; others find them when this process is gone")
