"""Load the plugins of a job: manifests, OpenAPI documents and what they refer to, each fetched once."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
import structlog
from pydantic import SecretStr

from schemas.batch import BatchRequest
from schemas.envelope import JsonObject
from server.engine.addresses import origin_of, shown
from server.engine.batch.call_cache import OnceCache
from server.engine.batch.plugins.documents import (
    References,
    Remote,
    read_json_document,
    read_yaml_document,
)
from server.engine.batch.plugins.fetching import Fetched, Fetcher
from server.engine.batch.plugins.manifests import Manifest, allow, host_of, read_manifest
from server.engine.batch.plugins.operations import Source, read_operations
from server.engine.batch.plugins.plugin import METHODS, Operation, Plugin
from server.errors import BadRequest, GreenroomError, Internal

log = structlog.get_logger(__name__)
MAX_DOCUMENTS = 20  # that one plugin's references may lead to
MAX_TRIES = 3  # of a fetch that fails for now: its failure is that of all runs of its groups
BACKOFF = 0.5
LONGEST_PAUSE = 60.0  # of what a host asks for: the runs of a whole group wait
YAML_THREADS = ThreadPoolExecutor(2, thread_name_prefix="yaml")  # slow documents hold up none but their like

_Located = tuple[str, JsonObject]  # a document, and where redirects led to it


class PluginLoader:
    """Loads plugins for one job; each address is fetched once, and a failure is remembered like a success.

    A fetch that may succeed later is tried 3 times, after growing pauses or those that the host asks for.

    `headers` are credentials of the job. They are sent with the fetch of a manifest, and only when it lies
    at the origin (scheme, host, port) of `home`, the manifest of the job's test plugin: whoever writes a job
    vouches for that one, while groups also name manifests of strangers. They go over https only, unless
    private addresses are allowed; never along a redirect to another origin, never with OpenAPI documents or
    calls of APIs. Without `home` they are sent nowhere.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        headers: Mapping[str, str] | None = None,
        home: str | None = None,
        backoff: float = BACKOFF,
    ) -> None:
        self._fetcher = fetcher
        self._headers = dict(headers or {})
        self._home = origin_of(home) if home else None
        self._backoff = backoff
        self._documents = OnceCache[_Located](failures="all")
        self._plugins = OnceCache[Plugin](failures="all")

    @classmethod
    def for_job(
        cls, fetcher: Fetcher, request: BatchRequest, *, key: SecretStr | None = None
    ) -> "PluginLoader":
        """Return the loader of a job with its openplugin_api_key."""
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else None
        return cls(fetcher, headers=headers, home=request.test_plugin.manifest_url)

    async def load(self, manifest_url: str) -> Plugin:
        """Return the plugin of a manifest.

        Raises BadRequest, NotFound, TooLarge or Upstream with a sentence naming the address. Cancelling is
        safe: who waits for the same plugin loads it then.
        """
        plugin, _ = await self._plugins.get(manifest_url.encode(), lambda: self._load(manifest_url))
        return plugin

    async def group(self, urls: Sequence[str]) -> list[Plugin]:
        """Return the plugins of several manifests, each once, in their order; raises the first failure."""
        loads = [asyncio.ensure_future(self.load(url)) for url in dict.fromkeys(urls)]
        try:
            return list(await asyncio.gather(*loads))
        finally:
            for load in loads:
                load.cancel()

    async def _load(self, manifest_url: str) -> Plugin:
        async with _remembered(manifest_url):
            return await self._loaded(manifest_url)

    async def _loaded(self, manifest_url: str) -> Plugin:
        found_at, content = await self._document(manifest_url, headers=self._headers_for(manifest_url))
        manifest = read_manifest(content, url=found_at)
        if manifest.openapi_url is None:
            source = Source(document=content, url=found_at, references=References())
        else:
            at, document = await self._document(manifest.openapi_url)
            if not isinstance(document.get("paths"), dict):
                raise BadRequest(
                    f"{shown(at)}, which the manifest {shown(found_at)} names, is no OpenAPI document: "
                    "it has no paths"
                )
            source = Source(document=document, url=at, references=References())
        source.references.add(source.url, source.document)
        operations = await self._operations(source)
        return await asyncio.to_thread(_plugin, manifest, allow(manifest, operations), source, manifest_url)

    async def _operations(self, source: Source) -> list[Operation]:
        for _ in range(MAX_DOCUMENTS + 1):
            try:
                return await asyncio.to_thread(read_operations, source)
            except Remote as remote:
                wanted = remote.url
            try:
                _, document = await self._document(wanted)
            except GreenroomError as error:
                sentence = f"{shown(source.url)} refers to another document. {error.message}"
                raise type(error)(sentence, retryable=error.may_retry) from error
            source.references.add(wanted, document)
        raise BadRequest(f"{shown(source.url)} refers to more than {MAX_DOCUMENTS} other documents")

    async def _document(self, url: str, *, headers: Mapping[str, str] | None = None) -> _Located:
        async def fetch() -> _Located:
            async with _remembered(url):
                fetched = await self._fetched(url, headers)
                return fetched.url, await _read(fetched)

        located, _ = await self._documents.get(url.encode(), fetch)
        return located

    async def _fetched(self, url: str, headers: Mapping[str, str] | None) -> Fetched:
        for failures in range(1, MAX_TRIES):
            try:
                return await self._fetcher.get(url, headers=headers)
            except GreenroomError as error:
                if not error.may_retry:
                    raise
                await asyncio.sleep(self._pause(failures, error.retry_after))
        return await self._fetcher.get(url, headers=headers)

    def _pause(self, failures: int, retry_after: float | None) -> float:
        """Return how long to wait before the next try (s); spread, so that tries do not come in waves."""
        if retry_after is not None:
            return min(retry_after, LONGEST_PAUSE)
        return self._backoff * 2.0 ** (failures - 1) * random.uniform(0.5, 1.0)

    def _headers_for(self, manifest_url: str) -> Mapping[str, str] | None:
        origin = origin_of(manifest_url)
        if origin is None or origin != self._home:
            return None
        return self._headers if origin.scheme == "https" or self._fetcher.private else None


