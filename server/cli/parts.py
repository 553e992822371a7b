"""The database and the model that a command works with: those that are configured, else the embedded ones."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from importlib.util import find_spec

from pydantic import SecretStr
from rich.console import Console

from server import logs
from server.cli.address import hosts_of, is_loopback
from server.cli.failure import Failure
from server.cli.options import attended
from server.embedded.model import MODEL, embedded_model
from server.embedded.mongod import embedded_mongod
from server.embedded.valkey import embedded_valkey
from server.errors import Unavailable
from server.settings import Settings
from server.store import Store, connect

AUTHENTICATION_FAILED = 18
QUEUE_SECONDS = 900.0  # the embedded model answers one request at a time: the others wait, and that counts


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings with the address of a database that answers; raises Failure or EmbeddedError.

    Without MONGODB_URL it is the data directory's own: attached to when it runs, else started until the end.
    """
    if settings.mongodb_url:
        await reach(settings)
        yield settings
        return
    with ExitStack() as shown:
        shown.enter_context(waiting("starting MongoDB"))
        async with embedded_mongod(settings.data_dir) as url:
            shown.close()
            yield settings.model_copy(update={"mongodb_url": SecretStr(url)})


@asynccontextmanager
async def valkey(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings with the address of a Valkey: REDIS_URL, else the data directory's own."""
    if settings.redis_url:
        yield settings
        return
    async with embedded_valkey(settings.data_dir) as url:
        yield settings.model_copy(update={"redis_url": SecretStr(url)})


@asynccontextmanager
async def model(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings with a model endpoint: the configured one, else the embedded. Raises EmbeddedError."""
    if has_endpoint(settings):
        yield settings
        return
    with ExitStack() as shown:
        shown.enter_context(waiting("loading the small model"))
        async with embedded_model() as url:
            shown.close()
            # whatever names are configured: this is the model that answers, and no judge
            update: dict[str, object] = {"openai_base_url": url, "openai_model": MODEL, "judge_model": None}
            if "model_timeout" not in settings.model_fields_set:
                update["model_timeout"] = QUEUE_SECONDS
            yield settings.model_copy(update=update)


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Yield the database's store, for commands that need nothing else."""
    async with database(settings) as found:
        store = _connect(found)
        try:
            yield store
        finally:
            store.close()


def guests(settings: Settings) -> bool:
    """Tell whether clients without a token are let in, from settings without the embedded parts."""
    return settings.mongodb_url is None if settings.guests is None else settings.guests


def private_urls(settings: Settings) -> bool:
    """Tell whether batch jobs may fetch from private addresses, from settings without the embedded parts."""
    if settings.private_urls is not None:
        return settings.private_urls
    return settings.mongodb_url is None and is_loopback(settings.host)


def check_tracing(settings: Settings) -> None:
    """See that spans can be exported where a collector is set; raises Failure."""
    if settings.otel_exporter_otlp_endpoint is None:
        return
    try:
        import server.tracing_otel  # noqa: F401 # of an extra, and slow
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "opentelemetry":
            raise
        raise Failure(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed; "
            "pip install 'greenroom[otel]', or unset it"
        ) from error


def check_admin(settings: Settings) -> None:
    """See that the password of the Admin UI can be checked; raises Failure."""
    password = settings.admin_password
    if password is not None and password.get_secret_value().startswith("$2") and find_spec("bcrypt") is None:
        raise Failure(
            "GREENROOM_ADMIN_PASSWORD is a hash of bcrypt, which is not installed; "
            "pip install 'greenroom[admin]', or give a plain password"
        )


def has_endpoint(settings: Settings) -> bool:
    """Tell whether a model endpoint is configured."""
    return bool(settings.openai_api_key or settings.openai_base_url)


async def reach(settings: Settings) -> None:
    """Return when the configured database answers; raises Failure naming its address."""
    store = _connect(settings)
    try:
        with logs.quiet(settings.log_level, form=settings.log_format):
            await store.ping()
    except Unavailable as error:
        code = getattr(error.__cause__, "code", None)
        what = (
            "refuses the user or password"
            if code == AUTHENTICATION_FAILED
            else "does not answer or has no primary"
        )
        raise Failure(f"the database at {hosts_of(_url(settings))} {what}; check MONGODB_URL") from error
    finally:
        store.close()


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show that something takes a moment, in a terminal."""
    if not attended():
        yield
        return
    with Console(stderr=True).status(f"{text} …"):
        yield


def _url(settings: Settings) -> str:
    return settings.mongodb_url.get_secret_value() if settings.mongodb_url else ""


def _connect(settings: Settings) -> Store:
    with logs.quiet(settings.log_level, form=settings.log_format):
        try:
            return connect(_url(settings), settings.mongodb_database)
        except (Unavailable, ValueError) as error:
            raise Failure(
                "MONGODB_URL is not an address such as mongodb://host:27017/?replicaSet=name, "
                "or GREENROOM_MONGODB_DATABASE not a name; user and password must be percent-encoded"
            ) from error
