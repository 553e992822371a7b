"""People of several roles and organisations, over every transport."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from schemas.envelope import Role
from server.engine.ids import new
from server.transports import keys
from tests.support.attempts import Client
from tests.support.clients import Http, Socket, http_client, socket
from tests.support.rest import People, people_of
from tests.support.running import Server


class Staff:
    """Connects people who are gone when the test ends; `people` use REST."""

    def __init__(self, server: Server, stack: AsyncExitStack, people: People) -> None:
        self._server = server
        self._stack = stack
        self.people = people

    async def socket(self, role: Role = "ops", *, org: str = "default") -> Socket:
        """Connect somebody by a socket."""
        auth = {"token": self._token(role, org)}
        return await self._stack.enter_async_context(socket(self._server.door, auth))

    async def http(self, role: Role = "ops", *, org: str = "default") -> Http:
        """Connect somebody by a session with a stream."""
        token = self._token(role, org)
        client = await self._stack.enter_async_context(http_client(self._server.door, token=token))
        await client.connect()
        return client

    async def over(self, transport: str, role: Role = "ops", *, org: str = "default") -> Client:
        """Connect somebody over a transport."""
        return await (self.http if transport == "http" else self.socket)(role, org=org)

    def _token(self, role: Role, org: str) -> str:
        return self._server.app[keys.ACCESS].mint(role=role, profile_id=new(), seconds=600, org=org)


@asynccontextmanager
async def staff_of(server: Server) -> AsyncIterator[Staff]:
    """Let people connect to a server."""
    async with AsyncExitStack() as stack, people_of(server) as people:
        yield Staff(server, stack, people)
