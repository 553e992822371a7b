"""Recordings of what was said aloud, to be played (socket-v5 §8, §10)."""

from collections.abc import AsyncGenerator
from functools import partial

from aiohttp import web

from schemas.envelope import Id
from server.engine.attempts.reading import Reading
from server.errors import NotFound
from server.store.sounds import SoundStore
from server.transports import keys
from server.transports.documents.told import Media, told
from server.transports.http_query import id_of
from server.transports.http_requests import identify
from server.transports.ranges import ranged

WAV = Media("audio/wav")
SOUND = {200: WAV, 206: WAV, 304: None, 416: Media("application/json")}


def attach(app: web.Application) -> None:
    """Add the address of messages' recordings."""
    store = app[keys.STORE]
    sounds = HttpSounds(Reading(store, app[keys.HUB]), store.sounds)
    app.router.add_get("/api/v1/messages/{id}/audio", sounds.of_message)


class HttpSounds:
    """The handler of recordings."""

    def __init__(self, reading: Reading, sounds: SoundStore) -> None:
        self._reading = reading
        self._sounds = sounds

    @told(SOUND, headers={"Range": str})
    async def of_message(self, request: web.Request) -> web.StreamResponse:
        """Answer how a message sounded, as a WAV file, whole or the range that is asked for."""
        message_id = id_of(request)
        message = await self._reading.part(await identify(request), "message", message_id)
        if message.get("audio") is None:
            raise NotFound("This message was not spoken, so there is no recording of it.")
        return await recording(request, self._sounds, message["audio"]["id"], name=f"{message_id}.wav")


async def recording(
    request: web.Request, sounds: SoundStore, sound_id: Id, *, name: str
) -> web.StreamResponse:
    """Answer a recording that the caller may hear; raises NotFound when it is not stored (yet)."""
    file = await sounds.get(sound_id)
    if file is None:
        raise NotFound("This recording is not stored; what was said just now takes a moment.")
    return await ranged(
        request,
        partial(_read, sounds, sound_id),
        length=file.length,
        content_type=file.content_type,
        etag=sound_id,
        name=name,
    )


def _read(sounds: SoundStore, sound_id: Id, start: int, end: int) -> AsyncGenerator[bytes, None]:
    return sounds.read(sound_id, start=start, end=end)
