"""What a connection took is free when it ends: no cycle keeps it until a collection, which seldom comes."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import pytest
import pytest_asyncio

from server.llm.scripted import ScriptedModel
from tests.conftest import Cast
from tests.recovery.test_leaks import WAYS, Visitor, held, look, reset
from tests.support.clients import PATIENCE
from tests.support.running import Server, load_pack, practice, running, settings_for

TIMES = 5
OURS = ("server.transports.socketio", "server.transports.http", "server.transports.s", "server.rooms")
AIOHTTPS = ("aiohttp.web_ws", "aiohttp.web_request", "server.transports.heads")
Way = Callable[[Visitor], Awaitable[None]]


class Returning(Visitor):
    """Asks for recovery, which ties its connection to a session."""

    @property
    def connect(self) -> str:
        return super().connect[:-1] + ',"recovery":true}'


async def asks_for_recovery(visitor: Visitor) -> None:
    async with aiohttp.ClientSession() as http:
        reset(await Returning(visitor.url, visitor.token, visitor.chat_id).joined(http))


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that notices dead peers soon."""
    settings = settings_for(mongod_url, model[1], ping_interval=0.3, ping_timeout=0.2)
    async with running(settings) as (url, app):
        await load_pack(app)
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Leave everything to reference counts."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept(modules: tuple[str, ...]) -> Counter[str]:
    """Count what connections are made of."""
    kinds = Counter(type(found) for found in gc.get_objects())
    names = {f"{kind.__module__}.{kind.__name__}": count for kind, count in kinds.items()}
    return Counter({name: count for name, count in names.items() if name.startswith(modules)})


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("way", [*WAYS, asks_for_recovery])
async def test_no_cycle_keeps_a_connection_that_has_ended(server: Server, cast: Cast, way: Way) -> None:
    headers = {"Authorization": f"Bearer {server.token(cast.learner_id)}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        start = {"practice_id": practice("one")}
        async with http.post(f"{server.url}/socket/v5/client/attempt/start", json=start) as response:
            chat_id = (await response.json())["chat_id"]
    visitor = Visitor(server.url, server.token(cast.learner_id), chat_id)
    # aiohttp itself ties a knot where it could not answer a handshake
    modules = OURS if way is Visitor.is_reset_before_the_handshake_is_answered else (*OURS, *AIOHTTPS)
    await visit(server, visitor, way, 1)
    before = kept(modules)
    await visit(server, visitor, way, TIMES)
    async with asyncio.timeout(PATIENCE):
        while any(count >= TIMES for count in (kept(modules) - before).values()):
            await look(server)


async def visit(server: Server, visitor: Visitor, way: Way, times: int) -> None:
    """Come and go, and wait until the server has forgotten it."""
    for _ in range(times):
        await way(visitor)
    async with asyncio.timeout(PATIENCE):
        while any(held(server).values()):
            await look(server)
