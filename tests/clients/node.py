"""Runs the JavaScript clients."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).parent
SECONDS = 60


class Script:
    """A script that runs; `result` waits for what it reports."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def result(self) -> dict[str, Any]:
        """Return the script's report."""
        async with asyncio.timeout(SECONDS):
            out, err = await self._process.communicate()
        assert self._process.returncode == 0, err.decode()
        found: dict[str, Any] = orjson.loads(out)
        return found


@asynccontextmanager
async def script(name: str, **given: Any) -> AsyncIterator[Script]:
    """Start a script with its arguments; it is ended when the test is done with it."""
    process = await asyncio.create_subprocess_exec(
        *[node(), str(HERE / f"{name}.mjs"), orjson.dumps(given).decode()],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Script(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run(name: str, **given: Any) -> dict[str, Any]:
    """Run a script and return its report."""
    async with script(name, **given) as running:
        return await running.result()


def node() -> str:
    """Return Node from PATH, else the one that a package has put beside this Python."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("node", path=os.pathsep.join([os.environ.get("PATH", ""), beside]))
    assert found, "no node on PATH; `make setup-test` installs one"
    return found
