"""The parts of a process that batch jobs stand on."""

from dataclasses import dataclass

from server.engine.batch.sealing import Sealing
from server.jobs import Jobs
from server.rooms.bell import Bell
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What starts, does and keeps batch jobs."""

    store: Store
    hub: Hub
    outboxes: Outboxes
    jobs: Jobs
    process: Process
    bell: Bell
    sealing: Sealing
