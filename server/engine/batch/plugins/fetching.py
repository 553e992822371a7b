"""Fetch web addresses safely: in bounded time and size, from public addresses only, each content once."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from yarl import URL

from server.engine.addresses import PublicResolver, checked, origin_of, shown
from server.engine.batch.plugins.etags import ETags, Kept, Key
from server.engine.batch.plugins.mirror import Mirror
from server.engine.batch.plugins.plugin import METHODS
from server.errors import BadRequest, NotFound, TooLarge, Upstream
from server.llm.failures import retry_after_of

SECONDS = 15.0
MAX_BYTES = 8 * 1024 * 1024
MAX_REDIRECTS = 5
MAX_ANSWER = 8_000
_ANSWER_BYTES = 4 * MAX_ANSWER  # UTF-8 has at most four for a character
_CONNECTIONS = 64
_PER_HOST = 16
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {
    "Accept": "application/json, application/yaml;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "Greenroom",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The content of an address; `url` is where redirects led."""

    url: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """A request; `headers` are for the origin of `url` only."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None = None
    kept: bool = False  # whether contents are kept by their ETags

    @property
    def key(self) -> Key:
        given = hashlib.sha256(repr(sorted(self.headers.items())).encode())
        return str(self.url), given.digest()


class Fetcher:
    """Fetches for the whole process; with a mirror from its folder, and then never from the network.

    Only http(s) without credentials in the address, at most 5 redirects, each checked like the address
    itself, 15 seconds and 8 MB (unpacked) for all of it. Unless `private`, all addresses that a name
    resolves to have to be public. Headers that a caller gives go to the origin that they were given for,
    never to another by a redirect. Contents with an ETag are kept and asked for again with If-None-Match;
    what was fetched with headers is kept for the same headers only.
    """

    def __init__(self, *, mirror: Path | None, private: bool, seconds: float = SECONDS) -> None:
        self.private = private
        self._mirror = Mirror(root=mirror) if mirror else None
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._etags = ETags()
        self._flights: dict[Key, asyncio.Task[Fetched]] = {}

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """Return the content of an address; who asks at the same time shares one request.

        Raises NotFound, BadRequest, TooLarge or Upstream with a sentence that names the address, never with
        text of the content. Cancelling is safe.
        """
        address = checked(url, private=self.private)
        ask = _Ask(method="GET", url=address, headers=headers or {}, kept=True)
        flight = self._flights.get(ask.key)
        if flight is None:
            flight = self._flights[ask.key] = asyncio.create_task(self._get(ask))
            flight.add_done_callback(lambda done: self._landed(ask.key, done))
        return await asyncio.shield(flight)

    async def request(self, method: str, url: str, *, body: object = None) -> str:
        """Return the first 8,000 characters of what an API answers, for an error after `HTTP <status>`.

        A body is sent as JSON. Nothing is kept. Raises like get, but not for an error that the API answers.
        """
        address = checked(url, private=self.private)
        if method.lower() not in METHODS:
            raise BadRequest(f"{shown(address)} was not called: no HTTP method has the name that was given")
        if self._mirror:
            if method.upper() != "GET":
                raise NotFound(f"{shown(address)} was not called: the mirror only answers GET requests")
            return _cut((await self._mirrored(address)).body)
        packed = None if body is None else json.dumps(body).encode()
        headers = {} if packed is None else {"Content-Type": "application/json"}
        ask = _Ask(method=method.upper(), url=address, headers=headers, body=packed)
        async with self._in_time(address), self._response(ask) as (response, _):
            text = _cut(await _some(response, limit=_ANSWER_BYTES))
            return text if response.ok else f"HTTP {response.status}\n{text}"[:MAX_ANSWER]

    async def aclose(self) -> None:
        """End what is under way and close all connections."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        if self._session:
            await self._session.close()

    def _landed(self, key: Key, flight: asyncio.Task[Fetched]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # those who asked may have gone, and then nobody else looks at it

    async def _get(self, ask: _Ask) -> Fetched:
        if self._mirror:
            return await self._mirrored(ask.url)
        async with self._in_time(ask.url), self._response(ask) as (response, last):
            kept = self._etags.get(last.key)
            if response.status == 304 and kept:
                return Fetched(url=str(last.url), body=kept.body)
            _expect_content(response, last.url)
            body = await _whole(response, last.url)
            self._keep(last, response, body)
            return Fetched(url=str(last.url), body=body)

    async def _mirrored(self, url: URL) -> Fetched:
        assert self._mirror
        return Fetched(url=str(url), body=await asyncio.to_thread(self._mirror.read, url, limit=MAX_BYTES))

    def _keep(self, ask: _Ask, response: aiohttp.ClientResponse, body: bytes) -> None:
        etag = response.headers.get("ETag")
        if etag and "no-store" not in response.headers.get("Cache-Control", "").lower():
            self._etags.put(ask.key, Kept(etag=etag, body=body))
        else:
            self._etags.drop(ask.key)

    @asynccontextmanager
    async def _response(self, ask: _Ask) -> AsyncIterator[tuple[aiohttp.ClientResponse, _Ask]]:
        """Send a request and yield the answer behind its redirects, with the request that led to it."""
        for _ in range(MAX_REDIRECTS + 1):
            kept = self._etags.get(ask.key) if ask.kept else None
            headers = {**_HEADERS, **ask.headers, **({"If-None-Match": kept.etag} if kept else {})}
            async with self._sessions().request(
                ask.method, ask.url, headers=headers, data=ask.body, allow_redirects=False
            ) as response:
                if response.status not in _REDIRECTS:
                    yield response, ask
                    return
            ask = self._redirected(ask, response)
        raise BadRequest(f"{shown(ask.url)} is reached by more than {MAX_REDIRECTS} redirects: skip some")

    def _redirected(self, ask: _Ask, response: aiohttp.ClientResponse) -> _Ask:
        try:
            target = ask.url.join(URL(response.headers.get("Location", "")))
        except ValueError as error:
            raise BadRequest(f"{shown(ask.url)} redirects to what is no address") from error
        following = replace(ask, url=checked(target, private=self.private))
        if origin_of(ask.url) != origin_of(following.url):
            following = replace(following, headers={})
        if response.status == 303 or (response.status in (301, 302) and ask.method == "POST"):
            following = replace(following, method="GET", body=None)
        return following

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=PublicResolver(private=self.private), limit=_CONNECTIONS, limit_per_host=_PER_HOST
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # one limit for all redirects together
            )
        return self._session

    @asynccontextmanager
    async def _in_time(self, url: URL) -> AsyncIterator[None]:
        """Limit the time of what is done with an address, and say in a sentence what went wrong."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise Upstream(
                f"{shown(url)} did not answer in full within {self._seconds:g} seconds; try again"
            ) from error
        except aiohttp.InvalidURL as error:
            raise BadRequest(f"{shown(url)} leads to what is no address") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise Upstream(f"{shown(url)} cannot be reached: its host has no address") from error
        except aiohttp.ClientError as error:
            raise Upstream(f"{shown(url)} cannot be reached, or does not speak HTTP; try again") from error


def _expect_content(response: aiohttp.ClientResponse, url: URL) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise NotFound(f"There is nothing at {shown(url)} (HTTP {status}): check the address")
    if status in (408, 425, 429) or status >= 500:
        wait = retry_after_of(response.headers) if status in (429, 503) else None
        raise Upstream(f"{shown(url)} fails with HTTP {status}; try again", retry_after=wait)
    raise BadRequest(f"{shown(url)} cannot be read without more rights (HTTP {status}): check the address")


async def _whole(response: aiohttp.ClientResponse, url: URL) -> bytes:
    body = await _some(response, limit=MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise TooLarge(f"{shown(url)} is larger than {MAX_BYTES:,} bytes")
    return body


async def _some(response: aiohttp.ClientResponse, *, limit: int) -> bytes:
    """Read at most `limit` unpacked bytes; aiohttp unpacks small pieces at a time."""
    pieces, size = [], 0
    async for piece in response.content.iter_chunked(64 * 1024):
        pieces.append(piece)
        size += len(piece)
        if size >= limit:
            response.close()  # the rest is not wanted
            break
    return b"".join(pieces)[:limit]


def _cut(body: bytes) -> str:
    return body.decode("utf-8", "replace")[:MAX_ANSWER]
