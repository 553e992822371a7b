"""`demo`, as a process: everything with one command, on the embedded database and the small model."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from server.llm.scripted import ScriptedModel
from tests.cli.programs import ROOT, WITHIN, Program, command, ended, get, is_alive, post, program
from tests.support.clients import socket

RUNS = "Greenroom runs at "
LAST = "socket.emitWithAck"
CLIENTS = ROOT / "tests" / "clients"


async def started(running: Program) -> tuple[str, str]:
    """Return address and learner's token once the demo has said all."""
    url = (await running.until(RUNS)).removeprefix(RUNS).partition(" ")[0]
    token = (await running.until("  learner ")).removeprefix("learner").strip()
    await running.until(LAST)
    return url, token


async def attempt_ids(url: str, token: str) -> list[object]:
    status, page = await get(f"{url}/api/v1/attempts", token=token)
    assert status == 200, page
    items = page["items"]
    assert isinstance(items, list)
    return [item["id"] for item in items]


async def begin(url: str, token: str) -> object:
    """Start an attempt of the first practice and return its id."""
    _, page = await get(f"{url}/api/v1/practices", token=token)
    items = page["items"]
    assert isinstance(items, list)
    status, ack = await post(
        f"{url}/socket/v5/client/attempt/start", {"practice_id": items[0]["id"]}, token=token
    )
    assert status == 200, ack
    return ack["attempt_id"]


async def test_the_demo_runs_stops_and_keeps_its_data(tmp_path: Path) -> None:
    words = ("demo", "--port", "0", "--data-dir", str(tmp_path))
    async with program(*words) as running:
        url, token = await started(running)
        assert (await get(f"{url}/health/ready"))[0] == 200
        text = "".join(running.out)
        assert "it is no judge" in text
        assert "content   office-hours: " in text
        assert "new or changed" in text
        attempt = await begin(url, token)
        children = running.children()
        assert len(children) == 2  # the database and the model
        finished = await running.finish(signal.SIGINT)
    assert (finished.code, finished.err) == (0, "")
    assert "Greenroom has stopped" in finished.out
    assert [pid for pid in children if is_alive(pid)] == []
    async with program(*words) as again:
        url, token = await started(again)
        assert "content   office-hours: kept as it is" in "".join(again.out)
        assert attempt in await attempt_ids(url, token)
        assert (await again.finish(signal.SIGTERM)).code == 0


@pytest.fixture
def env(model: tuple[ScriptedModel, str]) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model[1], "OPENAI_API_KEY": "not-a-key", "OPENAI_MODEL": "scripted"}


async def test_a_killed_demo_leaves_nothing_that_blocks_the_next(env: dict[str, str], tmp_path: Path) -> None:
    words = ("demo", "--port", "0", "--data-dir", str(tmp_path))
    async with program(*words, env=env) as running:
        url, token = await started(running)
        attempt = await begin(url, token)
        children = running.children()
        await running.finish(signal.SIGKILL)
    async with program(*words, env=env) as again:
        url, token = await started(again)
        assert attempt in await attempt_ids(url, token)
    await ended(children)


async def test_a_second_demo_says_that_the_port_is_in_use(env: dict[str, str], tmp_path: Path) -> None:
    async with program("demo", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        url, _ = await started(running)
        port = url.rpartition(":")[2]
        second = await command("demo", "--port", port, "--data-dir", str(tmp_path), env=env)
        assert (second.code, second.out) == (2, "")
        assert second.err.startswith(f"greenroom: port {port} of 127.0.0.1 is in use")
        assert (await get(f"{url}/health/ready"))[0] == 200


async def test_other_commands_attach_to_the_running_database(env: dict[str, str], tmp_path: Path) -> None:
    async with program("demo", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        url, _ = await started(running)
        made = await command("key", "create", "--role", "author", "--data-dir", str(tmp_path))
        assert made.code == 0
        assert (await get(f"{url}/api/v1/practices", token=made.out.strip()))[0] == 200
        assert (await get(f"{url}/health/ready"))[0] == 200


async def test_what_it_prints_works(env: dict[str, str], tmp_path: Path) -> None:
    """Run the printed lines as they are, with bash and with Node."""
    async with program("demo", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        await started(running)
        lines = [line.strip() for line in running.out]
        export, curl = (next(line for line in lines if line.startswith(w)) for w in ("export ", "curl "))
        ack = json.loads(await output("bash", "-c", f"set -e; {export}; {curl}"))
        assert ack["success"] is True
        begun = next(i for i, line in enumerate(lines) if line.startswith("import { io }"))
        close = "socket.on('attempt_started', () => socket.close())"
        script = shlex.quote("\n".join([*lines[begun : begun + 3], close, lines[begun + 3]]))
        node = f"cd {shlex.quote(str(CLIENTS))}; exec node --input-type=module -e {script}"
        text = await output("bash", "-c", f"set -e; {export}; {node}")
        assert "attempt_started" in text
        assert "success: true" in text


async def test_its_links_sign_in(env: dict[str, str], tmp_path: Path) -> None:
    async with program("demo", "--port", "0", "--data-dir", str(tmp_path), env=env) as running:
        url, _ = await started(running)
        links = re.findall(rf"as (?:an? )?(\w+): +{re.escape(url)}/#token=(\S+)\n", "".join(running.out))
        assert [role for role, _ in links] == ["learner", "author", "ops"]
        for role, token in links:
            async with socket(url, {"token": token}) as visitor:
                assert visitor.seen_last("connection_confirmed")["role"] == role


async def output(*words: str) -> str:
    """Return what a program prints; it must succeed, and is killed when it does not end."""
    process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, cwd=ROOT, env=os.environ)
    try:
        async with asyncio.timeout(WITHIN):
            out, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()
