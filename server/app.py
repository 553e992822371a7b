"""Where the parts meet; every lifetime is owned by one cleanup context."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import structlog
from aiohttp import web
from pydantic import SecretStr

from handlers.base import Services
from server import tracing
from server.dispatch import Dispatcher
from server.draining import Drain
from server.engine.access import Access
from server.engine.attempts import Attempts, Works
from server.engine.attempts.chats import ChatMaker
from server.engine.attempts.keeper import Keeper
from server.engine.attempts.proceed import Proceeding
from server.engine.attempts.views import chat_base
from server.engine.batch.rooms import batch_base
from server.engine.batch.sealing import Sealing
from server.engine.conversation import Conversation
from server.engine.conversation.grounds import Grounds
from server.engine.evaluator.lines.dialing import Dialer
from server.engine.evaluator.resources import Resources
from server.engine.evaluator.rooms import result_base
from server.engine.grading import Grader
from server.engine.playground.rooms import playground_base
from server.engine.replay.rooms import test_base
from server.engine.tasks import Tasks
from server.engine.watching import Beat, Playback, Queues
from server.errors import Unavailable
from server.idempotency import Once
from server.llm import Completions, Models, make_embedder
from server.products import (
    batching,
    drafting,
    evaluating,
    indexing,
    pipelining,
    playing,
    retrieving,
    speaking,
    testing,
)
from server.rooms.bell import Bell, LocalBell
from server.rooms.hub import Hub
from server.rooms.outbox import Outboxes
from server.rooms.process import Process
from server.rooms.retention import Retention
from server.rooms.snapshot import Snapshots
from server.rooms.valkey_bell import ValkeyBell
from server.settings import Settings
from server.store import Store, connect
from server.transports import (
    console,
    http_docs,
    http_errors,
    http_evaluator_errors,
    http_events,
    http_health,
    http_metrics,
    http_pipelines_errors,
    http_rest,
    http_traces,
    keys,
    ws_batch,
)
from server.transports.addresses import Addresses
from server.transports.admission import Admission
from server.transports.figures import figures_of
from server.transports.parts import own
from server.transports.peers import PEERS, Peers
from server.transports.rates import AUDIO, Buckets, Rate
from server.transports.siblings import Siblings
from server.transports.socketio.server import SocketTransport

log = structlog.get_logger(__name__)
LEAVE_SECONDS = 1.5
GUESTS_AT_ADDRESS = 5  # who may send as much as one person may, at once
END_SECONDS = 1.0  # for the parts to end once they are cancelled


def make_app(settings: Settings, *, secret: SecretStr, guests: bool) -> web.Application:
    """Return the whole application; nothing is connected before it starts. Needs mongodb_url and a model."""
    app = _parts(settings, secret=secret, guests=guests, sealing=Sealing(secret, takes_jobs=True))
    for part in (http_events, http_rest, http_health, http_metrics, ws_batch, console):
        part.attach(app)
    transport = SocketTransport(settings, app[keys.ADDRESSES])
    transport.attach(app)
    app[keys.SOCKETS] = transport
    app[keys.DRAIN].doors.append(transport)
    http_docs.attach(app)
    return app


def make_worker(settings: Settings, *, secret: SecretStr | None = None) -> web.Application:
    """Return the same parts with nothing in front of them but health and metrics: they run jobs only.

    Without the servers' secret they leave batch jobs alone for which clients gave keys.
    """
    nobody = SecretStr(secrets.token_urlsafe(48))  # it lets nobody in
    app = _parts(settings, secret=nobody, guests=False, sealing=Sealing(secret))
    http_health.attach(app)
    http_metrics.attach(app)
    app[keys.SOCKETS] = NoSockets()
    return app


class NoSockets:
    """The transport of a process without one."""

    connections = 0

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()


def _parts(settings: Settings, *, secret: SecretStr, guests: bool, sealing: Sealing) -> web.Application:
    """Return the parts that every process has, without a transport."""
    failures = http_errors.middleware(
        {part.PREFIX: part.failure for part in (http_evaluator_errors, http_pipelines_errors)}
    )
    app = web.Application(
        middlewares=[http_traces.middleware, failures], client_max_size=settings.max_message
    )
    http_traces.attach(app)
    app.cleanup_ctx.append(_exporting)
    store = connect(
        settings.mongodb_url.get_secret_value() if settings.mongodb_url else "",
        settings.mongodb_database,
        traced=settings.otel_exporter_otlp_endpoint is not None,
    )
    process = Process(f"{settings.instance}-{secrets.token_hex(4)}", store.processes)
    app[keys.SIBLINGS] = Siblings(process.name, settings.data_dir)
    app[keys.STREAMS_ENDED] = Counter()
    app[keys.ADDRESSES] = Addresses(settings.trusted_proxies)
    app[keys.ADMISSION] = Admission.of(settings)
    app[PEERS] = Peers(per_address=settings.connections_per_address, addresses=app[keys.ADDRESSES])
    rate = Rate(per_second=settings.events_per_second, burst=settings.events_burst)
    app[keys.BUCKETS] = Buckets(rate)
    app[keys.AUDIO_BUCKETS] = Buckets(AUDIO)
    app[keys.ADDRESS_BUCKETS] = Buckets(rate.times(GUESTS_AT_ADDRESS))
    app[keys.BROKEN] = asyncio.Event()
    app[keys.SETTINGS] = settings
    app[keys.STORE] = store
    app[keys.EVALUATOR_RESOURCES] = Resources(store)
    app[keys.DIALER] = Dialer(private=bool(settings.private_urls))
    app[keys.PROCESS] = process
    app[keys.ACCESS] = Access(
        store, secret=secret, jwks_url=settings.jwks_url, audience=settings.jwt_audience, guests=guests
    )
    _assemble(app, settings, store=store, process=process, sealing=sealing)
    app.cleanup_ctx.append(_lifetime)
    return app


def make_models(settings: Settings) -> Models:
    """Return access to the configured model endpoint."""
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    return Models(
        base_url=settings.openai_base_url,
        api_key=key,
        model=settings.openai_model or "gpt-4o-mini",
        judge_model=settings.judge_model,
        image_model=settings.image_model,
        timeout=settings.model_timeout,
        retries=settings.model_retries,
    )


def make_completions(settings: Settings) -> Completions:
    """Return access to the same endpoint for the calls of batch jobs."""
    return Completions(
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        model=settings.openai_model or "gpt-4o-mini",
        timeout=settings.model_timeout,
    )


def make_bell(settings: Settings, process: Process) -> Bell:
    """Return how processes tell each other of entries: over Valkey if there is one."""
    if settings.redis_url is None:
        return LocalBell(process.name)
    return ValkeyBell(
        settings.redis_url.get_secret_value(),
        prefix=f"{settings.mongodb_database}:",
        process=process.name,
        key=lambda: process.secret,
    )


def _assemble(
    app: web.Application, settings: Settings, *, store: Store, process: Process, sealing: Sealing
) -> None:
    models = app[keys.MODELS] = make_models(settings)
    app[keys.COMPLETIONS] = make_completions(settings)
    app[keys.EMBEDDER] = make_embedder(settings)
    indexing(app, settings, process=process)
    pipelining(app)
    grounds = app[keys.GROUNDS] = Grounds(store, retrieving(app, settings))
    snapshots = Snapshots(
        store.entries,
        {
            "attempt": chat_base(store),
            "test": test_base(store),
            "batch": batch_base(store),
            "result": result_base(store),
            "playground": playground_base(store),
        },
        epoch=lambda: process.epoch,
    )
    bell = app[keys.BELL] = make_bell(settings, process)
    hub = app[keys.HUB] = Hub(store.entries, process=process, bell=bell, snapshots=snapshots)
    app[keys.RETENTION] = Retention(store.entries, hub=hub, snapshots=snapshots, days=settings.retention_days)
    stores = (
        store.chats,
        store.attempts,
        store.generations,
        store.tests,
        store.invocations,
        store.runs,
        store.jobs,
        store.evaluator_results,
        store.evaluator_runs,
        store.playground,
    )
    outboxes = app[keys.OUTBOXES] = Outboxes(hub.log, stores)
    tasks = app[keys.TASKS] = Tasks()
    conversation = app[keys.CONVERSATION] = Conversation(
        store=store,
        hub=hub,
        outboxes=outboxes,
        models=models,
        grounds=grounds,
        process=process,
        tasks=tasks,
    )
    process.on_lost(conversation.interrupt_all)
    maker = ChatMaker(store, process.name)
    generating, contents = drafting(app, settings, process=process)
    proceeding = Proceeding(
        store=store, outboxes=outboxes, conversation=conversation, maker=maker, contents=contents
    )
    grader = Grader(models)
    works = Works(
        store=store,
        hub=hub,
        outboxes=outboxes,
        conversation=conversation,
        proceeding=proceeding,
        grader=grader,
        models=models,
        process=process,
        tasks=tasks,
    )
    attempts = app[keys.ATTEMPTS] = Attempts(
        store=store,
        outboxes=outboxes,
        conversation=conversation,
        maker=maker,
        proceeding=proceeding,
        works=works,
        process=process.name,
    )
    app[keys.KEEPER] = Keeper(store=store, conversation=conversation, works=works, process=process)
    services = Services(
        access=app[keys.ACCESS],
        attempts=attempts,
        generating=generating,
        conversation=conversation,
        hub=hub,
        playback=Playback(store.entries, tasks=tasks),
        playground=playing(app, settings, process=process),
        tests=testing(app, settings, process=process, grader=grader),
        voice=speaking(app, settings),
    )
    batching(app, settings, process=process, sealing=sealing)
    evaluating(app, settings, process=process)
    app[keys.QUEUES] = Queues(store.waiting, process)
    app[keys.BEAT] = Beat(process=process.name, hub=hub, bell=bell, figures=partial(figures_of, app))
    once = app[keys.ONCE] = Once(store.requests, process)
    app[keys.DISPATCH] = Dispatcher(services, once=once, max_depth=settings.max_json_depth)
    app[keys.DRAIN] = Drain(
        conversation=conversation,
        voice=app[keys.VOICE],
        playground=app[keys.PLAYGROUND],
        dispatch=app[keys.DISPATCH],
        jobs=(app[keys.JOBS], app[keys.BATCH_JOBS], app[keys.EVALUATOR_JOBS], app[keys.INDEX_JOBS]),
        tests=app[keys.TEST_KEEPER],
        batches=app[keys.BATCH_KEEPER],
        evaluators=app[keys.EVALUATOR_KEEPER],
        indexing=app[keys.INDEX_KEEPER],
        tasks=tasks,
        entries=hub.log,
    )


async def _exporting(app: web.Application) -> AsyncIterator[None]:
    """Export spans where a collector is set, until all other parts have ended."""
    endpoint = app[keys.SETTINGS].otel_exporter_otlp_endpoint
    if endpoint is None:
        yield
        return
    from server.tracing_otel import Exporter  # of an extra

    exporter = Exporter(endpoint, process=app[keys.PROCESS].name)
    tracing.export_to(exporter, samples=exporter.samples)
    yield
    tracing.export_to(None)
    await asyncio.to_thread(exporter.close)


async def _lifetime(app: web.Application) -> AsyncIterator[None]:
    """Own everything that runs, in the order in which it needs each other."""
    store, process, hub = app[keys.STORE], app[keys.PROCESS], app[keys.HUB]
    await store.prepare()
    await process.beat()
    keepers = (
        app[keys.OUTBOXES],
        app[keys.KEEPER],
        app[keys.GENERATION_KEEPER],
        app[keys.TEST_KEEPER],
        app[keys.BATCH_KEEPER],
        app[keys.EVALUATOR_KEEPER],
        app[keys.PLAYGROUND_KEEPER],
        app[keys.INDEX_KEEPER],
        app[keys.JOBS],
        app[keys.BATCH_JOBS],
        app[keys.EVALUATOR_JOBS],
        app[keys.INDEX_JOBS],
        app[keys.RETENTION],
        app[keys.BEAT],
        app[keys.QUEUES],
        app[keys.INDEXES],
    )
    parts = (process, app[keys.BELL], hub.log, hub, *keepers)
    running = [own(app, part.run, name=type(part).__name__) for part in parts]
    log.info("started", process=process.name, epoch=process.epoch)
    yield
    app[keys.DRAIN].begin()
    await app[keys.DRAIN].finish(patience=0.0)  # who has more patience has called it before
    await app[keys.TASKS].close()
    await app[keys.DISPATCH].close()
    await _leave(app)
    for task in running:
        task.cancel()
    await asyncio.wait(running, timeout=END_SECONDS)
    await hub.close()
    await app[keys.MODELS].aclose()
    await app[keys.COMPLETIONS].aclose()
    await app[keys.RETRIEVAL].aclose()
    await app[keys.EMBEDDER].aclose()
    await app[keys.FETCHER].aclose()
    await app[keys.DIALER].aclose()
    await app[keys.SPEECH].aclose()
    await asyncio.to_thread(store.close)  # it waits for a database that does not answer
    log.info("stopped", process=process.name)


async def _leave(app: web.Application) -> None:
    """Put the rest into the log and let others take over at once; they do it after 10 s otherwise."""
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await app[keys.HUB].log.flush()
            await app[keys.PROCESS].leave()
    except (TimeoutError, Unavailable):
        log.warning("database away while stopping; what is queued is repeated at the next start")
