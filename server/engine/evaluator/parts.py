"""The parts of a process that evaluators stand on, and what plays and judges their runs."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from schemas.evaluator_run import EvaluatorRun, Judgement, Setup, Talked, TranscriptItem
from server.jobs import Jobs
from server.rooms.bell import Bell
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store

OnItem = Callable[[int, TranscriptItem], Awaitable[None]]


class Conversation(Protocol):
    """One run's conversation with its agent."""

    async def run(self) -> Talked:
        """Return what it came to, whatever went wrong."""

    def stop(self) -> None:
        """End it, because a user wants that."""


class Judge(Protocol):
    """Thinks about conversations."""

    async def judge(self, setup: Setup, talked: Talked, *, batch: Hashable) -> Judgement:
        """Return what is thought of one, whatever went wrong; batches get theirs judged in turn."""


class Call(Protocol):
    """Makes a run's conversation; nothing is connected before it runs."""

    def __call__(
        self,
        setup: Setup,
        run: EvaluatorRun,
        *,
        on_item: OnItem,
        on_open: Callable[[], None],
    ) -> Conversation:
        """Return the conversation; `setup` has its texts filled in, `on_open` runs once the agent answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How agents are called."""

    text: Call
    voice: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What starts, does and keeps evaluators; `conversations` are at once in this process at most."""

    store: Store
    hub: Hub
    outboxes: Outboxes
    jobs: Jobs
    process: Process
    bell: Bell
    conversations: int
