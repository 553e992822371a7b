"""`chat`: practise in a terminal against a running server."""

from typing import Annotated

import typer

from server.cli.address import http_url, reachable
from server.cli.chat_choice import Choice, ask, choices, named, open_attempts
from server.cli.chat_lines import lines
from server.cli.chat_link import Link, Refused, linked
from server.cli.chat_screen import Screen
from server.cli.chat_talk import Talk
from server.cli.failure import Failure
from server.cli.options import DataDir, configure
from server.cli.run import run
from server.cli.tokens import make_token

Practice = Annotated[
    str | None,
    typer.Option(help="Name or id of a practice or home; asked for when left out.", show_default=False),
]
AttemptId = Annotated[
    str | None,
    typer.Option("--attempt", help="Id of an open attempt to go on with.", show_default=False),
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


def chat(
    practice: Practice = None,
    attempt: AttemptId = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = None,
) -> None:
    """Practise in the terminal: type what you say; /help lists what else can be done."""
    if practice is not None and attempt is not None:
        raise Failure("give --practice to begin anew or --attempt to go on, not both")
    settings = configure(data_dir=data_dir, log_level="error")
    where = (url or http_url(reachable(settings.host), settings.port)).rstrip("/")
    known = Choice(kind="attempt", id=attempt, name="") if attempt else None
    run(_chat(where, token or make_token(settings, "learner"), practice or known), when_stopped=0)


async def _chat(url: str, token: str, wanted: str | Choice | None) -> None:
    screen, typed = Screen(), lines()
    async with linked(url, token) as link:
        talk = Talk(link, screen, typed)
        try:
            chosen = await _known(link, wanted)
            if chosen is None:
                found = [*await open_attempts(link), *await choices(link)]
                chosen = await ask(found, screen, typed)
            await talk.start(chosen)
        except Refused as refused:
            raise Failure(str(refused), code=1) from refused
        await talk.run()


async def _known(link: Link, wanted: str | Choice | None) -> Choice | None:
    """Return what the command line names."""
    return named(await choices(link), wanted) if isinstance(wanted, str) else wanted
