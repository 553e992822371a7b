"""`serve`: the server on one address, with the parts that it needs."""

from typing import Annotated

import typer

from server.cli.options import DataDir, Host, Port, configure
from server.cli.run import SERVERS_END, run
from server.settings import Settings

ProtocolProfile = Annotated[
    bool,
    typer.Option(
        "--protocol-profile",
        help="Serve an echo for the public protocol suites instead, at /socket.io/ and /engine.io/.",
    ),
]


def serve(
    host: Host = None, port: Port = None, data_dir: DataDir = None, protocol_profile: ProtocolProfile = False
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    Uses MONGODB_URL and OPENAI_API_KEY or OPENAI_BASE_URL where they are given, and starts the embedded
    MongoDB and the small model where not.
    """
    settings = configure(host=host, port=port, data_dir=data_dir)
    run(
        _serve_profile(settings) if protocol_profile else _serve(settings), when_stopped=0, within=SERVERS_END
    )


async def _serve(settings: Settings) -> None:
    from server.cli.serving import serving  # the whole application; other commands start faster without

    async with serving(settings) as server:
        reached = "" if server.bound == server.url else f", here {server.url}"
        print(f"Greenroom listens on {server.bound}{reached}", flush=True)
        await server.until_broken()


async def _serve_profile(settings: Settings) -> None:
    from server.cli.protocol_profile import serve_profile

    await serve_profile(settings)
