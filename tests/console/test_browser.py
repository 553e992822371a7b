"""The browser of these tests ends with them, however they end, and sees what is wrong with a page."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.cli.programs import WITHIN, ended
from tests.console.visitor import Console
from tests.imports import ROOT


def family(pid: int) -> set[int]:
    """Return the living processes that descend from one, or are in a session that it or they began."""
    found = {pid}
    while more := {p for p, parent, session in processes() if {parent, session} & found} - found:
        found |= more
    return found - {pid}


def processes() -> list[tuple[int, int, int]]:
    """Return id, parent and session of every process."""
    read = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        read.append((int(path.parent.name), int(fields[1]), int(fields[3])))
    return read


async def test_a_killed_run_leaves_no_browser(tmp_path: Path) -> None:
    words = (sys.executable, "-m", "tests.console.browsing", str(tmp_path))
    run = await asyncio.create_subprocess_exec(*words, stdout=PIPE, cwd=ROOT)
    assert run.stdout is not None
    try:
        async with asyncio.timeout(WITHIN):
            assert await run.stdout.readline() == b"runs\n"
        left = family(run.pid)
    finally:
        run.kill()
        await run.communicate()
    assert len(left) > 1  # a browser is several processes
    await ended(left)


INLINE = """() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  document.head.append(script);
}"""


async def test_what_the_policy_refuses_does_not_run_and_fails_a_test(console: Console) -> None:
    visitor = await console.visit("learner")
    await visitor.open("")
    async with visitor.page.expect_console_message(lambda message: message.type == "error"):
        await visitor.page.evaluate(INLINE)
    assert await visitor.page.evaluate("window.ran") is None
    assert ["Content Security Policy" in fault for fault in visitor.faults] == [True]
    visitor.faults.clear()
