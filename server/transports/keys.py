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
from server.engine.batch.batches import Batches
from server.engine.batch.keeper import BatchKeeper
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.conversation import Conversation
from server.engine.conversation.grounds import Grounds
from server.engine.drafting import Drafts, GenerationKeeper
from server.engine.evaluator.evaluators import Evaluators
from server.engine.evaluator.keeper import EvaluatorKeeper
from server.engine.evaluator.lines.dialing import Dialer
from server.engine.evaluator.resources import Resources
from server.engine.playground.documents import Documents
from server.engine.playground.indexing.keeper import IndexKeeper
from server.engine.playground.indexing.parts import Indexing
from server.engine.playground.keeper import PlaygroundKeeper
from server.engine.playground.pipelines import Pipelines
from server.engine.playground.playground import Playground
from server.engine.playground.retrieval.retrieval import Retrieval
from server.engine.playground.retrieval.syncing import Indexes
from server.engine.replay.keeper import TestKeeper
from server.engine.tasks import Tasks
from server.engine.voice.offline.speech import OfflineSpeech
from server.engine.voice.sessions import VoiceSessions
from server.engine.watching import Beat, Queues
from server.idempotency import Once
from server.jobs import Jobs
from server.llm import Completions, Embedder, Models
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
COMPLETIONS = web.AppKey("completions", Completions)
EMBEDDER = web.AppKey[Embedder]("embedder", Embedder)
INDEXES = web.AppKey("indexes", Indexes)  # of pipelines, in memory
RETRIEVAL = web.AppKey("retrieval", Retrieval)
GROUNDS = web.AppKey("grounds", Grounds)
ACCESS = web.AppKey("access", Access)
CONVERSATION = web.AppKey("conversation", Conversation)
SPEECH = web.AppKey("speech", OfflineSpeech)
VOICE = web.AppKey("voice", VoiceSessions)
ATTEMPTS = web.AppKey("attempts", Attempts)
DISPATCH = web.AppKey("dispatch", Dispatcher)
ONCE = web.AppKey("once", Once)
OUTBOXES = web.AppKey("outboxes", Outboxes)
BROKEN = web.AppKey("broken", asyncio.Event)  # set when the process cannot go on
RETENTION = web.AppKey("retention", Retention)
BEAT = web.AppKey("beat", Beat)
QUEUES = web.AppKey("queues", Queues)
TASKS = web.AppKey("tasks", Tasks)
GENERATION_KEEPER = web.AppKey("generation_keeper", GenerationKeeper)
DRAFTS = web.AppKey("drafts", Drafts)
KEEPER = web.AppKey("keeper", Keeper)
TEST_KEEPER = web.AppKey("test_keeper", TestKeeper)
BATCHES = web.AppKey("batches", Batches)
FETCHER = web.AppKey("fetcher", Fetcher)  # of plugins, for batch jobs
BATCH_KEEPER = web.AppKey("batch_keeper", BatchKeeper)
DIALER = web.AppKey("dialer", Dialer)  # of agents
EVALUATOR_RESOURCES = web.AppKey("evaluator_resources", Resources)
PIPELINES = web.AppKey("pipelines", Pipelines)
DOCUMENTS = web.AppKey("documents", Documents)
JOBS = web.AppKey("jobs", Jobs)
BATCH_JOBS = web.AppKey("batch_jobs", Jobs)
EVALUATOR_JOBS = web.AppKey("evaluator_jobs", Jobs)
INDEX_JOBS = web.AppKey("index_jobs", Jobs)
INDEXING = web.AppKey("indexing", Indexing)
INDEX_KEEPER = web.AppKey("index_keeper", IndexKeeper)
EVALUATORS = web.AppKey("evaluators", Evaluators)
EVALUATOR_KEEPER = web.AppKey("evaluator_keeper", EvaluatorKeeper)
PLAYGROUND = web.AppKey("playground", Playground)
PLAYGROUND_KEEPER = web.AppKey("playground_keeper", PlaygroundKeeper)
SOCKETS = web.AppKey("sockets", Sockets)
DRAIN = web.AppKey("drain", Drain)
STREAMS_ENDED = web.AppKey("streams_ended", Counter[str])  # by reason
SIBLINGS = web.AppKey("siblings", Siblings)
ADDRESSES = web.AppKey("addresses", Addresses)
ADMISSION = web.AppKey("admission", Admission)
AUDIO_BUCKETS = web.AppKey("audio_buckets", Buckets)  # of identities and addresses, for frames of sound
BUCKETS = web.AppKey("buckets", Buckets)  # of identities, for what comes over HTTP
ADDRESS_BUCKETS = web.AppKey("address_buckets", Buckets)  # of guests, and of whom nobody knows
