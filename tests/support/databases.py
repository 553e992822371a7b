"""Databases for tests: what one test is done with is emptied and given to a later one.

Making a database takes half a second, most of it for some hundred indexes; emptying one a twentieth of that.
"""

from collections import deque
from itertools import count
from typing import Any
from uuid import uuid4

from pymongo import MongoClient

RESTING = 6  # how many rest before the one that rested longest is given away: what hung on it is gone by then
MANY = 5_000  # what so many were deleted from is dropped: reading it would go through what was there


class Databases:
    """Gives each server a database of its own, on the run's mongod one that others may have used before."""

    def __init__(self) -> None:
        self._home: MongoClient[dict[str, Any]] | None = None
        self._address: str | None = None
        self._run = uuid4().hex[:8]
        self._numbers = count()
        self._lent: list[str] = []
        self._resting: deque[str] = deque()

    def live_at(self, url: str) -> None:
        """Remember the mongod on which databases are used again; on others each is new."""
        self._home, self._address = MongoClient(url), url

    def name(self, url: str) -> str:
        """Return the name of an empty database on a mongod."""
        if url != self._address or len(self._resting) < RESTING:
            name = f"test-{self._run}-{next(self._numbers)}"
        else:
            name = self._resting.popleft()
            self._empty(name)
        if url == self._address:
            self._lent.append(name)
        return name

    def keep(self, name: str) -> str:
        """Never use a database again, which another process may write to after its test; return its name."""
        if name in self._lent:
            self._lent.remove(name)
        return name

    def lent(self) -> list[str]:
        """Return those in use now."""
        return list(self._lent)

    def give_back(self, but: list[str]) -> None:
        """Let all in use be used again but for those."""
        done = [name for name in self._lent if name not in but]
        self._lent = but
        self._resting.extend(done)

    def close(self) -> None:
        """Forget the mongod."""
        assert self._home is not None
        self._home.close()
        self._home = self._address = None

    def _empty(self, name: str) -> None:
        assert self._home is not None
        database = self._home[name]
        for collection in database.list_collection_names():
            if database[collection].delete_many({}).deleted_count > MANY:
                database[collection].drop()


databases = Databases()
