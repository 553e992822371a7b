"""A running server on a free port, with its own database and scripted model."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import SecretStr

from schemas.envelope import Id, Role
from server.app import make_app
from server.engine.packs import content_id, read_pack
from server.llm.scripted import ScriptedModel
from server.settings import Settings
from server.store import Store
from server.transports import keys
from server.transports.heads import Runner
from tests.support.databases import databases

PACK = Path(__file__).parent.parent / "data" / "packs" / "lesson.yaml"
UNLIMITED = {  # tests of other things send more than people do
    "events_per_second": 100_000.0,
    "events_burst": 100_000,
    "connections_per_identity": 100_000,
    "connections_per_address": 100_000,
}
SECRET = SecretStr("a secret of the tests, long enough for HS256")


@dataclass
class Server:
    """A running application and how to reach it; `siblings` are more of them on the same database."""

    url: str
    app: web.Application
    model: ScriptedModel
    model_url: str
    siblings: tuple[str, ...] = ()
    apps: tuple[web.Application, ...] = ()  # all of them, where a test has to reach inside
    _doors: int = 0

    @property
    def door(self) -> str:
        """Return the addresses in turn, so that clients spread over the servers."""
        self._doors += 1
        urls = (self.url, *self.siblings)
        return urls[self._doors % len(urls)]

    def token(
        self, profile: Id, *, role: Role = "learner", seconds: float = 3600, org: str = "default"
    ) -> str:
        """Return a token for a profile."""
        return self.app[keys.ACCESS].mint(role=role, profile_id=profile, seconds=seconds, org=org)

    async def script(self, *rules: dict[str, Any]) -> None:
        """Replace the model's rules."""
        async with (
            aiohttp.ClientSession() as http,
            http.put(f"{self.model_url}/script", json=list(rules)) as response,
        ):
            assert response.status < 300, await response.text()

    async def asked(self) -> list[dict[str, Any]]:
        """Return what the model was asked, oldest first."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.model_url}/requests") as response,
        ):
            found: list[dict[str, Any]] = await response.json()
            return found


def practice(key: str) -> Id:
    """Return the id of a practice of the tests' pack."""
    return content_id("lesson", "practice", key)


def home(key: str) -> Id:
    """Return the id of a home of the tests' pack."""
    return content_id("lesson", "home", key)


def settings_for(mongod_url: str, model_url: str, **changes: Any) -> Settings:
    """Return settings for a server of its own database."""
    return Settings(
        mongodb_url=SecretStr(mongod_url),
        mongodb_database=databases.name(mongod_url),
        openai_api_key=SecretStr("not-a-key"),
        openai_base_url=model_url,
        openai_model="scripted",
        port=0,
        **{**UNLIMITED, **changes},
    )


async def load_pack(app: web.Application) -> None:
    """Store the tests' content."""
    await load_content(app[keys.STORE])


async def load_content(store: Store) -> None:
    """Store the tests' content without an application."""
    pack = read_pack(PACK.read_text(), file=str(PACK))
    await store.content.put(pack.contents, org="default")


@asynccontextmanager
async def running(
    settings: Settings, *, guests: bool = True, middlewares: Iterable[Middleware] = ()
) -> AsyncIterator[tuple[str, web.Application]]:
    """Run an application on a free port, with what a test wants around its handlers."""
    if settings.redis_url is not None:
        databases.keep(settings.mongodb_database)  # what waits in the queue outlasts the test
    app = make_app(settings, secret=SECRET, guests=guests)
    app.middlewares.extend(middlewares)
    runner = Runner(app, shutdown_timeout=2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", app
    finally:
        await runner.cleanup()
    assert not app[keys.BROKEN].is_set()
