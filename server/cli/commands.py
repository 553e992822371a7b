"""All commands of the command line."""

import typer

from server.cli.batch import batch
from server.cli.chat import chat
from server.cli.check_config import check_config
from server.cli.convert_bfcl import convert_bfcl
from server.cli.demo import demo
from server.cli.evaluate import evaluate
from server.cli.import_runs import import_runs
from server.cli.load import load
from server.cli.scaled import scaled
from server.cli.serve import serve
from server.cli.tables import docs
from server.cli.tokens import create_key, token
from server.cli.worker import worker

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
app.command()(batch)
app.command()(evaluate)
app.command()(load)
app.command("import-runs")(import_runs)
app.command("convert-bfcl")(convert_bfcl)
app.command()(token)
app.add_typer(keys, name="key")
keys.command("create")(create_key)
app.command("check-config")(check_config)
app.command()(docs)
