"""What each product is put together of: generating, tests, batches, evaluators, pipelines, the playground."""

import secrets
from dataclasses import replace
from functools import partial

from aiohttp import web

from schemas.attempt import Chat
from schemas.envelope import Id
from server.engine.batch.batches import Batches
from server.engine.batch.evaluation import evaluations
from server.engine.batch.keeper import BatchKeeper
from server.engine.batch.parts import Parts
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.batch.runner import BatchRunner
from server.engine.batch.sealing import Sealing
from server.engine.drafting import Drafts, Generating, GenerationKeeper, Limits, Maker, Preparing, Runner
from server.engine.evaluator.evaluators import Evaluators
from server.engine.evaluator.judging.judges import Judges
from server.engine.evaluator.keeper import EvaluatorKeeper
from server.engine.evaluator.parts import Calls
from server.engine.evaluator.parts import Parts as EvaluatorParts
from server.engine.evaluator.runner import EvaluatorRunner
from server.engine.evaluator.talking.calling import text_calls
from server.engine.evaluator.talking.turns import TalkLimits
from server.engine.evaluator.talking.voice_calling import VOICE_QUIET, keep_call, voice_calls
from server.engine.evaluator.webhooks import Webhooks
from server.engine.grading import Grader
from server.engine.patience import patiently, within
from server.engine.playground.documents import Documents
from server.engine.playground.forgetting import Forgetting
from server.engine.playground.indexing.keeper import IndexKeeper
from server.engine.playground.indexing.parts import Indexing
from server.engine.playground.indexing.parts import Parts as IndexingParts
from server.engine.playground.keeper import PlaygroundKeeper
from server.engine.playground.pipelines import Pipelines
from server.engine.playground.playground import Playground
from server.engine.playground.retrieval.modes import Files
from server.engine.playground.retrieval.reranking import Reranker
from server.engine.playground.retrieval.retrieval import Retrieval
from server.engine.playground.retrieval.routing import Router
from server.engine.playground.retrieval.shelf import Shelves
from server.engine.playground.retrieval.syncing import Indexes
from server.engine.replay.judging import Judging
from server.engine.replay.keeper import TestKeeper
from server.engine.replay.ledger import Ledger
from server.engine.replay.queue import Queue
from server.engine.replay.runner import TestRunner
from server.engine.replay.tests import Tests
from server.engine.voice.offline.engine import OfflineEngine
from server.engine.voice.offline.speech import OfflineSpeech, speech_lacks
from server.engine.voice.sessions import MakeEngine, VoiceSessions
from server.engine.voice.speech import CHAT_RATE
from server.engine.voice.wav import wav_of
from server.jobs import Jobs
from server.llm.rerank import make_rerank_endpoint
from server.rooms.process import Process
from server.settings import Settings
from server.transports import keys

KEEP_SECONDS = 60.0  # that a recording waits for a database that is away


def speaking(app: web.Application, settings: Settings) -> VoiceSessions:
    """Put together what hears learners and speaks to them."""

    sounds = app[keys.STORE].sounds
    speech = app[keys.SPEECH] = OfflineSpeech()

    async def keep(chat: Chat, recording_id: Id, audio: bytes) -> None:
        file = wav_of(audio, rate=CHAT_RATE)
        put = partial(sounds.put, recording_id, file, kind="message", of=chat.id, org=chat.org)
        await patiently(put, within(KEEP_SECONDS))

    voice = app[keys.VOICE] = VoiceSessions(
        conversation=app[keys.CONVERSATION],
        hub=app[keys.HUB],
        tasks=app[keys.TASKS],
        keep=keep,
        make=_voice_engines(settings, speech),
    )
    return voice


def _voice_engines(settings: Settings, speech: OfflineSpeech) -> MakeEngine | None:
    """Return what makes the engine of each voice session, None where nothing is set up."""
    if settings.realtime_model is None:
        return partial(OfflineEngine, speech) if speech_lacks() is None else None
    from server.engine.voice.realtime import RealtimeEngine
    from server.llm.realtime import Realtime  # with a library that only it needs

    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    endpoint = Realtime(
        base_url=settings.realtime_url or settings.openai_base_url, api_key=key, model=settings.realtime_model
    )
    return partial(
        RealtimeEngine,
        endpoint,
        voice=settings.realtime_voice,
        transcription=settings.realtime_transcription,
    )


