"""Recordings of what was said aloud, as files in GridFS."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from gridfs.errors import CorruptGridFile, FileExists, NoFile
from motor.motor_asyncio import AsyncIOMotorDatabase, AsyncIOMotorGridFSBucket
from pymongo import IndexModel

from schemas.envelope import Id
from server.store.guard import guard

BUCKET = "sounds"
READ_BYTES = 256 * 1024
SoundKind = Literal["message", "run"]
INDEXES: dict[str, list[IndexModel]] = {
    f"{BUCKET}.files": [IndexModel([("metadata.of", 1)])],
    f"{BUCKET}.chunks": [IndexModel([("files_id", 1), ("n", 1)], unique=True)],  # that of GridFS
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """A kept recording: the bytes of its file, what it is, and what it belongs to."""

    id: Id
    length: int
    content_type: str
    kind: SoundKind
    of: str


class SoundStore:
    """Keeps recordings by id; one that is stored again stays as it was."""

    def __init__(self, database: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._database = database
        self._files = database[f"{BUCKET}.files"]

    @cached_property
    def _bucket(self) -> AsyncIOMotorGridFSBucket:
        return AsyncIOMotorGridFSBucket(self._database, bucket_name=BUCKET)  # wants the loop that it runs in

    async def put(
        self,
        sound_id: Id,
        data: bytes,
        *,
        kind: SoundKind,
        of: str,
        org: str,
        content_type: str = "audio/wav",
    ) -> None:
        """Store a file; `of` is the id of the chat or result with which it is deleted."""
        about = {"kind": kind, "of": of, "org": org, "content_type": content_type}
        with guard():
            try:
                await self._bucket.upload_from_stream_with_id(sound_id, sound_id, data, metadata=about)
            except FileExists:
                if await self.get(sound_id) is None:  # there are parts only, of a try that was cut off
                    await self._database[f"{BUCKET}.chunks"].delete_many({"files_id": sound_id})
                    await self._bucket.upload_from_stream_with_id(sound_id, sound_id, data, metadata=about)

    async def get(self, sound_id: Id) -> SoundFile | None:
        """Return what is known of a file, None when there is none."""
        with guard():
            row = await self._files.find_one({"_id": sound_id})
        if row is None:
            return None
        about = row["metadata"]
        return SoundFile(
            id=sound_id,
            length=row["length"],
            content_type=about["content_type"],
            kind=about["kind"],
            of=about["of"],
        )

    async def read(
        self, sound_id: Id, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file from `start` to before `end`; ends early when it is deleted meanwhile."""
        with guard():
            try:
                file: Any = await self._bucket.open_download_stream(sound_id)
                left = (file.length if end is None else min(end, file.length)) - start
                file.seek(start)
                while left > 0:
                    data = await file.read(min(left, READ_BYTES))
                    left -= len(data)
                    yield data
            except (NoFile, CorruptGridFile):
                return

    async def drop_of(self, of: str) -> None:
        """Remove all files of a chat or result."""
        with guard():
            async for row in self._files.find({"metadata.of": of}, projection={"_id": 1}):
                await self._drop(row["_id"])

    async def _drop(self, sound_id: Id) -> None:
        try:
            await self._bucket.delete(sound_id)
        except NoFile:
            return
