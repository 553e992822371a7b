"""The command line: `python -m server COMMAND`, also installed as `greenroom`."""

import sys

import typer

from server.cli.chat import chat
from server.cli.check_config import check_config
from server.cli.demo import demo
from server.cli.failure import Failure
from server.cli.import_runs import import_runs
from server.cli.load import load
from server.cli.scaled import scaled
from server.cli.serve import serve
from server.cli.tables import docs
from server.cli.tokens import create_key, token
from server.cli.worker import worker
from server.errors import GreenroomError

app = typer.Typer(
    name="greenroom",
    help="Conversations that are practised, replayed, judged and watched.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show the values of variables
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)

app.command()(serve)
app.command()(demo)
app.command()(worker)
app.command()(scaled)
app.command()(chat)
app.command()(load)
app.command("import-runs")(import_runs)
app.command()(token)
app.add_typer(keys, name="key")
keys.command("create")(create_key)
app.command("check-config")(check_config)
app.command()(docs)


def main() -> None:
    """Run a command; what a person has to put right becomes a line on stderr and exit code 2."""
    try:
        app()
    except Failure as failure:
        print(f"greenroom: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except GreenroomError as error:
        print(f"greenroom: {error.message}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