@asynccontextmanager
async def _remembered(url: str) -> AsyncIterator[None]:
    """Make a bug of ours a failure like others: the job remembers those, and does not try each run again."""
    try:
        yield
    except GreenroomError:
        raise
    except Exception as error:
        log.exception("reading a plugin broke", url=shown(url))
        raise Internal(f"Reading {shown(url)} went wrong on our side; please report it") from error


async def _read(fetched: Fetched) -> JsonObject:
    document = await asyncio.to_thread(read_json_document, fetched.body, url=fetched.url)
    if document is not None:
        return document
    reading = partial(read_yaml_document, fetched.body, url=fetched.url)
    return await asyncio.get_running_loop().run_in_executor(YAML_THREADS, reading)


def _plugin(
    manifest: Manifest, operations: tuple[Operation, ...], source: Source, manifest_url: str
) -> Plugin:
    names = manifest.names or (host_of(manifest_url),)
    return Plugin(
        manifest_url=manifest_url,
        name=names[0],
        names=names,
        description=manifest.description,
        operations=operations,
        document=_document_of(source.document, operations),
    )


def _document_of(document: JsonObject, operations: Sequence[Operation]) -> str:
    """Return a document as JSON, with none but these operations."""
    allowed = {(operation.path, operation.method) for operation in operations}
    paths: dict[str, Any] = {}
    for path, item in document["paths"].items():
        whole = path if path.startswith("/") else f"/{path}"
        if isinstance(item, dict) and any(whole == allowed_path for allowed_path, _ in allowed):
            paths[path] = {k: v for k, v in item.items() if k not in METHODS or (whole, k) in allowed}
    return orjson.dumps({**document, "paths": paths}).decode()
