"""Realtime sessions of an OpenAI-compatible endpoint: events both ways over one WebSocket."""

import asyncio
from typing import Any

import openai
import orjson
from openai import AsyncOpenAI
from websockets.exceptions import InvalidStatus, WebSocketException

from schemas.envelope import JsonObject
from server.errors import Upstream
from server.llm.providers import OPENAI_URL

CONNECT_SECONDS = 8.0
SEND_SECONDS = 5.0
CLOSE_SECONDS = 1.0
MAX_EVENT = 16 * 1024 * 1024
_CLOSED = (openai.OpenAIError, WebSocketException, OSError, TimeoutError)
_NO_KEY = "none"  # the SDK wants one, endpoints of one's own do not


class RealtimeLine:
    """One open session. Events are dicts as the protocol has them; receiving may be cancelled."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def send(self, event: JsonObject) -> None:
        """Send an event; raises Upstream when the session is closed, or nobody takes it in time."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._connection.send(event)
        except _CLOSED as error:
            raise Upstream("The voice endpoint closed the session.") from error

    async def receive(self) -> JsonObject | None:
        """Return the next event, None when the session is closed; what is no event is left out."""
        while True:
            try:
                data = await self._connection.recv_bytes()
            except _CLOSED:
                return None
            try:
                event = orjson.loads(data)
            except orjson.JSONDecodeError:
                continue
            if isinstance(event, dict) and isinstance(event.get("type"), str):
                return event

    async def close(self) -> None:
        """Close the session, within a second."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close()
        except _CLOSED:
            return


class Realtime:
    """Opens realtime sessions at one endpoint; without `base_url` OpenAI's."""

    def __init__(self, *, base_url: str | None, api_key: str | None, model: str) -> None:
        self._model = model
        self._client = AsyncOpenAI(base_url=base_url or OPENAI_URL, api_key=api_key or _NO_KEY)

    async def connect(self) -> RealtimeLine:
        """Open a session; raises Upstream."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._client.realtime.connect(
                    model=self._model, websocket_connection_options={"max_size": MAX_EVENT}
                ).enter()
        except TimeoutError as error:
            raise Upstream("The voice endpoint did not answer in time.") from error
        except InvalidStatus as error:
            told = f"The voice endpoint refuses the session (HTTP {error.response.status_code})"
            raise Upstream(f"{told}: check its address, key and model.") from error
        except _CLOSED as error:
            raise Upstream("The voice endpoint cannot be reached.") from error
        return RealtimeLine(connection)

    async def aclose(self) -> None:
        """Close what is still open."""
        await self._client.close()
