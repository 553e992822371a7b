"""`scaled`: several server processes and workers behind one port, with all they need, by one command."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from socket import socket
from typing import Annotated, Any

import typer

from server.cli.address import http_url, reachable
from server.cli.alone import alone_on
from server.cli.children import Child, Command
from server.cli.demo import first_practice, load_demo
from server.cli.demo_text import describe
from server.cli.failure import Failure
from server.cli.listen import bound_port, can_share_ports, listen
from server.cli.options import DataDir, Host, Port, configure
from server.cli.parts import database, guests, model, opened_store, private_urls, valkey, waiting
from server.cli.run import run
from server.cli.secret import signing_secret
from server.settings import Settings, environment_of

JOB_SLOTS = 8
Servers = Annotated[int, typer.Option("--servers", min=1, max=64, help="Server processes behind the port.")]
Workers = Annotated[int, typer.Option("--workers", min=0, max=64, help="Processes that run jobs.")]


def scaled(
    servers: Servers = 2,
    workers: Workers = 2,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
) -> None:
    """Run several servers and workers behind one port; Ctrl-C stops all of it.

    MongoDB, Valkey and the small model are started where MONGODB_URL, REDIS_URL and OPENAI_API_KEY or
    OPENAI_BASE_URL name no others. A process that dies is started again. An embedded database gets the demo
    content.
    """
    settings = configure(host=host, port=port, data_dir=data_dir, log_level="warning")
    run(_scaled(settings, servers, workers), when_stopped=0)


async def _scaled(asked: Settings, servers: int, workers: int) -> None:
    held = _reserve(asked)
    try:
        with alone_on(asked):
            async with database(asked) as first, valkey(first) as second, model(second) as effective:
                port = bound_port(held)
                children = _children(asked, effective, port=port, servers=servers, workers=workers)
                await _supervise(children, asked, effective, port=port)
    except asyncio.CancelledError:
        print("Greenroom has stopped; the data is kept.", flush=True)
        raise
    finally:
        for opened in held:
            opened.close()


def _reserve(settings: Settings) -> list[socket]:
    """Hold the port without listening, so that children, and nobody else, can share it; raises Failure."""
    if not can_share_ports():
        raise Failure("on this system processes cannot share a port; run python -m server demo")
    alone = listen(settings.host, settings.port)  # fails when others share it already
    port = bound_port(alone)
    for opened in alone:
        opened.close()
    return listen(settings.host, port, shared=True)


async def _supervise(children: Sequence[Child], asked: Settings, effective: Settings, *, port: int) -> None:
    """Run children until cancelled, and say how to talk to them once they serve."""
    try:
        with waiting(f"starting {len(children)} processes"):
            await _all(child.start() for child in children)
        await _welcome(children, asked, effective, port=port)
        await _all(child.keep() for child in children)
    finally:
        await asyncio.shield(asyncio.gather(*(child.stop() for child in children)))


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines at the same time; when one fails the others are cancelled, and its error is raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _welcome(children: Sequence[Child], asked: Settings, effective: Settings, *, port: int) -> None:
    if asked.mongodb_url:  # somebody's own database gets no content and no tokens that nobody asked for
        names = ", ".join(child.command.name for child in children)
        print(f"Greenroom listens on {http_url(asked.host, port)}: {names}", flush=True)
        return
    async with opened_store(effective) as store:
        packs, news = await load_demo(store, asked)
    for line in describe(
        http_url(reachable(asked.host), port),
        asked=asked,
        practice=first_practice(packs),
        news=news,
        processes=[child.command.name for child in children],
    ):
        print(line, flush=True)


def _children(asked: Settings, effective: Settings, *, port: int, servers: int, workers: int) -> list[Child]:
    """Return the processes, which all have the same settings but for their name and what they do."""
    common = effective.model_copy(
        update={
            "port": port,
            "secret": signing_secret(asked),
            "guests": guests(asked),
            "private_urls": private_urls(asked),
            "reuse_port": True,
        }
    )
    slots = asked.job_slots or JOB_SLOTS
    server = {"job_slots": 0 if workers else slots}
    worker = {"job_slots": slots, "reuse_port": False}
    host = f"{asked.instance}-" if "instance" in asked.model_fields_set else ""
    return [
        *(
            _child("serve", f"{host}server-{n}", common.model_copy(update=server))
            for n in range(1, servers + 1)
        ),
        *(
            _child("worker", f"{host}worker-{n}", common.model_copy(update=worker))
            for n in range(1, workers + 1)
        ),
    ]


def _child(command: str, name: str, settings: Settings) -> Child:
    environment = environment_of(settings.model_copy(update={"instance": name}))
    return Child(Command(name=name, arguments=[command], environment=environment))
