"""Runs the README's tour as it stands there, with the tools that it names."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from server.engine.ids import new
from server.engine.packs import read_pack
from server.transports import keys
from tests.docs.readme import blocks, section
from tests.imports import ROOT
from tests.support.running import Server

CLIENTS = ROOT / "tests" / "clients"  # where socket.io-client is installed
PACK = ROOT / "content" / "office-hours.yaml"
GRANT = "Twelve points"  # in the first line of the persona with whom the tour talks
SLOW = {"match": {"system_contains": "Stay in your role"}, "delay_ms": 60}


async def tour(server: Server, *command: str, source: str, cwd: Path) -> str:
    """Run a program given on its standard input as a learner would; return what it printed."""
    pack = read_pack(PACK.read_text(), file=str(PACK))
    await server.app[keys.STORE].content.put(pack.contents, org="default")
    await server.script(SLOW)
    known = {"GREENROOM_URL": server.url, "GREENROOM_TOKEN": server.token(new())}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **known},
        cwd=cwd,
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate(source.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    printed = output.decode()
    assert process.returncode == 0, printed
    return printed


def lines_of(printed: str) -> list[str]:
    return printed.splitlines()


def node() -> str:
    """Return Node from PATH, else the one that `make test` has installed."""
    return shutil.which("node") or str(Path(sys.executable).with_name("node"))


def test_the_tour_says_what_to_export() -> None:
    exported = blocks("A tour", "sh")[0]
    assert "export GREENROOM_URL=" in exported
    assert "export GREENROOM_TOKEN=" in exported
    assert "practice" in section("A tour")


async def test_curl(server: Server, tmp_path: Path) -> None:
    script = "\n".join(blocks("curl", "sh"))
    printed = await tour(server, "bash", "-euo", "pipefail", source=script, cwd=tmp_path)
    lines = lines_of(printed)
    assert "Conversations that are not about the material" in printed
    assert lines.count("event: connection_confirmed") == 3
    assert lines.count("event: attempt_user_complete") == 1
    assert lines.count("event: attempt_assistant_complete") == 2
    assert lines.count("event: attempt_graded") == 1
    assert [line for line in lines if '"success":false' in line] == []
    ids = [line for line in lines if line.startswith("id: ")]
    assert len(ids) == len(set(ids))
    assert '"groups"' in printed
    assert "Grant" in (tmp_path / "attempt.html").read_text()


async def test_javascript(server: Server) -> None:
    (source,) = blocks("JavaScript", "js")
    printed = await tour(server, node(), "--input-type=module", "-", source=source, cwd=CLIENTS)
    lines = lines_of(printed)
    assert lines[0] == "connected as learner"
    assert lines[2] == 'persona: You said "What would be a". Tell me more about it, step by step.'
    assert lines[3] == "recovered: true, nothing lost: true"
    assert len(lines) == 4


async def test_python(server: Server, tmp_path: Path) -> None:
    (source,) = blocks("Python", "python")
    printed = await tour(server, sys.executable, "-", source=source, cwd=tmp_path)
    lines = lines_of(printed)
    assert lines[0].startswith("persona: ")
    assert lines[1] == "asked once: True"
    assert lines[2].startswith("stopped: True - the reply so far: You")
    assert [line for line in lines if " of " in line and ": " in line]
