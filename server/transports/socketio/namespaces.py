"""Several namespaces on one connection, each with an application of its own."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from server.errors import RateLimited
from server.transports.socketio.packets import SocketPacket
from server.transports.socketio.peer import Client


class Served(Protocol):
    """What is served in one namespace."""

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Let a client in."""

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Handle one event."""

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """Answer an event that is not handled."""

    def draining(self, client: Client) -> None:
        """Tell a client that the process is about to stop."""

    def disconnected(self, client: Client) -> None:
        """Forget a client."""


class Namespaces:
    """Hands what concerns a client to the application of its namespace."""

    def __init__(self, served: Mapping[str, Served]) -> None:
        self._served = served
        self.namespaces: Collection[str] = served.keys()

    async def connect(self, client: Client, auth: dict[str, Any]) -> Callable[[], None]:
        """Let a client in; raises Refusal."""
        return await self._served[client.namespace].connect(client, auth)

    async def event(self, client: Client, event: SocketPacket) -> None:
        """Handle one event."""
        await self._served[client.namespace].event(client, event)

    def refuse(self, client: Client, event: SocketPacket, error: RateLimited) -> None:
        """Answer an event that is not handled, because there are too many."""
        self._served[client.namespace].refuse(client, event, error)

    def draining(self, client: Client) -> None:
        """Tell a client that the process is about to stop."""
        self._served[client.namespace].draining(client)

    def disconnected(self, client: Client) -> None:
        """Forget a client; harmless when done before."""
        self._served[client.namespace].disconnected(client)
