"""A client of /api/v1, and people who use it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import orjson

from schemas.envelope import Id, Role
from server.engine.ids import new
from server.transports import keys
from tests.support.running import Server


class Rest:
    """Asks for addresses under /api/v1 as one person."""

    def __init__(self, http: aiohttp.ClientSession, url: str, *, profile: Id, token: str | None) -> None:
        self._http = http
        self.url = url
        self.profile = profile
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.answered: Mapping[str, str] = {}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        status: int,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Return the body of an answer that must have a status; its headers are kept in `answered`."""
        async with self._http.request(
            method,
            f"{self.url}/api/v1/{path}",
            data=BytesIO(data) if data else None,  # of large bytes aiohttp warns
            headers={**self.headers, **(headers or {})},
        ) as response:
            body = await response.read()
            assert response.status == status, (response.status, body)
            self.answered = response.headers
            return body

    async def get(self, path: str, status: int = 200) -> Any:
        """Get an object or a page."""
        return orjson.loads(await self.ask("GET", path, status=status))

    async def post(self, path: str, body: object = None, status: int = 201) -> Any:
        """Post an object."""
        return orjson.loads(await self.ask("POST", path, status=status, data=orjson.dumps(body or {})))

    async def put(self, path: str, body: object, status: int = 200, *, version: str | None = None) -> Any:
        """Put an object, for a version if one is given."""
        headers = {"If-Match": version} if version else {}
        return orjson.loads(
            await self.ask("PUT", path, status=status, data=orjson.dumps(body), headers=headers)
        )

    async def outcome(self, method: str, path: str, body: object, *, version: str | None = None) -> int:
        """Return the status of an answer that may be any."""
        headers = {**self.headers, **({"If-Match": version} if version else {})}
        async with self._http.request(
            method, f"{self.url}/api/v1/{path}", data=orjson.dumps(body), headers=headers
        ) as response:
            return response.status

    async def delete(self, path: str, status: int = 204) -> Any:
        """Delete an object."""
        body = await self.ask("DELETE", path, status=status)
        return orjson.loads(body) if body else None

    async def start(self, practice_id: Id) -> dict[str, Any]:
        """Start an attempt of a practice."""
        address = f"{self.url}/socket/v5/client/attempt/start"
        async with self._http.post(
            address, json={"practice_id": practice_id}, headers=self.headers
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert answer["success"], answer
            return answer

    async def names(self, path: str) -> list[str]:
        """Return the names on a page, newest first."""
        return [item["name"] for item in (await self.get(path))["items"]]

    async def refused(self, path: str, *, status: int) -> str:
        """Return the error code of an address that must not be answered."""
        answer = await self.get(path, status=status)
        assert answer["success"] is False
        code: str = answer["error"]["code"]
        return code


class People:
    """Makes clients for people of several roles and organisations."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self._server = server
        self._http = http

    def a(self, role: Role, *, profile: Id | None = None, org: str = "default") -> Rest:
        """Return somebody's client."""
        profile = profile or new()
        token = self._server.app[keys.ACCESS].mint(role=role, profile_id=profile, seconds=3600, org=org)
        return Rest(self._http, self._server.url, profile=profile, token=token)

    def with_token(self, token: str | None) -> Rest:
        """Return the client of whoever a token names; without one, a guest's."""
        return Rest(self._http, self._server.url, profile=new(), token=token)


@asynccontextmanager
async def people_of(server: Server) -> AsyncIterator[People]:
    """Open an HTTP session for everybody."""
    async with aiohttp.ClientSession() as http:
        yield People(server, http)
