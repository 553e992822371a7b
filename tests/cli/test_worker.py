"""`worker`, as a process: what it needs, what it shows, and how it stops."""

import json
import signal
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from server.embedded.mongod import embedded_mongod
from server.embedded.valkey import embedded_valkey
from server.llm.scripted import ScriptedModel
from tests.cli.programs import command, get, program

WORKS = "Greenroom works for "


@pytest.fixture
def env(mongod_url: str, valkey_url: str, model: tuple[ScriptedModel, str]) -> dict[str, str]:
    """Name all the parts that a worker shares."""
    return {
        "MONGODB_URL": mongod_url,
        "REDIS_URL": valkey_url,
        "GREENROOM_MONGODB_DATABASE": f"worker-{uuid4().hex[:12]}",
        "OPENAI_BASE_URL": model[1],
        "OPENAI_API_KEY": "not-a-key",
        "OPENAI_MODEL": "scripted",
    }


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def refused(env: dict[str, str], *words: str) -> str:
    """Return the line by which a worker that cannot start says so."""
    finished = await command("worker", *words, env=env)
    assert (finished.code, finished.out) == (2, ""), finished
    assert finished.err.count("\n") == 1, finished.err
    return finished.err.removeprefix("greenroom: ").strip()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_it_works_without_a_port_and_stops_cleanly(
    stop: signal.Signals, env: dict[str, str], tmp_path: Path
) -> None:
    async with program("worker", "--data-dir", str(tmp_path), env=env) as running:
        line = await running.until(WORKS)
        assert line.endswith(env["GREENROOM_MONGODB_DATABASE"])
        finished = await running.finish(stop)
    assert finished.code == 0
    records = [json.loads(line) for line in finished.err.splitlines()]
    assert {"working", "started", "stopped"} <= {record["event"] for record in records}
    assert "not-a-key" not in finished.err
    assert left_in(tmp_path) == []


async def test_its_health_is_all_that_it_serves(env: dict[str, str], tmp_path: Path) -> None:
    words = ("worker", "--health-port", "0", "--data-dir", str(tmp_path))
    async with program(*words, env=env | {"PORT": "1"}) as running:
        url = (await running.until(WORKS)).partition(", health ")[2]
        assert (await get(f"{url}/health/ready"))[0] == 200
        assert (await get(f"{url}/api/v1/practices"))[0] == 404
        async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
            assert "greenroom_connections 0.0" in await response.text()
        async with aiohttp.ClientSession() as http, http.get(f"{url}/socket.io/?EIO=4") as response:
            assert response.status == 404


@pytest.mark.parametrize("missing", ["MONGODB_URL", "REDIS_URL"])
async def test_what_is_missing_is_named_with_the_reason(
    missing: str, env: dict[str, str], tmp_path: Path
) -> None:
    told = await refused(env | {missing: ""}, "--data-dir", str(tmp_path))
    assert told.startswith(f"a worker shares the database and Valkey with servers, and {missing} is not set")
    assert "a single server needs no worker" in told


async def test_it_takes_the_parts_that_run_in_its_data_directory(env: dict[str, str], tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path), embedded_valkey(tmp_path):
        alone = env | {"MONGODB_URL": "", "REDIS_URL": ""}
        async with program("worker", "--data-dir", str(tmp_path), env=alone) as running:
            await running.until(WORKS)
            assert running.children() == []


async def test_a_worker_without_slots_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    told = await refused(env | {"GREENROOM_JOB_SLOTS": "0"}, "--data-dir", str(tmp_path))
    assert told == "GREENROOM_JOB_SLOTS is 0, so this worker would do nothing; set it to 1 or more"


async def test_a_database_that_is_away_is_named(env: dict[str, str], tmp_path: Path) -> None:
    away = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"
    told = await refused(env | {"MONGODB_URL": away}, "--data-dir", str(tmp_path))
    assert told == "the database at 127.0.0.1:1 does not answer or has no primary; check MONGODB_URL"
