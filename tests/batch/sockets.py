"""Sockets of batch jobs, as tests of their refusals and endings need them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from schemas.envelope import Role
from server.engine.ids import new
from server.transports.ws_batch import BATCH_SOCKETS
from server.transports.ws_batch_link import JobLink
from tests.batch.conftest import Shop
from tests.support.batch_jobs import PATH, Ended, Message, Talk
from tests.support.passing import passes


def token_of(shop: Shop, role: Role = "author", *, org: str = "default") -> str:
    """Return a token of somebody; an author of the default organisation is the shop's own."""
    own = role == "author" and org == "default"
    return shop.server.token(shop.author.id if own else new(), role=role, org=org)


@asynccontextmanager
async def opened(
    shop: Shop, *, token: str | None = None, headers: Mapping[str, str] | None = None, query: str = ""
) -> AsyncIterator[Talk]:
    """Open a socket and say nothing; as the shop's author unless told otherwise."""
    if headers is None:
        headers = {"Authorization": f"Bearer {token or token_of(shop)}"}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{shop.server.url}{PATH}{query}", headers=headers, max_msg_size=0) as socket,
    ):
        yield Talk(socket)


async def last_words(talk: Talk) -> tuple[Message, int | None]:
    """Return the one message that is left, and the code of the close behind it."""
    message = await talk.hear()
    try:
        more = await talk.hear()
    except Ended as ended:
        return message, ended.code
    raise AssertionError(f"there is more: {more}")


def links(shop: Shop) -> list[JobLink]:
    """Return the server's ends of the open sockets."""
    return list(shop.server.app[BATCH_SOCKETS].links)


async def until(condition: Callable[[], bool]) -> None:
    """Return once something holds of the server that tells nobody."""
    async with asyncio.timeout(20):
        while not condition():
            await passes(0.02, because="the ends of connections are told to their clients only")
