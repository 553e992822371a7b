"""`worker`: runs jobs for the servers of one database, and serves nobody."""

from typing import Annotated

import typer
from pydantic import SecretStr

from server.cli.address import hosts_of, http_url, reachable
from server.cli.failure import Failure
from server.cli.options import DataDir, configure
from server.cli.run import SERVERS_END, run
from server.embedded.runfile import Part, read_run
from server.embedded.sharing import answers
from server.settings import Settings

HealthPort = Annotated[
    int | None,
    typer.Option(
        "--health-port",
        min=0,
        max=65535,
        help="Port of /health/live, /health/ready and /metrics, 0 takes a free one; none by default.",
        show_default=False,
    ),
]
PARTS: tuple[tuple[str, Part], ...] = (("mongodb_url", "run"), ("redis_url", "valkey"))


def worker(health_port: HealthPort = None, data_dir: DataDir = None) -> None:
    """Run jobs, such as replays of tests, for the servers of one database, until Ctrl-C or SIGTERM.

    It needs the MONGODB_URL and REDIS_URL of these servers, or the data directory of a running
    `python -m server scaled`. GREENROOM_JOB_SLOTS says how many jobs it runs at once.
    """
    run(_worker(configure(data_dir=data_dir), health_port), when_stopped=0, within=SERVERS_END)


async def _worker(settings: Settings, health_port: int | None) -> None:
    if settings.job_slots == 0:
        raise Failure("GREENROOM_JOB_SLOTS is 0, so this worker would do nothing; set it to 1 or more")
    shared = await attached(settings)
    assert shared.mongodb_url is not None
    from server.cli.working import working  # the whole application; other commands start faster without

    async with working(shared, health_port) as running:
        health = "" if running.port is None else f", health {http_url(reachable(shared.host), running.port)}"
        where = hosts_of(shared.mongodb_url.get_secret_value())
        print(f"Greenroom works for {where}, {shared.mongodb_database}{health}", flush=True)
        await running.until_broken()


async def attached(settings: Settings) -> Settings:
    """Return settings with the addresses of parts that the data directory's processes run already.

    Raises Failure when a part is neither configured nor running.
    """
    found = settings
    for name, part in PARTS:
        if getattr(settings, name) is None:
            found = found.model_copy(update={name: await _running(settings, part)})
    return found


async def _running(settings: Settings, part: Part) -> SecretStr:
    run = read_run(settings.data_dir, part)
    if run is not None and await answers(run.port):
        return SecretStr(run.url)
    missing = "MONGODB_URL" if part == "run" else "REDIS_URL"
    raise Failure(
        f"a worker shares the database and Valkey with servers, and {missing} is not set: set MONGODB_URL "
        f"and REDIS_URL as for the servers. No python -m server scaled runs on {settings.data_dir} either; "
        "a single server needs no worker, it runs its jobs itself"
    )
