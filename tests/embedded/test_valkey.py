"""The embedded Valkey through starts, stops, crashes and missing parts."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server.embedded import EmbeddedError
from server.embedded.runfile import Claim, Run, read_run
from server.embedded.valkey import embedded_valkey, find_valkey
from tests.embedded.owners import closed, owner


def living(data_dir: Path) -> Run:
    run = read_run(data_dir, "valkey")
    assert run is not None
    return run


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def say(url: str, *lines: str) -> list[bytes]:
    """Return the answers of a Valkey to inline commands that are answered in one line each."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        commands = [f"AUTH {place.password}", *lines] if place.password else [*lines]
        writer.write("".join(f"{line}\r\n" for line in commands).encode())
        found = [await reader.readline() for _ in commands]
        return found[len(commands) - len(lines) :]
    finally:
        writer.close()


async def test_it_starts_answers_and_leaves_nothing_running(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url:
        run = living(tmp_path)
        assert (run.url, run.owner) == (url, os.getpid())
        assert await say(url, "SET key value", "DEL key") == [b"+OK\r\n", b":1\r\n"]
        for name in ("valkey.json", "valkey.conf"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert read_run(tmp_path, "valkey") is None
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", run.port)


async def test_nobody_gets_in_without_the_password(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url:
        place = urlsplit(url)
        assert place.password is not None
        assert place.password not in command_line(living(tmp_path).pid)
        (answer,) = await say(f"redis://127.0.0.1:{place.port}", "SET key value")
        assert answer.startswith(b"-NOAUTH")


async def test_starters_at_once_share_one(tmp_path: Path) -> None:
    ready = asyncio.Barrier(3)

    async def start() -> str:
        async with embedded_valkey(tmp_path) as url:
            await ready.wait()
            return url

    assert len(set(await asyncio.gather(start(), start(), start()))) == 1


async def test_others_attach_and_do_not_stop_it(tmp_path: Path) -> None:
    async with owner("valkey", str(tmp_path)) as (_, url):
        async with embedded_valkey(tmp_path) as same:
            assert same == url
        assert await say(url, "PING") == [b"+PONG\r\n"]


@pytest.mark.skipif(sys.platform != "linux", reason="the system ends it with its owner on Linux only")
async def test_it_dies_with_its_owner_and_another_takes_its_place(tmp_path: Path) -> None:
    async with owner("valkey", str(tmp_path)) as (process, _):
        left = living(tmp_path)
        await closed(left.port, process)
    async with embedded_valkey(tmp_path) as url:
        assert living(tmp_path).pid != left.pid
        assert await say(url, "PING") == [b"+PONG\r\n"]


async def test_a_killed_one_comes_back_under_the_same_url_and_empty(tmp_path: Path) -> None:
    async with embedded_valkey(tmp_path) as url:
        await say(url, "SET key value")
        before = living(tmp_path).pid
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(60):
            while living(tmp_path).pid == before:
                await asyncio.sleep(0)
        assert await say(url, "EXISTS key") == [b":0\r\n"]


async def test_cancelling_a_start_frees_the_directory(tmp_path: Path) -> None:
    async def start() -> None:
        async with embedded_valkey(tmp_path):
            pass

    task = asyncio.create_task(start())
    await asyncio.sleep(0)  # one step: the claim is taken, the process is being started
    task.cancel()
    await asyncio.wait([task])
    claim = Claim.take(tmp_path, "valkey")
    assert claim is not None
    claim.release()


def test_none_names_what_replaces_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match="REDIS_URL"):
        find_valkey(package="no_such_package")


async def test_one_that_ends_says_why(tmp_path: Path) -> None:
    binary = tmp_path / "valkey-server"
    binary.write_text("#!/bin/sh\necho wrong format of this processor >&2\nexit 3\n")
    binary.chmod(0o755)
    with pytest.raises(EmbeddedError, match="code 3: wrong format of this processor"):
        async with embedded_valkey(tmp_path / "data", binary=binary):
            pass
    assert not (tmp_path / "data" / "valkey.json").exists()


async def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"file.*--data-dir"):
        async with embedded_valkey(tmp_path / "file" / "data"):
            pass