def drafting(app: web.Application, settings: Settings, *, process: Process) -> tuple[Generating, Preparing]:
    """Put together what generates content; return the parts that take requests, and needs of attempts."""
    store, outboxes = app[keys.STORE], app[keys.OUTBOXES]
    drafts = app[keys.DRAFTS] = Drafts(store)
    maker = Maker(store, app[keys.MODELS])
    runner = Runner(store=store, outboxes=outboxes, maker=maker, process=process, tasks=app[keys.TASKS])
    app[keys.GENERATION_KEEPER] = GenerationKeeper(store=store, runner=runner, process=process)
    limits = Limits(store, per_day=settings.generations_per_day)
    images = settings.image_model is not None
    generating = Generating(
        store=store,
        outboxes=outboxes,
        runner=runner,
        drafts=drafts,
        process=process.name,
        limits=limits,
        images=images,
    )
    contents = Preparing(store=store, runner=runner, limits=limits, process=process.name, images=images)
    return generating, contents


def testing(app: web.Application, settings: Settings, *, process: Process, grader: Grader) -> Tests:
    """Put together what runs tests, and return the part that takes requests."""
    store, hub, outboxes, bell = app[keys.STORE], app[keys.HUB], app[keys.OUTBOXES], app[keys.BELL]
    jobs = app[keys.JOBS] = _jobs(settings, name=settings.mongodb_database, slots=settings.job_slots)
    queue = Queue(store, jobs)
    ledger = Ledger(store=store, outboxes=outboxes, queue=queue, bell=bell)
    tests = Tests(store=store, outboxes=outboxes, queue=queue, ledger=ledger, model=app[keys.MODELS].name)
    app[keys.TEST_KEEPER] = TestKeeper(
        store=store,
        process=process,
        jobs=jobs,
        runner=TestRunner(
            store=store,
            hub=hub,
            outboxes=outboxes,
            models=app[keys.MODELS],
            grounds=app[keys.GROUNDS],
            process=process,
            queue=queue,
            ledger=ledger,
            bell=bell,
        ),
        judging=Judging(store=store, hub=hub, outboxes=outboxes, grader=grader, process=process),
        ledger=ledger,
        tests=tests,
    )
    return tests


def batching(app: web.Application, settings: Settings, *, process: Process, sealing: Sealing) -> None:
    """Put together what does batch jobs, and what takes requests for them.

    They take hours, so they have a queue and slots of their own: tests need not wait for them.
    """
    store = app[keys.STORE]
    jobs = app[keys.BATCH_JOBS] = _jobs(
        settings, name=f"{settings.mongodb_database}-batch", slots=settings.batch_slots
    )
    fetcher = app[keys.FETCHER] = Fetcher(mirror=settings.url_mirror, private=bool(settings.private_urls))
    evaluate = evaluations(completions=app[keys.COMPLETIONS], fetcher=fetcher, translations=store.jobs)
    common = Parts(
        store=store,
        hub=app[keys.HUB],
        outboxes=app[keys.OUTBOXES],
        jobs=jobs,
        process=process,
        bell=app[keys.BELL],
        sealing=sealing,
    )
    runner = BatchRunner(common, evaluate)
    app[keys.BATCH_KEEPER] = BatchKeeper(common, runner)
    app[keys.BATCHES] = Batches(common, runner)


