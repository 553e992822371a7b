"""What indexing is put together of."""

from dataclasses import dataclass

from schemas.envelope import Id
from server.jobs import Jobs
from server.llm import Embedder
from server.rooms.process import Process
from server.store import Store

INDEX = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The server's parts that indexing needs."""

    store: Store
    jobs: Jobs
    process: Process
    embedder: Embedder


class Indexing:
    """Has documents indexed; where that is done is up to the processes with free slots."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._jobs = parts.jobs

    async def wake(self, pipeline_id: Id) -> None:
        """Have the documents of a pipeline that wait indexed soon; never raises, and once is enough."""
        await self._jobs.wake(INDEX, pipeline_id)

    async def retry(self, pipeline_id: Id) -> int:
        """Have the documents indexed that failed; return how many there are. Raises Unavailable."""
        count = await self._store.indexing.retry(pipeline_id)
        await self.wake(pipeline_id)  # also when none has failed: it may have been lost
        return count
