"""The connection, its indexes, and the translation of database errors."""

from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from server.store.attempts import AttemptStore
from server.store.chats import ChatStore
from server.store.chunks import INDEXES as CHUNK_INDEXES
from server.store.chunks import ChunkStore
from server.store.content import ContentStore
from server.store.counters import CounterStore
from server.store.drafts import DraftStore
from server.store.entries import EntryStore
from server.store.evaluator_resources import INDEXES as EVALUATOR_INDEXES
from server.store.evaluator_resources import EvaluatorResourceStore
from server.store.evaluator_runs import EvaluatorRunStore
from server.store.evaluators import INDEXES as RESULT_INDEXES
from server.store.evaluators import EvaluatorResultStore
from server.store.generations import GenerationStore
from server.store.guard import guard
from server.store.indexing import INDEXES as INDEXING_INDEXES
from server.store.indexing import IndexingStore
from server.store.jobs import INDEXES as JOB_INDEXES
from server.store.jobs import JobStore
from server.store.keys import KeyStore
from server.store.media import MediaStore
from server.store.pipeline_documents import INDEXES as DOCUMENT_INDEXES
from server.store.pipeline_documents import PipelineDocumentStore
from server.store.pipeline_files import INDEXES as FILE_INDEXES
from server.store.pipeline_files import PipelineFileStore
from server.store.pipelines import INDEXES as PIPELINE_INDEXES
from server.store.pipelines import PipelineStore
from server.store.playground import INDEXES as SESSION_INDEXES
from server.store.playground import PlaygroundStore
from server.store.processes import ProcessStore
from server.store.replays import RUN_INDEXES, ReplayStore
from server.store.requests import RequestStore
from server.store.results import ResultStore
from server.store.sessions import SessionStore
from server.store.sounds import INDEXES as SOUND_INDEXES
from server.store.sounds import SoundStore
from server.store.tests import INDEXES as TEST_INDEXES
from server.store.tests import InvocationStore, RecordingStore, RunStore, TestStore
from server.store.tracing import Commands
from server.store.waiting import WaitingStore

Documents = AsyncIOMotorDatabase[dict[str, Any]]


class Store:
    """One database with a store per aggregate.

    Writes that a caller awaits are journaled on a majority: what returned survives a kill. Every method
    raises Unavailable while MongoDB cannot be reached; cancelling a call leaves its outcome unknown.
    """

    def __init__(self, client: AsyncIOMotorClient[dict[str, Any]], name: str) -> None:
        self._client = client
        self.database: Documents = client.get_database(
            name, write_concern=WriteConcern(w="majority", j=True), read_concern=ReadConcern("local")
        )
        self.entries = EntryStore(self.database)
        self.processes = ProcessStore(self.database)
        self.content = ContentStore(self.database)
        self.attempts = AttemptStore(self.database)
        self.chats = ChatStore(self.database)
        self.tests = TestStore(self.database)
        self.invocations = InvocationStore(self.database)
        self.runs = RunStore(self.database)
        self.recordings = RecordingStore(self.database)
        self.sessions = SessionStore(self.database)
        self.requests = RequestStore(self.database)
        self.keys = KeyStore(self.database)
        self.drafts = DraftStore(self.database)
        self.generations = GenerationStore(self.database)
        self.media = MediaStore(self.database)
        self.sounds = SoundStore(self.database)
        self.replays = ReplayStore(self.database)
        self.jobs = JobStore(self.database)
        self.results = ResultStore(self.database)
        self.counters = CounterStore(self.database)
        self.evaluator_resources = EvaluatorResourceStore(self.database)
        self.evaluator_results = EvaluatorResultStore(self.database)
        self.evaluator_runs = EvaluatorRunStore(self.database)
        self.playground = PlaygroundStore(self.database)
        self.pipelines = PipelineStore(self.database)
        self.pipeline_documents = PipelineDocumentStore(self.database)
        self.pipeline_files = PipelineFileStore(self.database)
        self.chunks = ChunkStore(self.database)
        self.indexing = IndexingStore(self.database)
        self.waiting = WaitingStore(self.database)

    async def prepare(self) -> None:
        """Create the indexes and the log's epoch; safe to repeat and to run in several processes at once."""
        with guard():
            await self.database.entries.create_indexes(
                [
                    IndexModel(
                        [("_id.r", ASCENDING), ("eid", ASCENDING)],
                        unique=True,
                        partialFilterExpression={"eid": {"$exists": True}},
                    )
                ]
            )
            for name in ("chats", "attempts", "drafts", "generations"):
                await self.database[name].create_indexes(
                    [
                        IndexModel(
                            [("outbox_at", ASCENDING)],
                            partialFilterExpression={"outbox_at": {"$exists": True}},
                        ),
                        IndexModel([("work.owner", ASCENDING)], sparse=True),
                        IndexModel(
                            [("owner.id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]
                        ),
                        IndexModel([("org", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)]),
                    ]
                )
            await self.database.generations.create_indexes(
                [
                    IndexModel(
                        [("draft_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)],
                        partialFilterExpression={"draft_id": {"$exists": True}},
                    )
                ]
            )
            await self.database.chats.create_indexes(
                [
                    IndexModel([("reply.owner", ASCENDING)], sparse=True),
                    IndexModel(
                        [("deadline", ASCENDING)], partialFilterExpression={"deadline": {"$exists": True}}
                    ),
                    IndexModel([("attempt_id", ASCENDING)]),
                    IndexModel([("messages.id", ASCENDING)]),
                    IndexModel([("grades.grade_id", ASCENDING)]),
                ]
            )
            await self.database.content.create_indexes(
                [
                    IndexModel(
                        [
                            ("kind", ASCENDING),
                            ("org", ASCENDING),
                            ("created_at", ASCENDING),
                            ("_id", ASCENDING),
                        ]
                    )
                ]
            )
            for name, indexes in (
                *TEST_INDEXES.items(),
                *JOB_INDEXES.items(),
                *EVALUATOR_INDEXES.items(),
                *RESULT_INDEXES.items(),
                *SESSION_INDEXES.items(),
                *PIPELINE_INDEXES.items(),
                *DOCUMENT_INDEXES.items(),
                *FILE_INDEXES.items(),
                *CHUNK_INDEXES.items(),
                *INDEXING_INDEXES.items(),
                *SOUND_INDEXES.items(),
            ):
                await self.database[name].create_indexes(indexes)
            await self.database.generation_counts.create_indexes(
                [IndexModel([("created_at", ASCENDING)], expireAfterSeconds=48 * 3600)]
            )
            await self.database.requests.create_indexes(
                [IndexModel([("at", ASCENDING)], expireAfterSeconds=24 * 3600)]
            )
            await self.database.runs.create_indexes(RUN_INDEXES)
            await self.database.sessions.create_indexes(
                [IndexModel([("process", ASCENDING)]), IndexModel([("seen_at", ASCENDING)])]
            )
        await self.processes.make_epoch()
        await self.processes.forget_dead()

    async def ping(self) -> None:
        """Ask the primary for an answer; raises Unavailable."""
        with guard():
            await self.database.command("ping")

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def connect(url: str, database: str, *, traced: bool = False) -> Store:
    """Return a store; nothing is sent before its first use. Raises Unavailable for no address at all.

    With `traced` its commands are spans of the traces in which they are sent.
    """
    with guard():
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            serverSelectionTimeoutMS=3000,
            connectTimeoutMS=3000,
            socketTimeoutMS=15000,
            maxPoolSize=32,
            retryWrites=True,
            appname="greenroom",
            event_listeners=[Commands()] if traced else [],
        )
        return Store(client, database)
