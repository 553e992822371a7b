"""`chat`: practise in a terminal against a running server."""

from typing import Annotated, Any

import typer

from schemas.envelope import Id
from server.cli.address import http_url, reachable
from server.cli.chat_lines import lines
from server.cli.chat_link import Link, Refused, linked
from server.cli.chat_screen import Screen, plain
from server.cli.chat_talk import Talk
from server.cli.failure import Failure
from server.cli.options import DataDir, configure
from server.cli.run import run
from server.cli.tokens import make_token

Practice = Annotated[
    str | None,
    typer.Option(help="Name or id of what to practise; asked for when left out.", show_default=False),
]
Url = Annotated[
    str | None, typer.Option(help="Where the server runs; by GREENROOM_HOST and PORT.", show_default=False)
]
Token = Annotated[
    str | None,
    typer.Option(
        help="A token or API key, instead of a learner's token of the data directory.", show_default=False
    ),
]


def chat(practice: Practice = None, url: Url = None, token: Token = None, data_dir: DataDir = None) -> None:
    """Practise in the terminal: type what you say; /stop, /end, /grade, /quit."""
    settings = configure(data_dir=data_dir, log_level="error")
    where = (url or http_url(reachable(settings.host), settings.port)).rstrip("/")
    run(_chat(where, token or make_token(settings, "learner"), practice), when_stopped=0)


async def _chat(url: str, token: str, wanted: str | None) -> None:
    screen, typed = Screen(), lines()
    async with linked(url, token) as link:
        try:
            practices = await _practices(link)
            chosen = _named(practices, wanted) if wanted else await _ask(practices, screen, typed)
            talk = Talk(link, screen, typed)
            await talk.start(chosen)
        except Refused as refused:
            raise Failure(str(refused), code=1) from refused
        await talk.run()


async def _practices(link: Link) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await link.read(f"practices?limit=100{cursor}")
        found += page["items"]
        if not page.get("next_cursor"):
            break
        cursor = f"&cursor={page['next_cursor']}"
    if not found:
        raise Failure(
            "there is nothing to practise yet; load a pack with python -m server load FILE.yaml", code=1
        )
    return sorted(found, key=lambda practice: str(practice["name"]))


def _named(practices: list[dict[str, Any]], wanted: str) -> Id:
    """Return the practice of a name or id, or the only one whose name contains it; raises Failure."""
    asked = wanted.casefold()
    exact = [p for p in practices if asked in (p["id"], str(p["name"]).casefold())]
    found = exact or [p for p in practices if asked in str(p["name"]).casefold()]
    if exact or len(found) == 1:
        return str(found[0]["id"])
    names = ", ".join(plain(p["name"]) for p in practices)
    raise Failure(f"there is no practice {wanted!r}; there are: {names}", code=1)


async def _ask(practices: list[dict[str, Any]], screen: Screen, typed: Any) -> Id:
    """Let somebody choose by number or name; the only one is not asked for."""
    if len(practices) == 1:
        return str(practices[0]["id"])
    for number, practice in enumerate(practices, 1):
        screen.note(f"{number:3} {practice['name']}")
    screen.prompt()
    while (line := await typed.get()) is not None:
        if line.isdecimal() and 0 < int(line) <= len(practices):
            return str(practices[int(line) - 1]["id"])
        try:
            return _named(practices, line)
        except Failure:
            screen.problem("Type one of the numbers.")
            screen.prompt()
    raise Failure("nothing was chosen; name a practice with --practice", code=1)
