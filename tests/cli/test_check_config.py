"""`check-config`, as a process."""

import socket
from pathlib import Path

import pytest

from server.llm.scripted import ScriptedModel
from tests.cli.programs import command


@pytest.fixture
def env(mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path) -> dict[str, str]:
    return {
        "MONGODB_URL": mongod_url,
        "OPENAI_BASE_URL": model[1],
        "OPENAI_API_KEY": "sk-hidden",
        "OPENAI_MODEL": "scripted",
        "GREENROOM_DATA_DIR": str(tmp_path),
        "PORT": "0",
    }


def shown(out: str) -> dict[str, str]:
    """Return the printed settings by variable."""
    lines = out.partition("\n\n")[0].splitlines()
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in lines)}


async def test_it_prints_what_holds_and_no_secret(env: dict[str, str]) -> None:
    env |= {"GREENROOM_SECRET": "hidden" * 8, "REDIS_URL": "redis://:hidden@127.0.0.1/0"}
    finished = await command("check-config", env=env)
    assert (finished.code, finished.err) == (0, "")
    assert "Nothing keeps the server from running" in finished.out
    values = shown(finished.out)
    assert values["OPENAI_MODEL"] == "scripted"
    assert values["OPENAI_API_KEY"] == values["GREENROOM_SECRET"] == "********"
    assert values["REDIS_URL"] == "redis://***@127.0.0.1/0"
    assert values["GREENROOM_HOST"] == "127.0.0.1  (default)"
    assert "hidden" not in finished.out
    assert "note: REDIS_URL: redis://***@127.0.0.1/0 is of no use" in finished.out


async def test_it_tells_everything_that_is_wrong_at_once(env: dict[str, str]) -> None:
    with socket.socket() as probe:  # bound but not listening: nobody answers here
        probe.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{probe.getsockname()[1]}"
        env |= {
            "PORT": "http",
            "GREENROOM_MAX_MESSAGE": "12",
            "GREENROOM_PROT": "1",
            "GREENROOM_SECRET": "hidden",
            "MONGODB_URL": f"mongodb://ada:hidden@{away}",
            "OPENAI_BASE_URL": f"http://{away}/v1",
        }
        finished = await command("check-config", env=env)
    assert (finished.code, finished.err) == (2, "")
    for told in (
        "wrong: PORT: ",
        "wrong: GREENROOM_MAX_MESSAGE: ",
        "wrong: GREENROOM_SECRET is too short",
        f"wrong: the database at {away} does not answer",
        f"wrong: the model at http://{away}/v1: ",
        "note: GREENROOM_PROT means nothing; is GREENROOM_PORT meant?",
    ):
        assert told in finished.out
    assert shown(finished.out)["PORT"].startswith("8080")
    assert "hidden" not in finished.out


async def test_the_embedded_parts_are_tried_and_stopped(env: dict[str, str], tmp_path: Path) -> None:
    for name in ("MONGODB_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        del env[name]
    finished = await command("check-config", env=env)
    assert (finished.code, finished.err) == (0, "")
    assert "note: the small model chats, but it is no judge" in finished.out
    assert not (tmp_path / "run.json").exists()
