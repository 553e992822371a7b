"""The embedded database through starts, stops, crashes and missing parts."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect

from server.embedded import EmbeddedError
from server.embedded.mongod import embedded_mongod, find_mongod, start_mongod
from server.embedded.runfile import Claim, Run, read_run
from server.store.replica import make_writable
from tests.conformance.mongo_proxy import mongo_proxy
from tests.embedded.owners import closed, owner

# listens, and ends when it is asked the first question
ENDING = """
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
while not listening.accept()[0].recv(1):
    pass
sys.exit(3)
"""


@asynccontextmanager
async def notes(url: str) -> AsyncIterator[Any]:
    """Yield a collection of the database."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url, w="majority", journal=True)
    try:
        yield client.test.notes
    finally:
        await client.close()


async def counted(found: Any, query: dict[str, Any]) -> int:
    """Count documents; a node that has just started answers for a moment that it cannot be read yet."""
    async with asyncio.timeout(20):
        while True:
            try:
                return int(await found.count_documents(query))
            except AutoReconnect:
                await asyncio.sleep(0)


def living(data_dir: Path) -> Run:
    run = read_run(data_dir)
    assert run is not None
    return run


async def test_it_starts_takes_transactions_and_leaves_nothing(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as url, notes(url) as found:
        run = living(tmp_path)
        assert (run.url, run.owner) == (url, os.getpid())
        assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
        session: Any
        async with found.database.client.start_session() as session, await session.start_transaction():
            await found.insert_one({"note": 1}, session=session)
        assert await found.count_documents({}) == 1
    assert read_run(tmp_path) is None
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", run.port)


async def test_a_second_start_keeps_the_data(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as url, notes(url) as found:
        await found.insert_one({"note": "kept"})
    async with embedded_mongod(tmp_path) as url, notes(url) as found:
        assert await found.count_documents({"note": "kept"}) == 1


async def test_others_attach_and_do_not_stop_it(tmp_path: Path) -> None:
    async with owner("mongod", str(tmp_path)) as (_, url):
        async with embedded_mongod(tmp_path) as same:
            assert same == url
        async with notes(url) as found:
            await found.insert_one({"note": "still there"})


async def test_starters_at_once_share_one(tmp_path: Path) -> None:
    ready = asyncio.Barrier(3)

    async def start() -> str:
        async with embedded_mongod(tmp_path) as url:
            await ready.wait()
            return url

    assert len(set(await asyncio.gather(start(), start(), start()))) == 1


async def test_it_dies_with_its_owner_and_starts_again(tmp_path: Path) -> None:
    async with owner("mongod", str(tmp_path)) as (process, url):
        async with notes(url) as found:
            await found.insert_one({"note": "acknowledged"})
        left = living(tmp_path)
        if sys.platform == "linux":
            await closed(left.port, process)
        else:
            process.kill()
    async with embedded_mongod(tmp_path) as url, notes(url) as found:
        assert living(tmp_path).pid != left.pid
        assert await found.count_documents({"note": "acknowledged"}) == 1


async def test_a_kill_of_everything_blocks_nothing(tmp_path: Path) -> None:
    async with owner("mongod", str(tmp_path)) as (process, url):
        async with notes(url) as found:
            await found.insert_one({"note": "acknowledged"})
        process.kill()
        os.kill(living(tmp_path).pid, signal.SIGKILL)
    assert (tmp_path / "run.json").exists()
    assert (tmp_path / "mongo" / "mongod.lock").read_text()
    async with embedded_mongod(tmp_path) as url, notes(url) as found:
        assert await found.count_documents({"note": "acknowledged"}) == 1


async def test_an_orphan_is_ended_first(tmp_path: Path) -> None:
    orphan = await start_mongod(tmp_path)
    try:
        async with embedded_mongod(tmp_path) as url:
            assert url != orphan.url
            assert await orphan.process.wait() == 0
    finally:
        await orphan.stop()


async def test_a_killed_database_comes_back_under_the_same_url(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as url:
        async with notes(url) as found:
            await found.insert_one({"note": "acknowledged"})
        os.kill(living(tmp_path).pid, signal.SIGKILL)
        async with notes(url) as found:
            assert await counted(found, {"note": "acknowledged"}) == 1


async def test_a_node_that_closes_its_connections_is_asked_again(tmp_path: Path) -> None:
    mongod = await start_mongod(tmp_path)
    try:
        async with mongo_proxy(mongod.url, command=b"\x03replSetReconfig\x00") as moved:
            moved.lose_requests = 4  # the driver itself asks twice
            await make_writable(urlsplit(moved.url).port or 0, within=20)
            assert (moved.lose_requests, moved.inserts) == (0, 1)
    finally:
        await mongod.stop()


async def test_a_node_that_ends_while_it_is_asked_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text(ENDING)
    binary = script(tmp_path, f'exec {sys.executable} {tmp_path}/ending.py "$@"')
    with pytest.raises(EmbeddedError, match="ended with code 3"):
        await start_mongod(tmp_path / "data", binary=binary)


async def test_ctrl_c_lets_the_owner_finish(tmp_path: Path) -> None:
    async with owner("mongod", str(tmp_path)) as (process, _):
        os.killpg(process.pid, signal.SIGINT)
        assert await process.wait() == 0
    async with embedded_mongod(tmp_path) as url, notes(url) as found:
        assert await found.count_documents({"note": "farewell"}) == 1


async def test_cancelling_a_start_frees_the_directory(tmp_path: Path) -> None:
    async def start() -> None:
        async with embedded_mongod(tmp_path):
            pass

    task = asyncio.create_task(start())
    await asyncio.sleep(0)  # one step: the claim is taken, the process is being started
    task.cancel()
    await asyncio.wait([task])
    claim = Claim.take(tmp_path)
    assert claim is not None
    claim.release()


def test_no_mongod_names_what_replaces_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match="MONGODB_URL"):
        find_mongod(package="no_such_package")


def test_a_mongod_on_the_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = script(tmp_path, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod() == binary


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "echo mongod: error while loading shared libraries: libcurl.so.4: cannot open >&2; exit 127",
            "apt-get install libcurl4",
        ),
        (
            """echo '{"s":"E","msg":"WiredTiger error","attr":"No space left on device"}'; exit 14""",
            "is full",
        ),
        ("""echo '{"s":"F","msg":"Wrong format"}'; exit 62""", "code 62.*Wrong format"),
        ("kill -4 $$", "AVX"),
    ],
)
async def test_a_mongod_that_ends_says_why(tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(EmbeddedError, match=rf"(?s){reason}.*MONGODB_URL"):
        async with embedded_mongod(tmp_path / "data", binary=script(tmp_path, body)):
            pass
    assert not (tmp_path / "data" / "run.json").exists()


async def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"file.*--data-dir"):
        async with embedded_mongod(tmp_path / "file" / "data"):
            pass


def script(folder: Path, body: str) -> Path:
    path = folder / "mongod"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
