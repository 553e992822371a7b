"""`serve`: the server on one address, with the parts that it needs."""

from server.cli.options import DataDir, Host, Port, configure
from server.cli.run import run
from server.settings import Settings


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    Uses MONGODB_URL and OPENAI_API_KEY or OPENAI_BASE_URL where they are given, and starts the embedded
    MongoDB and the small model where not.
    """
    run(_serve(configure(host=host, port=port, data_dir=data_dir)), when_stopped=0)


async def _serve(settings: Settings) -> None:
    from server.cli.serving import serving  # the whole application; other commands start faster without

    async with serving(settings) as server:
        reached = "" if server.bound == server.url else f", here {server.url}"
        print(f"Greenroom listens on {server.bound}{reached}", flush=True)
        await server.until_broken()