def evaluating(app: web.Application, settings: Settings, *, process: Process) -> None:
    """Put together what plays and judges runs of evaluators, and what takes requests for them.

    Their results have a queue of their own: they mostly wait for agents.
    """
    store, models = app[keys.STORE], app[keys.MODELS]
    name, private = f"{settings.mongodb_database}-evaluator", bool(settings.private_urls)
    jobs = app[keys.EVALUATOR_JOBS] = _jobs(settings, name=name, slots=settings.evaluator_slots)
    common = EvaluatorParts(
        store=store,
        hub=app[keys.HUB],
        outboxes=app[keys.OUTBOXES],
        jobs=jobs,
        process=process,
        bell=app[keys.BELL],
        conversations=settings.evaluator_runs,
    )
    limits = TalkLimits(quiet=settings.evaluator_quiet, max_turns=settings.evaluator_turns)
    calls = Calls(
        text=text_calls(models, app[keys.DIALER], limits=limits),
        voice=voice_calls(
            models,
            app[keys.DIALER],
            speech=app[keys.SPEECH],
            keep=partial(keep_call, store.sounds),
            limits=replace(limits, quiet=VOICE_QUIET),
            tell=app[keys.HUB].sound,
        ),
    )
    runner = EvaluatorRunner(common, calls=calls, judge=Judges(models))
    app[keys.EVALUATOR_KEEPER] = EvaluatorKeeper(common, runner, Webhooks(common, private=private))
    app[keys.EVALUATORS] = Evaluators(
        common, app[keys.EVALUATOR_RESOURCES], runner, speech_lacks=speech_lacks
    )


def indexing(app: web.Application, settings: Settings, *, process: Process) -> None:
    """Put together what indexes documents of pipelines; that has a queue of its own, with room for many."""
    jobs = app[keys.INDEX_JOBS] = _jobs(
        settings, name=f"{settings.mongodb_database}-index", slots=settings.index_slots
    )
    common = IndexingParts(store=app[keys.STORE], jobs=jobs, process=process, embedder=app[keys.EMBEDDER])
    app[keys.INDEXING] = Indexing(common)
    app[keys.INDEX_KEEPER] = IndexKeeper(common)


def playing(app: web.Application, settings: Settings, *, process: Process) -> Playground:
    """Put together the sessions of the playground, and return the part that takes requests."""
    store, outboxes = app[keys.STORE], app[keys.OUTBOXES]
    forgetting = Forgetting(store, outboxes, app[keys.RETENTION])
    playground = app[keys.PLAYGROUND] = Playground(
        store=store,
        hub=app[keys.HUB],
        outboxes=outboxes,
        process=process,
        tasks=app[keys.TASKS],
        models=app[keys.MODELS],
        pipelines=app[keys.PIPELINES],
        retrieval=app[keys.RETRIEVAL],
        forgetting=forgetting,
        model_names=settings.playground_models,
    )
    process.on_lost(playground.replies.interrupt_all)
    app[keys.PLAYGROUND_KEEPER] = PlaygroundKeeper(
        store=store, playground=playground, forgetting=forgetting, process=process
    )
    return playground


def retrieving(app: web.Application, settings: Settings) -> Retrieval:
    """Put together what searches pipelines, and return it."""
    store, embedder = app[keys.STORE], app[keys.EMBEDDER]
    models, shelves = app[keys.MODELS], Shelves(store)
    indexes = app[keys.INDEXES] = Indexes(
        store, embedder=embedder.name, limit=settings.index_memory, shelves=shelves
    )
    retrieval = app[keys.RETRIEVAL] = Retrieval(
        store,
        embedder=embedder,
        indexes=indexes,
        reranker=Reranker(make_rerank_endpoint(settings), models=models),
        router=Router(shelves=shelves, models=models),
        files=Files(store, shelves=shelves, models=models),
    )
    return retrieval


def pipelining(app: web.Application) -> None:
    """Put together what takes requests for pipelines and their documents."""
    store, wake = app[keys.STORE], app[keys.INDEXING].wake
    pipelines = app[keys.PIPELINES] = Pipelines(store, offline=app[keys.EMBEDDER].offline, wake=wake)
    app[keys.DOCUMENTS] = Documents(store, pipelines, wake=wake)


def _jobs(settings: Settings, *, name: str, slots: int) -> Jobs:
    if settings.redis_url is None:  # a queue in memory is nobody else's, and starts empty
        return Jobs(url=None, name=f"{name}-{secrets.token_hex(8)}", slots=slots)
    return Jobs(url=settings.redis_url.get_secret_value(), name=name, slots=slots)
