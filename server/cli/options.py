"""Options that commands share, and the settings that follow from them."""

import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import structlog
import typer

from schemas.envelope import Role
from server import logs
from server.cli.failure import Failure
from server.settings import Settings, read_settings, unknown_variables

log = structlog.get_logger(__name__)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where the embedded database and the secret live.", show_default=False),
]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on; 127.0.0.1 unless GREENROOM_HOST.", show_default=False),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port to listen on, 0 takes a free one; PORT or 8080 by default.",
        show_default=False,
    ),
]
RoleOption = Annotated[Role, typer.Option("--role", help="What the bearer may do.")]
Profile = Annotated[
    UUID | None,
    typer.Option(
        "--profile", help="Whom it speaks for; without it always the same one per role.", show_default=False
    ),
]
Org = Annotated[str, typer.Option("--org", help="The organisation it belongs to.")]


def configure(*, log_level: logs.Level | None = None, **given: Any) -> Settings:
    """Return the settings, with logging set up; raises Failure naming the variables that are wrong.

    What is given and not None goes before the environment; `log_level` is a default only.
    """
    settings, problems = read_settings(**given)
    if problems:
        raise Failure("\n           ".join(problems))
    if log_level and "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": log_level})
    logs.configure(settings.log_level, form=settings.log_format)
    for sentence in unknown_variables():
        log.warning("setting ignored", reason=sentence)
    return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})


def attended() -> bool:
    """Tell whether somebody watches stderr, who wants to see progress."""
    return sys.stderr.isatty()
