"""The demo as a newcomer has it: embedded database and real small model, from chat to hint to grade."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.clients import Socket, socket
from tests.support.running import PACK, practice

REPLACED = ("MONGODB_URL", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "PORT")
MINUTES = 240.0  # the model reads some 100 tokens a second on a busy machine


@asynccontextmanager
async def demo(data_dir: Path) -> AsyncIterator[tuple[str, str]]:
    """Run the demo as `make run` does, and yield its address and its learner's token."""
    process = await server("demo", "--port", "0", "--data-dir", str(data_dir))
    try:
        async with asyncio.timeout(60):
            printed = await until_printed(process, r"learner +(ey\S+)")
        url = re.search(r"runs at (http://\S+)", printed)
        token = re.search(r"learner +(ey\S+)", printed)
        assert url is not None
        assert token is not None
        yield url[1], token[1]
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.communicate()
        assert process.returncode == 0


async def server(*arguments: str) -> Process:
    """Start a command of the server without what would replace its embedded parts."""
    environment = {
        k: v for k, v in os.environ.items() if k not in REPLACED and not k.startswith("GREENROOM_")
    }
    command = (sys.executable, "-m", "server", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env=environment)


async def until_printed(process: Process, pattern: str) -> str:
    """Read a process's output until a line matches, and return all of it."""
    assert process.stdout is not None
    printed = ""
    while not re.search(pattern, printed):
        line = await process.stdout.readline()
        assert line, printed
        printed += line.decode()
    return printed


@pytest.mark.timeout(600)
async def test_the_small_model_talks_hints_and_grades(tmp_path: Path) -> None:
    async with demo(tmp_path) as (url, token):
        load = await server("load", str(PACK), "--data-dir", str(tmp_path))
        output, _ = await load.communicate()
        assert load.returncode == 0, output.decode()
        async with socket(url, {"token": token}) as learner:
            await talk(learner, url, token)


async def talk(learner: Socket, url: str, token: str) -> None:
    ack = await learner.send("attempt_start", practice_id=practice("hinted"))
    ids = {"attempt_id": ack["attempt_id"], "chat_id": ack["chat_id"]}
    await learner.send("attempt_message", message="Hello Ada, what do you know about loops?", **ids)
    done = await learner.until("attempt_assistant_complete", within=MINUTES, chat_id=ids["chat_id"])
    parts = learner.named("attempt_progress", chat_id=ids["chat_id"])
    assert len(parts) > 1
    assert "".join(p["content"] for p in parts) == done["content"]
    assert done["usage"]["completion_tokens"] > 0
    hint = await learner.until("attempt_hint_progress", within=MINUTES, chat_id=ids["chat_id"])
    assert all(len(h["hint"].split()) > 1 for h in hint["hints"])  # none at all when none was usable
    await learner.send("attempt_end", **ids)
    graded = await learner.until("attempt_graded", within=MINUTES, chat_id=ids["chat_id"])
    assert 0 <= graded["score"] <= graded["total_points"] == 6
    grade = await read_grade(url, token, graded["grade_id"])
    assert "no judge" in grade["description"]
    assert [j["reliable"] for j in grade["judges"]] == [False]
    assert {g["name"] for g in grade["groups"]} == {"Listening", "Clarity"}


async def read_grade(url: str, token: str, grade_id: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}/api/v1/grades/{grade_id}", headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        grade: dict[str, Any] = await response.json()
        return grade
