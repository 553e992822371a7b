"""A process that runs a browser and says so; it is there to be killed."""

import asyncio
import sys
from pathlib import Path

from tests.console.browser import chromium


async def main(folder: Path) -> None:
    """Run a browser until the process is killed."""
    async with chromium(folder):
        print("runs", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
