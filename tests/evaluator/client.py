"""Clients of /test_framework/, each with the API key of one person."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from schemas.envelope import Role
from server.engine.ids import new
from server.transports import keys
from tests.evaluator.lab import HELLO_BYE, WITHIN
from tests.support.passing import passes
from tests.support.running import Server

V1 = "/test_framework/v1/"
TEXT = "scenarios-external/run_scenarios_text/"
VOICE = "scenarios-external/run_scenarios/"
NOWHERE = "ws://127.0.0.1:9/agent"  # nobody listens there


class Client:
    """Asks for addresses; paths are below v1 unless they begin with a slash."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self.url = url
        self.headers = dict(headers)
        self.answered: Mapping[str, str] = {}

    async def raw(
        self, method: str, path: str, *, status: int, data: bytes | None = None, headers: Any = None
    ) -> bytes:
        """Return the body of an answer that must have a status; its headers are kept in `answered`."""
        address = f"{self.url}{path}" if path.startswith("/") else f"{self.url}{V1}{path}"
        async with self._http.request(
            method,
            address,
            data=data,
            headers={**self.headers, **(headers or {})},
            allow_redirects=False,
        ) as response:
            body = await response.read()
            assert response.status == status, (response.status, body[:2000])
            self.answered = response.headers
            return body

    async def ask(self, method: str, path: str, body: object = None, *, status: int, **headers: str) -> Any:
        """Return what is answered, None for nothing."""
        data = None if body is None else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.raw(method, path, status=status, data=data, headers=named)
        return orjson.loads(answer) if answer else None

    async def get(self, path: str, status: int = 200) -> Any:
        """Get something."""
        return await self.ask("GET", path, status=status)

    async def post(self, path: str, body: object = None, status: int = 201, **headers: str) -> Any:
        """Post something."""
        return await self.ask("POST", path, body or {}, status=status, **headers)

    async def outcome(self, path: str, body: object, *, method: str = "POST") -> tuple[int, Any]:
        """Send something and return the status and what is answered, whatever they are."""
        address = f"{self.url}{V1}{path}"
        async with self._http.request(method, address, json=body, headers=self.headers) as response:
            return response.status, orjson.loads(await response.read())

    async def status(self, method: str, path: str) -> int:
        """Ask for something and return the status, whatever it is."""
        async with self._http.request(method, f"{self.url}{V1}{path}", headers=self.headers) as response:
            return response.status

    async def create(self, kind: str, **body: Any) -> int:
        """Store a resource and return its number; what it needs and is not given, it gets."""
        number: int = (await self.post(f"{kind}/", {**_least(kind), **body}))["id"]
        return number


class Desk:
    """Makes clients for people of several roles and organisations."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.server = server
        self._http = http

    async def person(
        self, role: Role = "author", *, org: str = "default", header: str = "X-VOCERA-API-KEY"
    ) -> Client:
        """Return the client of somebody with a new API key."""
        key = await self.server.app[keys.ACCESS].create_key(role=role, profile_id=new(), org=org)
        return self.showing({header: f"Bearer {key}" if header == "Authorization" else key})

    def showing(self, headers: Mapping[str, str]) -> Client:
        """Return a client that shows these headers."""
        return Client(self._http, self.server.url, headers)


@asynccontextmanager
async def desk_of(server: Server) -> AsyncIterator[Desk]:
    """Open an HTTP session for everybody."""
    async with aiohttp.ClientSession() as http:
        yield Desk(server, http)


async def agent_at(author: Client, url: str = NOWHERE, **changes: Any) -> int:
    """Keep an agent that is greeted."""
    return await author.create("aiagents", websocket_url=url, agent_gives_first_message=False, **changes)


async def scenario_of(author: Client, clerk: int, **changes: Any) -> int:
    """Keep a scenario that needs no model."""
    acts: dict[str, Any] = {"scenario_type": "conditional_actions", "conditional_actions": HELLO_BYE}
    return await author.create("scenarios", agent=clerk, **acts, **changes)


async def ended(author: Client, result: int) -> Any:
    """Return a result once it has ended."""
    async with asyncio.timeout(WITHIN):
        while (found := await author.get(f"results/{result}/"))["ended_at"] is None:
            await passes(0.05, because="this client does not follow rooms")
    return found


def _least(kind: str) -> dict[str, Any]:
    match kind:
        case "aiagents":
            return {"agent_name": "shop"}
        case "scenarios":
            return {"name": "greets", "instructions": "Order two cups."}
        case "metrics":
            return {"name": "polite", "prompt": "Was the agent polite?"}
        case _:
            return {"name": "somebody"}
