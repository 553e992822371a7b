"""docs/reliability.md names tests that exist."""

import ast
import re

import pytest

from tests.imports import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`((?:tests|server)/[^`\s]+\.py)(?:::(\w+))?`", PAGE)))


def test_every_promise_has_a_test_and_what_was_measured() -> None:
    promises = PAGE.partition("## Promises")[2].partition("## ")[0]
    rows = [line for line in promises.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []
    assert [row for row in rows if not row.split("|")[3].strip()] == []


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_is_named_exists(file: str, name: str) -> None:
    source = ROOT / file
    assert source.is_file()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [node.name for node in ast.parse(source.read_text()).body if isinstance(node, functions)]
    if name:
        assert name in names
    elif source.name.startswith("test_"):
        assert any(found.startswith("test_") for found in names)
