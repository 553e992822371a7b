"""People who use the addresses of batch jobs."""

import io
from typing import Any

import aiohttp
import orjson

from schemas.envelope import Role
from tests.batch.conftest import Shop
from tests.batch.sockets import token_of


class Person:
    """Somebody who asks for addresses under /api."""

    def __init__(self, shop: Shop, http: aiohttp.ClientSession, token: str | None) -> None:
        self._shop = shop
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.headers: Any = {}

    async def ask(
        self, method: str, path: str, *, status: int = 200, body: object = None, **headers: str
    ) -> bytes:
        """Return the body of an answer that must have a status."""
        data = (
            io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body)) if body is not None else None
        )
        sent = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        url = f"{self._shop.server.url}/api/{path}"
        async with self._http.request(method, url, data=data, headers=sent) as response:
            answer = await response.read()
            assert response.status == status, (response.status, answer)
            self.headers = response.headers
            return answer

    async def get(self, path: str, *, status: int = 200) -> Any:
        """Get an object."""
        return orjson.loads(await self.ask("GET", path, status=status))

    async def post(self, body: object, *, query: str = "", status: int = 200, **headers: str) -> Any:
        """Start a job."""
        path = f"start-job{query}"
        return orjson.loads(await self.ask("POST", path, status=status, body=body, **headers))


def person(shop: Shop, http: aiohttp.ClientSession, role: Role = "author", *, org: str = "default") -> Person:
    """Return somebody of an organisation; an author of the default one is the shop's own."""
    return Person(shop, http, token_of(shop, role, org=org))
