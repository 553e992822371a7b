"""A headless Chromium for the whole run, which ends with the process that started it."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from server.embedded.child import start_child, stop_child
from tests.support.passing import passes

START_SECONDS = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-port=0",
)


@asynccontextmanager
async def chromium(folder: Path, *flags: str) -> AsyncIterator[str]:
    """Run Chromium with a new profile and further flags, and yield the address by which it is driven."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("the tests of the web page need chromium; on Debian: apt-get install chromium")
    process = await start_child(
        [program, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"], stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            address = await _address(folder / "DevToolsActivePort")
        yield address
    finally:
        await stop_child(process)


async def _address(port_file: Path) -> str:
    while (port := _first_line(port_file)) is None:
        await passes(0.05, because="Chromium writes its port into a file")
    return f"http://127.0.0.1:{port}"


def _first_line(path: Path) -> str | None:
    """Return the first line of a file, None until it is whole."""
    if not path.is_file():
        return None
    line, end, _ = path.read_text().partition("\n")
    return line if end else None
