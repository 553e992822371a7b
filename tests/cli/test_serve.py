"""`serve`, as a process: what it prints, how it stops, and what it says when it cannot start."""

import json
import signal
import socket
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from server.llm.scripted import ScriptedModel
from tests.cli.programs import command, get, is_alive, program

LISTENS = "Greenroom listens on "


@pytest.fixture
def env(mongod_url: str, model: tuple[ScriptedModel, str]) -> dict[str, str]:
    """Name a database and a model, so that nothing is embedded."""
    return {
        "MONGODB_URL": mongod_url,
        "GREENROOM_MONGODB_DATABASE": f"serve-{uuid4().hex[:12]}",
        "OPENAI_BASE_URL": model[1],
        "OPENAI_API_KEY": "not-a-key",
        "OPENAI_MODEL": "scripted",
    }


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_it_names_the_bound_address_and_stops_cleanly(
    stop: signal.Signals, env: dict[str, str], tmp_path: Path
) -> None:
    async with program("serve", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        url = (await running.until(LISTENS)).removeprefix(LISTENS)
        assert (await get(f"{url}/health/ready"))[0] == 200
        finished = await running.finish(stop)
    assert finished.code == 0
    records = [json.loads(line) for line in finished.err.splitlines()]
    assert {"listening", "started", "stopped"} <= {record["event"] for record in records}
    assert "not-a-key" not in finished.err


async def test_every_address_is_named_with_one_that_works_here(env: dict[str, str], tmp_path: Path) -> None:
    words = ("serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path))
    async with program(*words, env=env) as running:
        line = await running.until(LISTENS)
        assert line.startswith(f"{LISTENS}http://0.0.0.0:")
        assert (await get(f"{line.partition(', here ')[2]}/health/ready"))[0] == 200


async def test_guests_are_let_in_with_the_embedded_database_only(env: dict[str, str], tmp_path: Path) -> None:
    words = ("serve", "--port", "0", "--data-dir", str(tmp_path))
    async with program(*words, env=env) as running:
        url = (await running.until(LISTENS)).removeprefix(LISTENS)
        assert (await get(f"{url}/api/v1/practices"))[0] == 401
    del env["MONGODB_URL"]
    async with program(*words, env=env) as running:
        url = (await running.until(LISTENS)).removeprefix(LISTENS)
        assert (await get(f"{url}/api/v1/practices"))[0] == 200
        left = running.children()
        assert len(left) == 1
        assert (await running.finish(signal.SIGTERM)).code == 0
        assert [pid for pid in left if is_alive(pid)] == []


async def test_a_model_that_is_away_is_only_a_warning(env: dict[str, str], tmp_path: Path) -> None:
    env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{unused_port()}/v1"
    async with program("serve", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        url = (await running.until(LISTENS)).removeprefix(LISTENS)
        await running.told("model not usable")
        assert (await get(f"{url}/health/ready"))[0] == 200


async def refused(env: dict[str, str], *words: str, shell: str | None = None) -> str:
    """Return the line by which a server that cannot start says so."""
    finished = await command("serve", *words, env=env, shell=shell)
    assert (finished.code, finished.out) == (2, ""), finished
    assert finished.err.startswith("greenroom: ")
    assert finished.err.count("\n") == 1, finished.err
    return finished.err.removeprefix("greenroom: ").strip()


async def test_a_port_in_use_is_named(env: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = await refused(env, "--port", str(port), "--data-dir", str(tmp_path))
        assert told.startswith(f"port {port} of 127.0.0.1 is in use")


async def test_a_database_that_is_away_is_named_without_its_password(
    env: dict[str, str], tmp_path: Path
) -> None:
    port = unused_port()
    env["MONGODB_URL"] = f"mongodb://ada:pass%2Fword@127.0.0.1:{port}/?serverSelectionTimeoutMS=100"
    told = await refused(env, "--port", "0", "--data-dir", str(tmp_path))
    assert told == (f"the database at 127.0.0.1:{port} does not answer or has no primary; check MONGODB_URL")


@pytest.mark.parametrize(
    "url", ["http://localhost", "mongodb://ada:pass/word@127.0.0.1", "mongodb://h:99999"]
)
async def test_an_address_that_is_none_is_refused(url: str, env: dict[str, str], tmp_path: Path) -> None:
    told = await refused(env | {"MONGODB_URL": url}, "--port", "0", "--data-dir", str(tmp_path))
    assert told.startswith("MONGODB_URL is not an address")
    assert "word" not in told.replace("password", "")


async def test_a_data_directory_that_cannot_be_written_is_named(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    told = await refused(env, "--port", "0", "--data-dir", str(file / "data"))
    assert told.startswith(f"cannot keep a secret in {file / 'data'}: ")
    told = await refused(
        env | {"GREENROOM_SECRET": "s" * 40, "MONGODB_URL": ""},
        "--port",
        "0",
        "--data-dir",
        str(file / "data"),
    )
    assert told.startswith(f"cannot use {file / 'data'}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit")
async def test_a_disk_that_takes_no_more_leaves_no_half_secret(env: dict[str, str], tmp_path: Path) -> None:
    """A limit of no bytes for a file fails in the same calls as a full disk."""
    words = ("--port", "0", "--data-dir", str(tmp_path))
    told = await refused(env, *words, shell="ulimit -f 0; export PYTHONDONTWRITEBYTECODE=1")
    assert told.startswith(f"cannot keep a secret in {tmp_path}: ")
    assert not has_files(tmp_path)


def limits_of(pid: int) -> list[str]:
    """Return how many descriptors a process may have open, soft and hard."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if "open files" in line).split()[3:5]


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="/proc")
async def test_it_may_open_as_many_descriptors_as_the_system_lets_it(
    env: dict[str, str], tmp_path: Path
) -> None:
    words = ("serve", "--port", "0", "--data-dir", str(tmp_path))
    async with program(*words, env=env, shell="ulimit -Sn 500; ulimit -Hn 900") as running:
        await running.until(LISTENS)
        limits = limits_of(running.process.pid)
        finished = await running.finish(signal.SIGTERM)
    assert limits == ["900", "900"]
    assert "few descriptors" in finished.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("GREENROOM_LOG_LEVEL", "loud"),
        ("GREENROOM_CORS_ORIGINS", "*"),
        ("OPENAI_BASE_URL", "http"),
    ],
)
async def test_a_wrong_value_is_told_by_its_variable(
    name: str, value: str, env: dict[str, str], tmp_path: Path
) -> None:
    told = await refused(env | {name: value}, "--data-dir", str(tmp_path))
    assert told.startswith(f"{name}: ")
    assert value in told


async def test_a_ctrl_c_that_a_wrapper_passes_on_counts_once(env: dict[str, str], tmp_path: Path) -> None:
    async with program("serve", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        await running.until(LISTENS)
        running.process.send_signal(signal.SIGINT)
        finished = await running.finish(signal.SIGINT)
    assert finished.code == 0
    assert "at once" not in finished.err


def has_files(directory: Path) -> bool:
    return any(directory.iterdir())


def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_second_server_on_a_data_directory_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    del env["MONGODB_URL"]
    words = ("serve", "--port", "0", "--data-dir", str(tmp_path))
    async with program(*words, env=env) as running:
        await running.until(LISTENS)
        second = await command(*words, env=env)
        assert second.code == 2
        assert f"another server runs on {tmp_path}" in second.err
