"""Runs the commands of the README that rehearse a batch job offline, as they stand there."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from server.llm.script import Match, Rule
from tests.cli.programs import environment
from tests.docs.readme import blocks, section
from tests.imports import ROOT
from tests.support.databases import databases
from tests.support.process import free_port

PAGE = (ROOT / "docs" / "batch-jobs.md").read_text()
REHEARSAL = blocks("Batch jobs", "sh")[0]
FAILS = {
    ("permutation1", "test2", "Spanish"): '{"q":"camiseta","size":5}',
    ("permutation2", "test2", "Spanish"): '{"q":"T shirt"}',
}


def rules_of(text: str) -> list[Rule]:
    """Read rules as the scripted model reads them."""
    return TypeAdapter(list[Rule]).validate_python(json.loads(text))


async def shell(source: str, *, cwd: Path, env: dict[str, str]) -> tuple[int | None, str]:
    """Run commands in bash, in a group of their own; return the exit code and what they printed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euc", source), stdout=PIPE, stderr=STDOUT, cwd=cwd, env=env, start_new_session=True
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    finally:
        with suppress(ProcessLookupError):  # what it has started and not ended
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return process.returncode, output.decode()


async def test_the_rehearsal_runs_as_it_is_written(mongod_url: str, tmp_path: Path) -> None:
    (tmp_path / "content").symlink_to(ROOT / "content")
    port = free_port()
    env = {
        "MONGODB_URL": mongod_url,
        "GREENROOM_MONGODB_DATABASE": databases.keep(databases.name(mongod_url)),
        "GREENROOM_DATA_DIR": str(tmp_path / "data"),
        "PORT": str(free_port()),
        "PYTHONPATH": str(ROOT),
    }
    source = REHEARSAL.replace(".venv/bin/python", sys.executable).replace("9000", str(port))
    code, printed = await shell(source, cwd=tmp_path, env=environment(env))
    assert code == 0, printed
    assert "10 of 12 runs passed (83.33 %)" in printed
    told = re.findall(r"(Passed|Failed|Error ) +(\w+) · (\w+) · (\w+)", printed)
    assert {tuple(run) for verdict, *run in told if verdict != "Passed"} == set(FAILS)
    assert len(told) == 12
    report = (tmp_path / "klarna.html").read_text().replace("&quot;", '"').replace("&#34;", '"')
    assert [given for given in FAILS.values() if given not in report] == []
    with pytest.raises(ConnectionRefusedError):  # the last line has ended the model
        await asyncio.open_connection("127.0.0.1", port)


def test_the_page_says_the_same_as_the_readme() -> None:
    assert f"```sh\n{REHEARSAL}```" in PAGE
    for permutation, *_ in FAILS:
        assert f"`{permutation}`" in section("Batch jobs")


def test_the_rules_that_the_page_shows_are_rules() -> None:
    shown = PAGE.partition("## The scripted model\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```json\n(.*?)^```$", shown, re.DOTALL | re.MULTILINE)
    assert len(rules_of(example)) == 3
    names = set(re.findall(r"`(\w+)`", shown.partition("| --- | --- |")[2].partition("\n\n")[0]))
    assert names - {"name", "arguments", "prompt_tokens", "completion_tokens"} <= (
        {field.alias or name for name, field in Rule.model_fields.items()} | set(Match.model_fields)
    )
