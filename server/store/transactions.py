"""Changes of several documents that happen together or not at all."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo.errors import ConnectionFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from server.store.guard import guard

TRIES = 12  # while others change the same documents
PAUSE_SECONDS = 0.02  # after the first try, at most; more after each
T = TypeVar("T")


async def transact(
    database: AsyncIOMotorDatabase[dict[str, Any]], work: Callable[[AsyncIOMotorClientSession], Awaitable[T]]
) -> T:
    """Do work in a transaction and return what it returns; it may be done several times, and once takes hold.

    The work gives the session to every call. Raises as `guard` does; whether a transaction took hold that was
    cut off in the end is not known, so work is best made such that doing it again is harmless.
    """
    with guard():
        async with await database.client.start_session() as session:
            for n in range(1, TRIES):
                try:
                    return await _once(session, work)
                except PyMongoError as error:
                    passing = error.has_error_label("TransientTransactionError")
                    if not passing or isinstance(error, ConnectionFailure):
                        raise
                await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * n))
            return await _once(session, work)


async def _once(
    session: AsyncIOMotorClientSession, work: Callable[[AsyncIOMotorClientSession], Awaitable[T]]
) -> T:
    async with session.start_transaction(
        read_concern=ReadConcern("snapshot"), write_concern=WriteConcern(w="majority", j=True)
    ):
        return await work(session)
