"""A server in a process of its own that can be killed and started again on the same port."""

import asyncio
import os
import socket as stdsocket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from schemas.envelope import Id, Role
from server.embedded.child import GUARD, stop_child
from server.engine.access import mint
from server.settings import Settings
from server.store import Store, connect
from tests.support.running import SECRET, load_content

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30.0


class ServerProcess:
    """A server process; `start` and `kill` may be called again and again."""

    def __init__(self, settings: Settings, store: Store, log: Path) -> None:
        self.settings = settings
        self.store = store
        self.url = f"http://127.0.0.1:{settings.port}"
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    def token(self, profile: Id, *, role: Role = "learner") -> str:
        """Return a token for a profile."""
        return mint(SECRET, role=role, profile_id=profile, seconds=3600)

    async def start(self) -> None:
        """Start the server and wait until it listens."""
        assert self._process is None
        command = [sys.executable, "-m", "tests.support.serve"]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *command],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=_environment(self.settings),
                cwd=ROOT,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        assert line.decode().strip() == self.url, self._log.read_text()[-4000:]

    async def kill(self) -> None:
        """End the server by SIGKILL."""
        process, self._process = self._process, None
        assert process is not None
        assert process.returncode is None, self._log.read_text()[-4000:]
        process.kill()
        await process.wait()

    async def stop(self) -> None:
        """End the server as its operator would, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            await stop_child(process)


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


def _environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a process these settings."""

    def text(value: object) -> str:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    given = {
        "MONGODB_URL": settings.mongodb_url,
        "GREENROOM_MONGODB_DATABASE": settings.mongodb_database,
        "OPENAI_API_KEY": settings.openai_api_key,
        "OPENAI_BASE_URL": settings.openai_base_url,
        "OPENAI_MODEL": settings.openai_model,
        "PORT": settings.port,
        "GREENROOM_SECRET": SECRET,
        "GREENROOM_LOG_LEVEL": "info",
    }
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    return kept | {name: text(value) for name, value in given.items()}
