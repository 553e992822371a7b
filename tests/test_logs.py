"""What reaches stderr."""

import json
import subprocess
import sys
from pathlib import Path

from tests.imports import ROOT

PROGRAM = """
import logging, sys, warnings
import structlog
from server import logs

logs.configure(sys.argv[1], form=sys.argv[2])
log = structlog.get_logger("tests")
log.debug("small")
log.info("large", token="SECRET", count=2)
try:
    try:
        int("SAID")
    except ValueError as error:
        raise KeyError("SAID") from error
except KeyError:
    log.exception("broke")
logging.getLogger("asyncio").error("never retrieved\\nfuture: SAID")
logging.getLogger("openai").info("a request: SAID")
logging.getLogger("openai").warning("a request: %s", "SAID")
warnings.warn("old")
"""


def run(level: str, style: str = "json") -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, style],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return finished.stderr.splitlines()


def test_every_record_is_a_line_of_json_without_tokens_and_what_people_wrote() -> None:
    lines = run("info")
    records = {record["event"]: record for record in map(json.loads, lines)}
    assert records["large"]["token"] == "***"
    assert records["large"]["count"] == 2
    assert records["large"]["level"] == "info"
    types = [error["type"] for error in records["broke"]["exception"]]
    assert types == ["builtins.KeyError", "builtins.ValueError"]
    assert records["broke"]["exception"][0]["at"] == ["<string>:14 <module>"]
    assert "small" not in records
    assert any("old" in event for event in records)
    assert "SECRET" not in str(lines)
    assert "SAID" not in str(lines)


def test_debugging_shows_what_exceptions_say() -> None:
    records = {record["event"]: record for record in map(json.loads, run("debug"))}
    assert records["broke"]["exception"][0]["message"] == "'SAID'"
    assert records["small"]["level"] == "debug"
    assert "a request: SAID" in records


def test_a_terminal_gets_readable_lines() -> None:
    text = "\n".join(run("info", "text"))
    assert "large" in text
    assert "builtins.KeyError" in text
    assert "SAID" not in text


def test_work_goes_on_when_nobody_can_read_the_log() -> None:
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, "info", "json"], cwd=ROOT, stderr=full, check=False
        )
    assert finished.returncode == 0


COUNTED = """
import logging
import structlog
from server import logs

logs.configure("error", form="json")
log = structlog.get_logger("tests")
log.warning("not one")
log.error("one")
log.critical("two")
try:
    int("x")
except ValueError:
    log.exception("three")
logging.getLogger("asyncio").error("four")
print(logs.ERRORS.total)
"""


def test_errors_are_counted() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", COUNTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert finished.stdout == "4\n"


SENT = """
import logging
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web import RequestPayloadError
from server import logs

logs.configure("info", form="json")
for error in (BadHttpMessage("SAID"), RequestPayloadError("SAID"), KeyError("SAID")):
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "1.2.3.4", exc_info=error)
"""


def test_nobody_can_fill_the_log_with_what_is_no_http() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", SENT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    records = [json.loads(line) for line in finished.stderr.splitlines()]
    assert [[e["type"] for e in r["exception"]] for r in records] == [["builtins.KeyError"]]
