"""A server that fetches plugins from the tests' mirror, and an author who starts batch jobs on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest_asyncio

from schemas.batch import BatchResult
from schemas.batch_job import BatchJob
from schemas.envelope import Id
from server.engine.access import Identity
from server.engine.batch.batches import Batches
from server.llm.scripted import ScriptedModel
from server.store import Store
from server.transports import keys
from tests.support.batches import FINDS, MIRROR, check_job, identity, job_of, until_ended, until_results
from tests.support.running import Server, running, settings_for


@dataclass
class Shop:
    """A server, an author, and what they do with batch jobs."""

    server: Server
    author: Identity = field(default_factory=identity)

    @property
    def batches(self) -> Batches:
        """Return the server's batch jobs."""
        return self.server.app[keys.BATCHES]

    @property
    def store(self) -> Store:
        """Return the server's store."""
        return self.server.app[keys.STORE]

    async def start(self, cases: int = 1, **changes: Any) -> BatchJob:
        """Start a job with so many runs."""
        return await self.batches.start(self.author, job_of(cases, **changes))

    async def get(self, job_id: Id) -> BatchJob:
        """Return a job as it is now."""
        return await self.batches.get(self.author, job_id)

    async def cancel(self, job_id: Id) -> BatchJob:
        """Cancel a job."""
        return await self.batches.cancel(self.author, job_id)

    async def results(self, job_id: Id, count: int) -> list[BatchResult]:
        """Return a job's results once there are so many."""
        return await until_results(self.batches, self.author, job_id, count)

    async def ended(self, job_id: Id) -> BatchJob:
        """Return a job once it has ended, and check all that is stored of it."""
        found = await until_ended(self.batches, self.author, job_id)
        await self.server.app[keys.HUB].log.flush()
        await check_job(self.store, job_id)
        return found


OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]


@asynccontextmanager
async def shop_on(mongod_url: str, model: tuple[ScriptedModel, str], **changes: Any) -> AsyncIterator[Shop]:
    """Run a server with some settings."""
    settings = settings_for(mongod_url, model[1]).model_copy(update={"url_mirror": MIRROR, **changes})
    async with running(settings) as (url, app):
        yield Shop(Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1")))


@pytest_asyncio.fixture
async def open_shop(mongod_url: str, model: tuple[ScriptedModel, str]) -> OpenShop:
    """Let a test run servers with settings of its own, whose model finds what is asked for."""
    model[0].script([FINDS])
    return partial(shop_on, mongod_url, model)


@pytest_asyncio.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    """Run a server."""
    async with open_shop() as found:
        yield found
