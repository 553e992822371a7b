"""`serve --protocol-profile`, as a process: an echo for the public suites, never beside a real server."""

import json
import signal

import aiohttp
import pytest

from tests.cli.programs import command, program

LISTENS = "Greenroom listens on "
WORDS = ("serve", "--protocol-profile", "--port", "0")


async def test_it_serves_both_protocols_and_says_what_it_is() -> None:
    async with program(*WORDS) as running:
        url = (await running.until(LISTENS)).removeprefix(LISTENS)
        assert url.startswith("http://127.0.0.1:")
        await running.told("for protocol tests only")
        async with aiohttp.ClientSession() as http:
            for path in ("socket.io", "engine.io"):
                async with http.get(f"{url}/{path}/?EIO=4&transport=polling") as response:
                    opening = json.loads((await response.text())[1:])
                assert (opening["pingInterval"], opening["pingTimeout"]) == (300, 200)
                assert opening["maxPayload"] == 1_000_000
            async with http.get(f"{url}/health/ready") as response:
                assert response.status == 404
            ws = await http.ws_connect(f"{url}/engine.io/?EIO=4&transport=websocket")
            await ws.receive_str()
            finished = await running.finish(signal.SIGTERM)
    assert finished.code == 0
    assert finished.err.count("\n") == 1, finished.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URL", "mongodb://127.0.0.1:1"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("OPENAI_API_KEY", "not-a-key"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
        ("OPENAI_MODEL", "a-model"),
        ("GREENROOM_SECRET", "s" * 40),
        ("GREENROOM_JWKS_URL", "http://127.0.0.1:1/jwks"),
        ("GREENROOM_REUSE_PORT", "1"),
        ("GREENROOM_CORS_ORIGINS", "https://app.example.org"),
        ("GREENROOM_PING_TIMEOUT", "5"),
    ],
)
async def test_a_setting_of_a_real_server_is_refused(name: str, value: str) -> None:
    finished = await command(*WORDS, env={name: value})
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.startswith("greenroom: --protocol-profile is an echo for protocol tests")
    assert f"leave out {name}, or the option\n" in finished.err
    assert value not in finished.err
