"""Entries that a test puts into rooms itself, by the log of a running application."""

import asyncio

from aiohttp import web

from schemas.attempt import AttemptProgress
from server.engine.ids import new
from server.transports import keys


async def publish(app: web.Application, room: str, *contents: str) -> list[int]:
    """Put deltas into a chat's room, each with a content; return their offsets when they are in the log."""
    log = app[keys.HUB].log
    chat_id = room.removeprefix("attempt_")
    deltas = [
        AttemptProgress(chat_id=chat_id, content_type="delta", content=c, message_id=new()) for c in contents
    ]
    return list(await asyncio.gather(*(log.publish(room, d.event, d.encode()) for d in deltas)))
