"""The product server on a MongoDB and a model endpoint that already run; it prints its address."""

import asyncio
import cProfile
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr

from bench.fanout.ours import UNLIMITED
from server import logs
from server.cli.serving import serving
from server.settings import Settings

SECRET = SecretStr("benchmarks sign their tokens with this secret")
PROFILE = os.environ.get("BENCH_PROFILE")  # a file for cProfile's figures of the whole run
LOCAL: dict[str, Any] = {"private_urls": True, **UNLIMITED}


async def serve(mongod_url: str, model_url: str, folder: Path) -> None:
    """Serve until the standard input ends."""
    settings = Settings(
        port=0,
        data_dir=folder,
        secret=SECRET,
        guests=True,
        log_level="error",
        mongodb_url=SecretStr(mongod_url),
        mongodb_database="bench",
        openai_api_key=SecretStr("none"),
        openai_base_url=f"{model_url}/v1",
        openai_model="none",
        **LOCAL,
    )
    logs.configure(settings.log_level)
    async with serving(settings) as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the server, under cProfile when a file for its figures is named."""
    profile = cProfile.Profile(time.thread_time) if PROFILE else None
    with tempfile.TemporaryDirectory() as data_dir, profile or nullcontext():
        uvloop.run(serve(sys.argv[1], sys.argv[2], Path(data_dir)))
    if profile is not None and PROFILE:
        profile.dump_stats(PROFILE)


if __name__ == "__main__":
    main()
