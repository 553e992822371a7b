"""What somebody may practise: open attempts to go on with, homes, and practices."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from schemas.envelope import Id
from server.cli.chat_link import Link
from server.cli.chat_panels import plain
from server.cli.chat_screen import Screen
from server.cli.failure import Failure

Kind = Literal["attempt", "home", "practice"]
NEWEST = 20  # attempts that are looked through for open ones
WORDS: dict[Kind, str] = {"attempt": "go on with ", "home": "", "practice": ""}
REMARKS: dict[Kind, str] = {"attempt": "", "home": " (assigned to you)", "practice": ""}


class Choice(BaseModel):
    """Something to begin, or an open attempt to go on with."""

    kind: Kind
    id: Id
    name: str


async def choices(link: Link) -> list[Choice]:
    """Return homes, then practices, each by name; raises Failure when there are none."""
    found: list[Choice] = []
    for kind in ("home", "practice"):
        rows = await _all(link, f"{kind}s")
        found += sorted((_choice(kind, row) for row in rows), key=lambda choice: choice.name)
    if not found:
        raise Failure(
            "there is nothing to practise yet; load a pack with python -m server load FILE.yaml", code=1
        )
    return found


async def open_attempts(link: Link) -> list[Choice]:
    """Return one's own attempts that have not ended, newest first."""
    own = (await link.read("rooms?limit=1"))["items"][0]["room"]
    owner = str(own).partition("_")[2]
    page = await link.read(f"attempts?profile_id={owner}&limit={NEWEST}")
    return [_choice("attempt", row) for row in page["items"] if row["status"] == "open"]


def named(found: Sequence[Choice], wanted: str) -> Choice:
    """Return the choice of a name or id, or the only one whose name contains it; raises Failure."""
    asked = wanted.casefold()
    exact = [choice for choice in found if asked in (choice.id, choice.name.casefold())]
    close = exact or [choice for choice in found if asked in choice.name.casefold()]
    if exact or len(close) == 1:
        return close[0]
    names = ", ".join(plain(choice.name) for choice in found)
    raise Failure(f"there is no practice {wanted!r}; there are: {names}", code=1)


async def ask(found: Sequence[Choice], screen: Screen, typed: asyncio.Queue[str | None]) -> Choice:
    """Let somebody choose by number or name; the only one is not asked for. Raises Failure."""
    if len(found) == 1 and found[0].kind != "attempt":
        return found[0]
    for number, choice in enumerate(found, 1):
        screen.note(f"{number:3} {WORDS[choice.kind]}{choice.name}{REMARKS[choice.kind]}")
    screen.prompt()
    while (line := await typed.get()) is not None:
        screen.entered()
        if line.isdecimal() and 0 < int(line) <= len(found):
            return found[int(line) - 1]
        try:
            return named([choice for choice in found if choice.kind != "attempt"], line)
        except Failure:
            screen.problem("Type one of the numbers.")
            screen.prompt()
    raise Failure("nothing was chosen; name a practice with --practice", code=1)


async def _all(link: Link, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await link.read(f"{what}?limit=100{cursor}")
        found += page["items"]
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={page['next_cursor']}"


def _choice(kind: Kind, row: dict[str, Any]) -> Choice:
    return Choice(kind=kind, id=row["id"], name=str(row["name"]))
