"""promptfoo on the same endpoint: the same prompts, the same tools, so many at once, an assertion for each.

It stores and reports results as it always does, but stays on this machine: nothing is told to its makers,
shared, updated or generated elsewhere, and its proxy for https is a closed port.
"""

import asyncio
import json
import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.batch.work import FUNCTION, prompts

HERE = Path(__file__).parent
PROGRAM = HERE / "node_modules/promptfoo/dist/src/entrypoint.js"
QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_CACHE_ENABLED": "false",
    "HTTPS_PROXY": "http://127.0.0.1:9",  # it tells its makers even that telemetry is off
    "https_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall and CPU seconds of a whole process and what it waited for."""

    wall: float
    cpu: float


def config(url: str, template: bytes, cases: int, *, salt: str) -> dict[str, Any]:
    """Return the configuration of an evaluation that makes the same requests as our server."""
    body = orjson.loads(template)
    *leading, _ = body["messages"]
    settings = {key: value for key, value in body.items() if key not in ("model", "messages")}
    messages = [*leading, {"role": "user", "content": "{{prompt}}"}]
    called = f"output.some(call => call.function.name === {FUNCTION!r})"
    return {
        "prompts": [json.dumps(messages)],
        "providers": [
            {
                "id": f"openai:chat:{body['model']}",
                "config": {"apiBaseUrl": f"{url}/v1", "apiKey": "none", **settings},
            }
        ],
        "defaultTest": {"assert": [{"type": "javascript", "value": called}]},
        "tests": [{"vars": {"prompt": prompt}} for prompt in prompts(cases, salt=salt)],
    }


async def evaluate(folder: Path, given: dict[str, Any], *, at_once: int) -> Spent:
    """Run an evaluation in a new folder; raises RuntimeError when a case did not pass."""
    config_file, result_file = _written(folder, given), folder / "result.json"
    options = ("--no-cache", "--no-progress-bar", "--no-table", "--no-share", "-j", str(at_once))
    before, began = _children(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *("node", str(PROGRAM), "eval", "-c", str(config_file), "-o", str(result_file), *options),
        env={**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": str(folder)},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    spent = Spent(time.perf_counter() - began, _children() - before)
    if process.returncode:
        raise RuntimeError(f"promptfoo ended with {process.returncode}: {output.decode()[-2000:]}")
    passed = orjson.loads(result_file.read_bytes())["results"]["stats"]["successes"]
    if passed != len(given["tests"]):
        raise RuntimeError(f"promptfoo passed {passed} of {len(given['tests'])} cases")
    return spent


def _written(folder: Path, given: dict[str, Any]) -> Path:
    folder.mkdir()
    config_file = folder / "config.json"
    config_file.write_text(json.dumps(given))
    return config_file


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have been waited for
    return used.ru_utime + used.ru_stime
