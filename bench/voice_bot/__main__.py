"""A bot made with Pipecat as the agent of a voice run, called as Twilio would call it.

The bot gets an environment of its own, which pip fills at the first time; nothing else is downloaded. Exits
with 1 when something is not as it should be.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

import uvloop

from bench.batch.processes import bench
from bench.fanout.tables import markdown, plain
from bench.voice_bot.call import Author
from bench.voice_bot.environment import install, running
from bench.voice_bot.findings import rows, table

OVER_SECONDS = 15.0  # that the bot takes to notice that the caller has gone


async def check(given: argparse.Namespace) -> bool:
    """Call the bot, print what was found, and tell whether all is well."""
    await install(given.folder)
    with tempfile.TemporaryDirectory() as folder:
        async with running(given.folder) as bot, bench(Path(folder)) as started:
            run, recording = await Author(started).call(bot.url)
            await asyncio.wait_for(bot.over.wait(), OVER_SECONDS)
    if given.keep:
        (given.folder / "call.wav").write_bytes(recording)
        (given.folder / "call.json").write_text(json.dumps({"run": run, "bot": bot.told}, indent=1))
    for item in run["transcript_object"]:
        print(f"{item['start_time']:6.1f} {item['role']:14} {item['content']}", file=sys.stderr)
    if not recording:
        print(f"no call came about: {run['error_message']}", file=sys.stderr)
        return False
    found = rows(run, recording, bot)
    print(markdown(table(found)) if given.markdown else plain(table(found)))
    return all(fine for _, _, fine in found)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m bench.voice_bot", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/pipecat"), help="of the bot's environment")
    parser.add_argument("--keep", action="store_true", help="keep call.wav and call.json in that folder")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/performance.md")
    sys.exit(0 if uvloop.run(check(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
