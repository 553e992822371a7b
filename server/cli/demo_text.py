"""What the demo prints: where it runs, with which parts, and how to talk to it."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.envelope import Id
from server.cli.address import hosts_of
from server.cli.parts import has_endpoint
from server.cli.tokens import make_token
from server.embedded.model import MODEL
from server.settings import Settings, default_data_dir


def describe(
    url: str,
    *,
    asked: Settings,
    practice: tuple[Id, str] | None,
    news: Sequence[str],
    processes: Sequence[str] = (),
) -> list[str]:
    """Return the lines; `asked` are the settings without the embedded parts.

    `processes` are the names of those that were started, if they are several.
    """
    lines = [
        "",
        f"Greenroom runs at {url} (Ctrl-C stops it)",
        *_scaled(asked, processes),
        f"  data      {asked.data_dir}",
        f"  database  {_database(asked)}",
        f"  model     {_model(asked)}",
        *(f"  content   {sentence}" for sentence in news or ["none"]),
        "",
    ]
    if asked.jwks_url:
        return [*lines, f"Tokens come from {asked.jwks_url}. The web page takes one at {url}/", ""]
    learner, author, ops = (make_token(asked, role) for role in ("learner", "author", "ops"))
    lines += ["Tokens, good for 30 days", f"  learner   {learner}", f"  author    {author}", ""]
    lines += ["Talk to it", f"  in a terminal:    {_command('chat', asked, url=url)}"]
    lines += ["  in a browser, already signed in:"]
    for role, token in (("a learner", learner), ("an author", author), ("ops", ops)):
        lines.append(f"    as {role + ':':<11} {url}/#token={token}")
    if practice:
        lines += _calls(url, asked, practice)
    return [*lines, ""]


def _calls(url: str, asked: Settings, practice: tuple[Id, str]) -> list[str]:
    key, name = practice
    headers = "-H \"Authorization: Bearer $GREENROOM_TOKEN\" -H 'Content-Type: application/json'"
    body = f'{{"practice_id": "{key}"}}'
    return [
        f"  with curl, practising “{name}”:",
        f"    export GREENROOM_TOKEN=$({_command('token', asked, role='learner')})",
        f"    curl -s {headers} -d '{body}' {url}/socket/v5/client/attempt/start",
        "  in JavaScript (npm install socket.io-client):",
        "    import { io } from 'socket.io-client'",
        f"    const socket = io('{url}', {{ auth: {{ token: process.env.GREENROOM_TOKEN }} }})",
        "    socket.onAny((event, data) => console.log(event, data))",
        f"    console.log(await socket.emitWithAck('attempt_start', {{ practice_id: '{key}' }}))",
    ]


def _command(name: str, asked: Settings, **options: str) -> str:
    """Return a command line that works in the directory in which the demo was started."""
    here = Path(sys.executable).absolute()
    python = str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
    words = [python, "-m", "server", name]
    for option, value in options.items():
        words += [f"--{option}", value]
    if asked.data_dir != default_data_dir():
        words += ["--data-dir", str(asked.data_dir)]
    return shlex.join(words)


def _scaled(asked: Settings, processes: Sequence[str]) -> list[str]:
    if not processes:
        return []
    given = asked.redis_url.get_secret_value() if asked.redis_url else None
    valkey = hosts_of(given) if given else "Valkey, embedded; REDIS_URL names another"
    return [f"  processes {', '.join(processes)}", f"  bell      {valkey}"]


def _database(asked: Settings) -> str:
    if asked.mongodb_url:
        return hosts_of(asked.mongodb_url.get_secret_value())
    return "MongoDB, embedded; MONGODB_URL names another"


def _model(asked: Settings) -> str:
    if has_endpoint(asked):
        host = hosts_of(asked.openai_base_url) if asked.openai_base_url else "api.openai.com"
        return f"{asked.openai_model or 'gpt-4o-mini'} at {host}"
    return (
        f"{MODEL}, embedded: it chats, but it is no judge, and its grades say so; "
        "OPENAI_API_KEY or OPENAI_BASE_URL names another"
    )
