"""Server processes behind one port, and workers, as `python -m server serve` and `worker` run them."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from schemas.envelope import Id, Role
from server.engine.access import mint
from server.llm.scripted import ScriptedModel
from server.settings import Settings, as_variables
from server.store import Store, connect
from tests.support.clients import Socket, socket
from tests.support.process import free_port
from tests.support.program import Program
from tests.support.running import SECRET, load_content, settings_for

TRIES = 200
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")


class Cluster:
    """Servers that share a port, workers where a test asks for them, and a scripted model."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        servers: Sequence[str],
        workers: Sequence[str],
        model: ScriptedModel,
        logs: Path,
    ) -> None:
        self.settings = settings
        self.store = store
        self.model = model
        self.url = f"http://127.0.0.1:{settings.port}"
        self.logs = logs
        self.doors = [self.url]  # of each host
        self.servers = {name: self.member("serve", name, logs=logs) for name in servers}
        self.workers = {name: self.member("worker", name, logs=logs) for name in workers}
        self._running: list[Program] = []

    def member(self, command: str, name: str, *, logs: Path, **changes: Any) -> Program:
        """Return a process of this cluster that is not started yet."""
        common = {"instance": name, "job_slots": 0 if command == "serve" else 8}
        settings = self.settings.model_copy(update={**common, **changes})
        kept = {key: value for key, value in os.environ.items() if key in KEPT}
        environment = {**kept, "PYTHONWARNINGS": "error", **as_variables(settings)}
        return Program(["server", command], environment=environment, log=logs / f"{name}.log")

    def log(self, name: str) -> str:
        """Return what a process has logged."""
        return (self.logs / f"{name}.log").read_text()

    def everybody(self) -> list[Program]:
        """Return all processes."""
        return [*self.servers.values(), *self.workers.values()]

    async def start(self) -> None:
        """Start everybody who does not run."""
        await asyncio.gather(*(member.start() for member in self.everybody() if member not in self._running))
        self._running = self.everybody()

    async def kill(self, name: str) -> None:
        """End a process by SIGKILL."""
        self._running.remove(member := self[name])
        await member.kill()

    async def stop(self, *names: str) -> None:
        """End processes as their operator would."""
        for name in names:
            self._running.remove(self[name])
        await asyncio.gather(*(self[name].stop() for name in names))

    def __getitem__(self, name: str) -> Program:
        """Return a process."""
        return {**self.servers, **self.workers}[name]

    def token(self, profile: Id, *, role: Role = "learner") -> str:
        """Return a token for a profile."""
        return mint(SECRET, role=role, profile_id=profile, seconds=3600)

    async def script(self, *rules: dict[str, Any]) -> None:
        """Replace the model's rules."""
        url = str(self.settings.openai_base_url).removesuffix("/v1")
        async with (
            aiohttp.ClientSession() as http,
            http.put(f"{url}/script", json=list(rules)) as response,
        ):
            assert response.status < 300, await response.text()

    @asynccontextmanager
    async def each(self, profile: Id, *, role: Role = "learner") -> AsyncIterator[tuple[Socket, Socket]]:
        """Connect somebody to both servers, by trying until the kernel has chosen each; the first's first."""
        async with AsyncExitStack() as stack:
            found: dict[str, Socket] = {}
            for _ in range(TRIES):
                if len(found) == len(self.servers):
                    break
                auth = {"token": self.token(profile, role=role)}
                client = await stack.enter_async_context(socket(self.url, auth))
                found.setdefault(self.server_of(client), client)
            yield found["first"], found["second"]

    def server_of(self, client: Socket) -> str:
        """Return which server has a client's session."""
        return str(client.client.eio.sid).partition("-")[0]


@asynccontextmanager
async def cluster(
    mongod_url: str,
    valkey_url: str,
    *,
    folder: Path,
    servers: Sequence[str] = ("first", "second"),
    workers: Sequence[str] = (),
    **changes: Any,
) -> AsyncIterator[Cluster]:
    """Run servers, and workers, with the tests' content."""
    model = ScriptedModel()
    settings = settings_for(mongod_url, await model.start(), redis_url=valkey_url, secret=SECRET).model_copy(
        update={"port": free_port(), "reuse_port": True, "guests": True, "data_dir": folder, **changes}
    )
    store = connect(mongod_url, settings.mongodb_database)
    await store.prepare()
    await load_content(store)
    members = Cluster(settings, store, servers=servers, workers=workers, model=model, logs=folder)
    try:
        await members.start()
        yield members
    finally:
        await asyncio.gather(*(member.stop() for member in members.everybody()))
        await model.stop()
        store.close()
