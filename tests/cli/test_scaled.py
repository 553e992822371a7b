"""`scaled`, as a process: what it starts, what it says, and what becomes of its children."""

import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.llm.scripted import ScriptedModel
from tests.cli.programs import Program, command, ended, get, is_alive, program

RUNS = "Greenroom runs at "
CHILDREN = ("server-1", "server-2", "worker-1", "worker-2")
STOPS_WITHIN = 25.0


@pytest.fixture
def env(model: tuple[ScriptedModel, str]) -> dict[str, str]:
    """Name a model, so that the small one is not loaded."""
    return {"OPENAI_BASE_URL": model[1], "OPENAI_API_KEY": "not-a-key", "OPENAI_MODEL": "scripted"}


@asynccontextmanager
async def scaled(env: dict[str, str], data: Path, *words: str) -> AsyncIterator[tuple[Program, str]]:
    """Run it and give the address that it names; at the end all of it is gone."""
    arguments = ("scaled", "--port", "0", "--data-dir", str(data), *words)
    async with program(*arguments, env=env) as running:
        url = (await running.until(RUNS)).removeprefix(RUNS).partition(" ")[0]
        left = running.children()
        yield running, url
    await ended(left)


def named(running: Program) -> dict[str, int]:
    """Return its own processes by their names."""
    found = {}
    for pid in running.children():
        name = instance_of(pid)
        if name is not None:
            found[name] = pid
    return found


def instance_of(pid: int) -> str | None:
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    names = [v.partition(b"=")[2].decode() for v in variables if v.startswith(b"GREENROOM_INSTANCE=")]
    return names[0] if names else None


def sets_of(pid: int) -> Iterator[tuple[str, str]]:
    for variable in Path(f"/proc/{pid}/environ").read_text().split("\0"):
        name, _, value = variable.partition("=")
        yield name, value


async def test_it_runs_all_of_it_and_leaves_nothing_behind(env: dict[str, str], tmp_path: Path) -> None:
    async with scaled(env, tmp_path) as (running, url):
        await running.until("Talk to it")
        out = "".join(running.out)
        assert "processes server-1, server-2, worker-1, worker-2" in out
        assert "MongoDB, embedded" in out
        assert "Valkey, embedded" in out
        found = named(running)
        assert sorted(found) == sorted(CHILDREN)
        assert len(running.children()) == len(CHILDREN) + 2
        slots = {name: dict(sets_of(pid))["GREENROOM_JOB_SLOTS"] for name, pid in found.items()}
        assert slots == {"server-1": "0", "server-2": "0", "worker-1": "8", "worker-2": "8"}
        answered = {(await get(f"{url}/health/ready"))[1]["process"] for _ in range(40)}
        assert {str(name).rpartition("-")[0] for name in answered} == {"server-1", "server-2"}
        assert (await get(f"{url}/api/v1/practices"))[0] == 200  # guests, as in the demo
        everybody = running.children()
        began = time.monotonic()
        finished = await running.finish(signal.SIGINT)
        assert time.monotonic() - began < STOPS_WITHIN
    assert finished.code == 0
    assert finished.out.endswith("Greenroom has stopped; the data is kept.\n")
    assert [pid for pid in everybody if is_alive(pid)] == []


async def test_a_child_that_dies_is_named_and_started_again(env: dict[str, str], tmp_path: Path) -> None:
    async with scaled(env, tmp_path, "--servers", "1", "--workers", "1") as (running, url):
        first = named(running)
        for name in ("server-1", "worker-1"):
            os.kill(first[name], signal.SIGKILL)
            await running.told(f'"child":"{name}"')
        for name in ("server-1", "worker-1"):
            await running.told(f'"child":"{name}","pid"')
        again = named(running)
        assert sorted(again) == sorted(first)
        assert set(again.values()).isdisjoint(first.values())
        assert (await get(f"{url}/health/ready"))[0] == 200
        finished = await running.finish(signal.SIGTERM)
    assert finished.code == 0
    died = [json.loads(line) for line in finished.err.splitlines() if "child died" in line]
    assert [(record["child"], record["code"]) for record in died] == [("server-1", -9), ("worker-1", -9)]


async def test_its_death_ends_its_children(env: dict[str, str], tmp_path: Path) -> None:
    async with scaled(env, tmp_path, "--servers", "1", "--workers", "1") as (running, _):
        everybody = running.children()
        running.process.kill()
        await ended(everybody)


async def test_a_port_in_use_is_named_also_by_another_of_its_kind(
    env: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        words = ("scaled", "--port", str(port), "--data-dir", str(tmp_path))
        finished = await command(*words, env=env)
    assert finished.code == 2
    assert finished.err.startswith(f"greenroom: port {port} of 127.0.0.1 is in use")
    assert finished.err.count("\n") == 1


async def test_a_data_directory_has_one_owner(env: dict[str, str], tmp_path: Path) -> None:
    async with program("serve", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        await running.until("Greenroom listens on ")
        finished = await command("scaled", "--port", "0", "--data-dir", str(tmp_path), env=env)
    assert finished.code == 2
    assert finished.err.startswith(f"greenroom: another server runs on {tmp_path}")


async def test_children_that_cannot_start_end_all_of_it(env: dict[str, str], tmp_path: Path) -> None:
    finished = await command(
        *("scaled", "--port", "0", "--data-dir", str(tmp_path)),
        env=env | {"GREENROOM_CORS_ORIGINS": "https://ok.example.org", "GREENROOM_MONGODB_DATABASE": "a b"},
    )
    assert finished.code == 2
    assert "did not start (code 2); what it said is above" in finished.err
    assert finished.out == ""


async def test_a_shared_port_needs_shared_parts(env: dict[str, str], tmp_path: Path) -> None:
    words = ("serve", "--port", "0", "--data-dir", str(tmp_path))
    finished = await command(*words, env=env | {"GREENROOM_REUSE_PORT": "true"})
    assert finished.code == 2
    assert finished.err.startswith(
        "greenroom: GREENROOM_REUSE_PORT is for servers that share more than the port; "
        "set MONGODB_URL and REDIS_URL too"
    )
