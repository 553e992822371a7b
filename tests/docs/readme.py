"""Reads the README: its sections, and the blocks of code in them."""

import re
import textwrap

from tests.imports import ROOT

README = (ROOT / "README.md").read_text()
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """Return the text below a heading, up to the next heading of the same or a higher level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n", README, re.MULTILINE)
    assert found, f"the README has no section {title}"
    rest = README[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def blocks(title: str, language: str) -> list[str]:
    """Return the blocks of code of a section that are in a language, without their indentation."""
    found = [m for m in _BLOCK.finditer(section(title)) if m[2] == language]
    return [textwrap.dedent(m[3]) for m in found]
