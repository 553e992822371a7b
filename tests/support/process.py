"""A server in a process of its own that can be killed and started again on the same port."""

import os
import socket as stdsocket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from schemas.envelope import Id, Role
from server.engine.access import mint
from server.settings import Settings, variable
from server.store import Store, connect
from tests.support.databases import databases
from tests.support.program import Program
from tests.support.running import SECRET, UNLIMITED, load_content


class ServerProcess(Program):
    """A server process."""

    def __init__(self, settings: Settings, store: Store, log: Path) -> None:
        super().__init__(["tests.support.serve"], environment=environment(settings), log=log)
        self.settings = settings
        self.store = store
        self.url = f"http://127.0.0.1:{settings.port}"

    def token(self, profile: Id, *, role: Role = "learner") -> str:
        """Return a token for a profile."""
        return mint(SECRET, role=role, profile_id=profile, seconds=3600)

    async def start(self) -> str:
        """Start the server and wait until it listens."""
        line = await super().start()
        assert line == self.url, self.told()
        return line


@asynccontextmanager
async def server_process(settings: Settings, log: Path) -> AsyncIterator[ServerProcess]:
    """Give a server process with the tests' content; it is not started yet."""
    assert settings.mongodb_url is not None
    store = connect(settings.mongodb_url.get_secret_value(), settings.mongodb_database)
    await store.prepare()
    await load_content(store)
    process = ServerProcess(settings.model_copy(update={"port": free_port()}), store, log)
    try:
        yield process
    finally:
        await process.stop()
        store.close()


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with stdsocket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a process these settings."""

    def text(value: object) -> str:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    databases.keep(settings.mongodb_database)
    given: dict[str, object] = {
        "MONGODB_URL": settings.mongodb_url,
        "GREENROOM_MONGODB_DATABASE": settings.mongodb_database,
        "OPENAI_API_KEY": settings.openai_api_key,
        "OPENAI_BASE_URL": settings.openai_base_url,
        "OPENAI_MODEL": settings.openai_model,
        "PORT": settings.port,
        "GREENROOM_SECRET": SECRET,
        "GREENROOM_LOG_LEVEL": "info",
        "GREENROOM_JOB_SLOTS": settings.job_slots,
        "GREENROOM_DATA_DIR": settings.data_dir,
        **{variable(name): getattr(settings, name) for name in (*UNLIMITED, "ping_interval", "ping_timeout")},
    }
    if settings.redis_url is not None:
        given["REDIS_URL"] = settings.redis_url
    if settings.url_mirror is not None:
        given["GREENROOM_URL_MIRROR"] = settings.url_mirror
    if settings.private_urls is not None:
        given["GREENROOM_PRIVATE_URLS"] = settings.private_urls
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    return kept | {name: text(value) for name, value in given.items()}
