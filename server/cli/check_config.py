"""`check-config`: what holds, and what is wrong."""

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from server import logs
from server.cli.address import without_credentials
from server.cli.failure import Failure
from server.cli.listen import listen
from server.cli.options import DataDir
from server.cli.parts import check_admin, check_tracing, database, has_endpoint, model
from server.cli.run import run
from server.cli.secret import signing_secret
from server.errors import GreenroomError
from server.rooms.valkey_link import reason_away
from server.settings import Settings, read_settings, unknown_variables, variable

ADDRESSES = ("mongodb_url", "redis_url", "openai_base_url", "jwks_url", "otel_exporter_otlp_endpoint")


def check_config(data_dir: DataDir = None) -> None:
    """Print the effective configuration, secrets masked, and what is wrong; exit code 2 when something is.

    Tries the database and the model, starting the embedded ones for a moment where none are configured.
    """
    settings, problems = read_settings(data_dir=data_dir)
    logs.configure("error")
    for line in effective(settings):
        print(line)
    run(_check(settings.model_copy(update={"log_level": "error"}), problems))


def effective(settings: Settings) -> Iterator[str]:
    """Yield a line for each setting: variable, value, and where it comes from."""
    names = {field: variable(field) for field in Settings.model_fields}
    width = max(map(len, names.values()))
    for field, name in names.items():
        origin = "" if field in settings.model_fields_set else "  (default)"
        yield f"{name:{width}}  {_shown(field, getattr(settings, field))}{origin}"


def _shown(field: str, value: Any) -> str:
    if value is None or value == []:
        return "–"
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if field in ADDRESSES:
        return without_credentials(plain)
    if isinstance(value, SecretStr):
        return "********"
    return ", ".join(value) if isinstance(value, list) else str(value)


async def _check(settings: Settings, problems: list[str]) -> int:
    wrong = [*problems, *_local(settings)]
    hints = [*unknown_variables(), *_hints(settings)]
    if sentence := await _bell(settings):
        hints.append(sentence)
    for part in (_database, _model):
        if sentence := await part(settings):
            wrong.append(sentence)
    print()
    for sentence in wrong:
        print(f"wrong: {sentence}")
    for sentence in hints:
        print(f"note: {sentence}")
    if not wrong:
        print("Nothing keeps the server from running: the database and the model answer.")
    return 2 if wrong else 0


def _local(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the secret, the data directory and what is installed."""
    for check in (signing_secret, check_tracing, check_admin):
        try:
            check(settings)
        except Failure as failure:
            yield str(failure)


def _hints(settings: Settings) -> Iterator[str]:
    """Yield what is worth knowing without being wrong."""
    try:
        for opened in listen(settings.host, settings.port):
            opened.close()
    except Failure as failure:
        yield str(failure)
    if settings.openai_base_url and not settings.openai_model:
        yield "OPENAI_MODEL is not set; gpt-4o-mini is asked for"
    if not has_endpoint(settings):
        yield "the small model chats, but it is no judge; OPENAI_API_KEY or OPENAI_BASE_URL names another"


async def _database(settings: Settings) -> str:
    try:
        async with database(settings):
            return ""
    except (Failure, GreenroomError) as error:
        return str(error)


async def _bell(settings: Settings) -> str:
    if settings.redis_url is None or not (reason := await reason_away(settings.redis_url.get_secret_value())):
        return ""
    where = without_credentials(settings.redis_url.get_secret_value())
    return f"REDIS_URL: {where} is of no use: {reason}; without it processes hear of each other later"


async def _model(settings: Settings) -> str:
    from server.app import make_models  # the whole application; other commands start faster without

    try:
        async with model(settings) as found:
            models = make_models(found)
            try:
                await models.check()
            finally:
                await models.aclose()
        return ""
    except GreenroomError as error:
        where = without_credentials(settings.openai_base_url or "OpenAI's endpoint")
        return f"the model at {where}: {error}" if has_endpoint(settings) else str(error)
