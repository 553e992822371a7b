"""Holds every tracked text to the house rules that no tool checks."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.imports import ROOT

HERE = Path(__file__).relative_to(ROOT).as_posix()
TEXTS = (".py", ".toml", ".md", ".yaml", ".json", ".ts", ".js", ".mjs", ".lock", ".html", ".css", "")
LONGEST = 400  # lines; files aim at less than 300

# what may stand nowhere: a name for people, and the pattern
NOWHERE = {
    "an unfinished place": r"\b(TODO|FIXME|XXX)\b",
    "a path of one machine": r"(?<![\w.])/(work|root|home/\w+)/",
    "an address of a package index": r"(pypi|pythonhosted|npmjs|yarnpkg)\.(org|com)",
    "a merge conflict": r"^(<{7}|>{7}) ",
}
NOT_IN_TESTS = {
    "a mock of our own code": r"unittest\.mock|mocker\b|monkeypatch\.setattr",
    "a sleep instead of an event": r"(?<!def )\bsleep\((?!0\))",
    "a sleep in disguise": r"create_future\(\)\], timeout|call_later\([^)]*\.set\)|\bEvent\(\)\.wait\(\), ",
}
PASSING = "tests/support/passing.py"  # the only place in which time may pass, each time for a reason


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    names = [name for name in listing.stdout.split("\0") if name and name != HERE]
    return [name for name in names if (ROOT / name).is_file() and Path(name).suffix in TEXTS]


def search(names: list[str], rules: dict[str, str]) -> list[str]:
    """Return a sentence for every line that breaks a rule."""
    found = []
    for name in names:
        text = (ROOT / name).read_text()
        for what, pattern in rules.items():
            for match in re.finditer(pattern, text, re.MULTILINE):
                found.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1} holds {what}")
    return found


def test_nothing_stands_where_it_may_not() -> None:
    assert search(tracked(), NOWHERE) == []


def test_tests_wait_for_events_and_mock_nothing() -> None:
    tests = [n for n in tracked() if n.startswith("tests/") and n.endswith(".py") and n != PASSING]
    assert search(tests, NOT_IN_TESTS) == []


def test_no_source_file_is_a_giant() -> None:
    lengths = {n: len((ROOT / n).read_text().splitlines()) for n in tracked() if n.endswith(".py")}
    assert {
        n: length for n, length in lengths.items() if length > LONGEST and n != "schemas/attempt.py"
    } == {}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("# TODO: later", NOWHERE["an unfinished place"]),
        ("open('/home/' + 'ada/x')".replace("' + '", ""), NOWHERE["a path of one machine"]),
        (".".join(("see pypi", "org")), NOWHERE["an address of a package index"]),
        ("monkeypatch.setattr(a, 'b', 1)", NOT_IN_TESTS["a mock of our own code"]),
        ("await asyncio.sleep(0.1)", NOT_IN_TESTS["a sleep instead of an event"]),
        ("await wait([loop.create_future()], timeout=1)", NOT_IN_TESTS["a sleep in disguise"]),
        ("get_running_loop().call_later(seconds, due.set)", NOT_IN_TESTS["a sleep in disguise"]),
        ("await wait_for(asyncio.Event().wait(), 1)", NOT_IN_TESTS["a sleep in disguise"]),
    ],
)
def test_a_rule_finds_what_it_forbids(text: str, rule: str) -> None:
    assert re.search(rule, text, re.MULTILINE)


def test_the_locks_pin_what_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {
        "requirements.lock": [*project["dependencies"], *extras["embedded"], *extras["voice"]],
        "requirements-dev.lock": [
            *project["dependencies"],
            *(one for extra in extras.values() for one in extra),
        ],
    }
    for file, requirements in wanted.items():
        lines = (ROOT / file).read_text().splitlines()
        assert [line for line in lines if not re.match(r"^[a-z0-9.-]+==[^\s;]+( ;.*)?$", line)] == []
        pinned = {line.split("==")[0] for line in lines}
        names = {canonical(requirement) for requirement in requirements}
        assert names - pinned == set(), f"{file} is older than pyproject.toml; run make lock"


def canonical(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name.group()).lower()
