"""Follows the README's steps for adding an event, in a copy of the source, and calls the event over HTTP."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from server.engine.ids import new
from server.transports import keys
from tests.docs.readme import blocks
from tests.imports import ROOT
from tests.support.databases import databases
from tests.support.running import SECRET, Server, practice


def apply_steps(root: Path) -> None:
    """Copy the source and change it as the README says."""
    for part in ("schemas", "handlers", "server"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    payload, handler, lines = blocks("Adding an event", "python")
    (entry,) = blocks("Adding an event", "text")
    with (root / "schemas" / "attempt.py").open("a") as file:
        file.write(f"\n\n{payload}")
    replace(root / "schemas" / "events.py", "room.RoomLeave,", f"room.RoomLeave, {entry.strip()}")
    (root / "handlers" / "attempt_time.py").write_text(handler)
    imported, listed = lines.splitlines()
    table = root / "handlers" / "__init__.py"
    replace(table, "from handlers.base", f"{imported}\nfrom handlers.base")
    replace(table, "        room_join,\n", f"{listed}\n        room_join,\n")


def replace(path: Path, old: str, new_text: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name}: {old}"
    path.write_text(text.replace(old, new_text))


@asynccontextmanager
async def serving(root: Path, *, server: Server, mongod_url: str) -> AsyncIterator[str]:
    """Run the changed source on the database of a running server."""
    settings = {
        "MONGODB_URL": mongod_url,
        "GREENROOM_MONGODB_DATABASE": databases.keep(server.app[keys.SETTINGS].mongodb_database),
        "GREENROOM_SECRET": SECRET.get_secret_value(),
        "OPENAI_BASE_URL": f"{server.model_url}/v1",
        "PYTHONPATH": str(root),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "server", "serve", "--port", "0", "--data-dir", str(root / "data")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **settings},
        cwd=root,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = ""
            while "listens on" not in line:
                line = (await process.stdout.readline()).decode()
                assert line, "the server ended"
        yield line.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        await process.communicate()


async def test_the_steps_make_an_event(server: Server, mongod_url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(apply_steps, tmp_path)
    headers = {"Authorization": f"Bearer {server.token(new())}"}
    async with (
        serving(tmp_path, server=server, mongod_url=mongod_url) as url,
        aiohttp.ClientSession(f"{url}/socket/v5/client/", headers=headers) as http,
    ):
        async with http.post("attempt/start", json={"practice_id": practice("patient")}) as answer:
            started = await answer.json()
        async with http.post("attempt/time", json={"chat_id": started["chat_id"]}) as answer:
            told = await answer.json()
        assert told["success"]
        assert told["limit"] == 1
        assert told["negative"] is True
        assert told["elapsed"] >= 0
        async with http.post("attempt/time", json={"chat_id": new()}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")
