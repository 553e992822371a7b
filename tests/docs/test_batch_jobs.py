"""Runs the programs of the README and of docs/batch-jobs.md that start a batch job, as they stand there."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import orjson
import pytest
import pytest_asyncio

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.batch.seed_table import ROWS, SCRIPT
from tests.docs.readme import blocks
from tests.imports import ROOT
from tests.support.batch_jobs import KEYS, MIRROR
from tests.support.process import free_port
from tests.support.proxy import proxy
from tests.support.running import Server, running, settings_for

PAGE = (ROOT / "docs" / "batch-jobs.md").read_text()


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server with the plugins and the model of the ready job."""
    model[0].script(SCRIPT)
    async with running(settings_for(mongod_url, model[1], url_mirror=MIRROR)) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1])


@asynccontextmanager
async def started(server: Server, source: str, *, url: str) -> AsyncIterator[Process]:
    """Run a program as an author would; its output is to be read."""
    known = {"GREENROOM_URL": url, "GREENROOM_TOKEN": server.token(new(), role="author")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", source),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **known},
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def rest_of(process: Process) -> list[str]:
    """Return the lines that a program prints up to its end."""
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode().splitlines()


async def printed(server: Server, source: str) -> list[str]:
    """Run a program; return the lines that it printed."""
    async with started(server, source, url=server.url) as process:
        return await rest_of(process)


async def test_the_program_of_the_readme(server: Server) -> None:
    (source,) = blocks("Batch jobs", "py")
    *results, summary = map(orjson.loads, await printed(server, source))
    assert len(results) == len(ROWS)
    assert summary["summary"]["overall_accuracy"] == 50


def source_of_the_page() -> str:
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert isinstance(source, str)
    return source


async def test_the_program_of_the_page(server: Server) -> None:
    source = source_of_the_page()
    lines = await printed(server, source)
    told = [line.split() for line in lines[: len(ROWS)]]
    assert sorted((name, case, language) for _, name, case, language in told) == sorted(ROWS)
    assert orjson.loads("".join(lines[len(ROWS) :]))["total_test_cases"] == len(ROWS)


async def test_the_program_of_the_page_waits_for_a_server_and_starts_its_job_once(server: Server) -> None:
    server.model.script([{**rule, "first_delay_ms": 500} for rule in SCRIPT])
    port = free_port()
    async with started(server, source_of_the_page(), url=f"http://127.0.0.1:{port}") as process:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"trying again: ")
        async with proxy(server.url, port=port) as way:
            await server.model.until("running")
            way.cut()
            lines = await rest_of(process)
    assert len([line for line in lines if line.startswith(("Passed ", "Failed "))]) == len(ROWS)
    assert f'  "total_test_cases": {len(ROWS)},' in lines
    assert await server.app[keys.STORE].database.jobs.count_documents({}) == 1


async def test_the_program_of_the_page_goes_on_after_an_answer_to_an_odd_message(server: Server) -> None:
    say = "await socket.send_str(json.dumps(first))"
    source = source_of_the_page()
    assert say in source
    lines = await printed(server, source.replace(say, f'{say}; await socket.send_str("odd")'))
    assert '  "code": "bad_request",' in lines
    assert len([line for line in lines if line.startswith(("Passed ", "Failed "))]) == len(ROWS)
    assert f'  "total_test_cases": {len(ROWS)},' in lines


async def test_the_program_of_the_page_says_why_runs_have_failed(server: Server) -> None:
    server.model.script([{"status": 401, "error": {"message": "no such key"}}])
    lines = await printed(server, source_of_the_page().replace("**JOB}", "**JOB, 'config': {}}"))
    reasons = [reason for line, reason in pairwise(lines) if line.startswith("Error ")]
    assert len(reasons) == len(ROWS) / 2
    assert set(reasons) == {"  The model endpoint refused the key; check the key and its rights."}


async def test_the_program_of_the_page_ends_when_its_job_is_refused(server: Server) -> None:
    source = source_of_the_page().replace("**JOB}", "**JOB, 'test_cases': []}")
    lines = await printed(server, source)
    assert '  "code": "bad_request",' in lines


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_result_is_described(key: str) -> None:
    assert f"`{key}`" in PAGE.partition("\n## Results\n")[2].partition("\n## ")[0]
