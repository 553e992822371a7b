"""Which server does what a command wants: one that is there already, else one of this process for as long."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from server.cli.address import http_url, reachable
from server.cli.failure import Failure
from server.cli.tokens import make_token
from server.settings import Settings

CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line says about the server, and what the command asks of it.

    `probe` is an address that an author of a server which does `what` may read; `own` are settings of a
    server that is started.
    """

    url: str | None
    token: str | None
    what: str
    probe: str
    own: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A server that answers: its address, an author's token of it, and a client that has both."""

    url: str
    token: str
    http: aiohttp.ClientSession


@asynccontextmanager
async def reached(settings: Settings, wanted: Wanted, *, own: bool) -> AsyncIterator[Reached]:
    """Yield the server at the usual address, or one of our own; raises Failure.

    `own` says that no server runs.
    """
    token = wanted.token or make_token(settings, "author")
    if not own:
        url = usual(settings, wanted)
        async with _client(url, token) as http:
            yield Reached(url=url, token=token, http=http)
        return
    from server.cli.serving import serving  # the whole application; other commands start faster without

    update = {"host": "127.0.0.1", "port": 0, **wanted.own}
    async with serving(settings.model_copy(update=update)) as server, _client(server.url, token) as http:
        yield Reached(url=server.url, token=token, http=http)


async def runs_already(settings: Settings, wanted: Wanted) -> bool:
    """Tell whether a server is there that takes the token; raises Failure when it is there and does not.

    A server that the command line or the environment names must be there.
    """
    url = usual(settings, wanted)
    async with _client(url, wanted.token or make_token(settings, "author")) as http:
        try:
            async with http.get(wanted.probe) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if wanted.url is not None:
                raise Failure(
                    f"no server answers at {url}; without --url and GREENROOM_URL this command starts one"
                ) from error
            return False
    _check(status, url, what=wanted.what)
    return True


def usual(settings: Settings, wanted: Wanted) -> str:
    """Return the address where a server is looked for."""
    return (wanted.url or http_url(reachable(settings.host), settings.port)).rstrip("/")


def _check(status: int, url: str, *, what: str) -> None:
    """See that the answer is that of a server that lets us do it; raises Failure."""
    if status == 401:
        raise Failure(
            f"the server at {url} refuses the token; give its --data-dir, its GREENROOM_SECRET or a --token"
        )
    if status == 403:
        raise Failure(f"the server at {url} lets this token start no {what}; it must be an author's")
    if status != 200:
        raise Failure(f"what answers at {url} is no Greenroom that runs {what} ({status}); see --url")


def _client(url: str, token: str) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT)
    return aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"}, timeout=timeout)
