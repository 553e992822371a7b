"""Posts of JSON to model endpoints over aiohttp alone, for callers that make thousands of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from server.errors import Upstream
from server.llm.bodies import ENCODINGS, received
from server.llm.failures import BAD_KEY, BROKE_OFF, UNREACHABLE, UNREADABLE, late

CONNECT_TIMEOUT = 10.0
_DNS_SECONDS = 60
_KEEP_SECONDS = 15.0  # endpoints close idle connections after 30 s and more
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": ENCODINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an endpoint answered, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Poster:
    """Keeps connections to endpoints and posts over them; `timeout` (s) bounds an answer."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}

    async def post(self, url: str, body: bytes, *, key: str | None) -> Reply:
        """Post once and return the whole answer, whatever its status.

        Raises Upstream when there is none. Cancelling closes the connection.
        """
        headers = {**_HEADERS, "Authorization": f"Bearer {_checked(key)}"} if key else _HEADERS
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(url, body, headers=headers)
        except TimeoutError:
            raise late(self._timeout) from None

    async def aclose(self) -> None:
        """Close the connections; posts under way break off."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        session = self._session = self._session or self._connect()
        try:
            async with session.post(url, data=body, headers=headers, proxy=self._proxy(url)) as response:
                data = await received(response)
                return Reply(status=response.status, headers=response.headers, body=data)
        except aiohttp.ServerDisconnectedError:
            raise Upstream(BROKE_OFF) from None
        except aiohttp.ClientResponseError:
            raise Upstream(UNREADABLE) from None
        except (aiohttp.ClientError, OSError, ValueError):  # a wrong address is the last
            raise Upstream(UNREACHABLE) from None

    def _connect(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the callers' pacing bounds them; a second limit would only hide waiting
            ttl_dns_cache=_DNS_SECONDS,
            keepalive_timeout=_KEEP_SECONDS,
        )
        connect = min(CONNECT_TIMEOUT, self._timeout)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
            auto_decompress=False,
        )

    def _proxy(self, url: str) -> str | None:
        """Return the environment's proxy; aiohttp's own search costs each post 0.4 ms of the processor."""
        if url not in self._proxies:
            parts = urlsplit(url)
            bypassed = proxy_bypass(parts.hostname or "")
            self._proxies[url] = None if bypassed else getproxies().get(parts.scheme)
        return self._proxies[url]


def _checked(key: str) -> str:
    """Return a key that a header can carry; raises Upstream for one that no endpoint has given out."""
    if not key.isascii() or not key.isprintable():
        raise Upstream(BAD_KEY, retryable=False)
    return key
