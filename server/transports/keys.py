"""Typed keys under which the application holds its parts."""

import asyncio
from collections import Counter
from typing import Protocol

from aiohttp import web

from server.dispatch import Dispatcher
from server.draining import Drain
from server.engine.access import Access
from server.engine.attempts import Attempts
from server.engine.attempts.keeper import Keeper
from server.engine.conversation import Conversation
from server.engine.drafting import Drafts, GenerationKeeper
from server.engine.replay.keeper import TestKeeper
from server.engine.tasks import Tasks
from server.engine.watching import Beat
from server.jobs import Jobs
from server.llm import Models
from server.rooms.bell import Bell
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.rooms.retention import Retention
from server.settings import Settings
from server.store import Store
from server.transports.addresses import Addresses
from server.transports.admission import Admission
from server.transports.rates import Buckets
from server.transports.siblings import Siblings


class Sockets(Protocol):
    """The socket transport, as others see it."""

    @property
    def connections(self) -> int:
        """Return the number of open connections."""

    @property
    def ended(self) -> Counter[str]:
        """Return how many connections have ended, by reason."""


SETTINGS = web.AppKey("settings", Settings)
STORE = web.AppKey("store", Store)
PROCESS = web.AppKey("process", Process)
HUB = web.AppKey("hub", Hub)
BELL = web.AppKey[Bell]("bell", Bell)
MODELS = web.AppKey("models", Models)
ACCESS = web.AppKey("access", Access)
CONVERSATION = web.AppKey("conversation", Conversation)
ATTEMPTS = web.AppKey("attempts", Attempts)
DISPATCH = web.AppKey("dispatch", Dispatcher)
OUTBOXES = web.AppKey("outboxes", Outboxes)
BROKEN = web.AppKey("broken", asyncio.Event)  # set when the process cannot go on
RETENTION = web.AppKey("retention", Retention)
BEAT = web.AppKey("beat", Beat)
TASKS = web.AppKey("tasks", Tasks)
GENERATION_KEEPER = web.AppKey("generation_keeper", GenerationKeeper)
DRAFTS = web.AppKey("drafts", Drafts)
KEEPER = web.AppKey("keeper", Keeper)
TEST_KEEPER = web.AppKey("test_keeper", TestKeeper)
JOBS = web.AppKey("jobs", Jobs)
SOCKETS = web.AppKey("sockets", Sockets)
DRAIN = web.AppKey("drain", Drain)
STREAMS_ENDED = web.AppKey("streams_ended", Counter[str])  # by reason
SIBLINGS = web.AppKey("siblings", Siblings)
ADDRESSES = web.AppKey("addresses", Addresses)
ADMISSION = web.AppKey("admission", Admission)
BUCKETS = web.AppKey("buckets", Buckets)  # of identities, for what comes over HTTP
ADDRESS_BUCKETS = web.AppKey("address_buckets", Buckets)  # of guests, and of whom nobody knows
