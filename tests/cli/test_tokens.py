"""`token` and `key create`, as processes."""

import asyncio
import stat
from pathlib import Path

import jwt
import pytest

from tests.cli.programs import command

PROFILE = "0b6e1c1e-6f7b-4a3c-9b57-0d6f0f5b2c11"


def claims(token: str, data_dir: Path) -> dict[str, object]:
    """Return what a token says, checked with the data directory's secret."""
    found: dict[str, object] = jwt.decode(
        token.strip(), (data_dir / "secret").read_text().strip(), algorithms=["HS256"]
    )
    return found


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_a_token_is_printed_alone_and_speaks_for_the_same_person_each_time(tmp_path: Path) -> None:
    options = ("token", "--role", "learner", "--data-dir", str(tmp_path))
    first, second = [await command(*options) for _ in range(2)]
    assert (first.code, first.err, first.out.count("\n")) == (0, "", 1)
    one, two = claims(first.out, tmp_path), claims(second.out, tmp_path)
    assert one["sub"] == two["sub"]
    assert one["role"] == "learner"
    assert int(str(one["exp"])) - int(str(one["iat"])) == 30 * 24 * 3600


async def test_a_token_names_what_it_is_asked_to(tmp_path: Path) -> None:
    words = f"token --role ops --profile {PROFILE} --days 1 --org acme --data-dir {tmp_path}"
    found = claims((await command(*words.split())).out, tmp_path)
    assert (found["sub"], found["role"], found["org"]) == (PROFILE, "ops", "acme")
    assert int(str(found["exp"])) - int(str(found["iat"])) == 24 * 3600


async def test_the_secret_is_made_once_even_when_many_start_at_once(tmp_path: Path) -> None:
    data_dir = tmp_path / "new"
    made = await asyncio.gather(
        *[command("token", "--role", "author", "--data-dir", str(data_dir)) for _ in range(4)]
    )
    assert {finished.code for finished in made} == {0}
    for finished in made:
        assert claims(finished.out, data_dir)["role"] == "author"
    assert names_in(data_dir) == ["secret"]
    assert stat.S_IMODE((data_dir / "secret").stat().st_mode) == 0o600


async def test_a_secret_of_the_environment_goes_first(tmp_path: Path) -> None:
    secret = "s" * 32
    finished = await command(
        "token", "--role", "admin", "--data-dir", str(tmp_path), env={"GREENROOM_SECRET": secret}
    )
    assert jwt.decode(finished.out.strip(), secret, algorithms=["HS256"])["role"] == "admin"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"GREENROOM_SECRET": "short"}, "GREENROOM_SECRET is too short"),
        ({"GREENROOM_JWKS_URL": "https://id.example.org/keys"}, "GREENROOM_JWKS_URL is set"),
    ],
)
async def test_no_token_is_signed_that_a_server_would_not_take(
    env: dict[str, str], told: str, tmp_path: Path
) -> None:
    finished = await command("token", "--role", "learner", "--data-dir", str(tmp_path), env=env)
    assert (finished.code, finished.out) == (2, "")
    assert told in finished.err
    assert finished.err.count("\n") == 1


async def test_a_damaged_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    finished = await command("token", "--role", "learner", "--data-dir", str(tmp_path))
    assert finished.code == 2
    assert f"{tmp_path / 'secret'} is damaged" in finished.err


async def test_a_key_is_printed_once_and_only_its_hash_is_kept(tmp_path: Path, mongod_url: str) -> None:
    env = {"MONGODB_URL": mongod_url, "GREENROOM_MONGODB_DATABASE": f"keys-{tmp_path.name}"}
    words = f"key create --role author --profile {PROFILE} --data-dir {tmp_path}"
    first, second = [await command(*words.split(), env=env) for _ in range(2)]
    assert first.code == 0
    assert first.out.startswith("gr_")
    assert first.out.count("\n") == 1
    assert first.out != second.out
    assert PROFILE in first.err
