"""What people do with results: start, read, follow, end, repeat, judge anew and delete them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Literal

import orjson

from schemas.envelope import JsonObject, utc_now
from schemas.evaluator import Metric
from schemas.evaluator_run import EvaluatorResult, RunStatus
from schemas.stored import Owner, Recording
from server.engine.access import Identity
from server.engine.evaluator.catalog import Catalog
from server.engine.evaluator.frozen import Frozen, thawed
from server.engine.evaluator.invalid import Invalid
from server.engine.evaluator.ledger import Ledger
from server.engine.evaluator.parts import Parts
from server.engine.evaluator.reading import PAGE_SIZE, Reading
from server.engine.evaluator.resources import check_may_write
from server.engine.evaluator.rooms import ops
from server.engine.evaluator.runner import EVALUATOR, EvaluatorRunner
from server.engine.evaluator.start_request import read_ids
from server.engine.evaluator.starting import Wanted, wanted
from server.engine.evaluator.views import begun_view, run_view
from server.engine.patience import patiently, within
from server.errors import Conflict, NotFound, Unavailable

MAX_KEY = 255
CREATE_SECONDS = 3.0  # for which a start waits for a database that is away
Steer = Literal["end_calls", "end_call"]
_AGAIN = "Another request was sent under this Idempotency-Key; give each request one of its own."


class Evaluators:
    """The requests of people; durable when they return. Every answer is ready to be sent as JSON.

    Everything raises Forbidden for who may not, and NotFound for what is missing or another organisation's.
    """

    def __init__(
        self,
        parts: Parts,
        catalog: Catalog,
        runner: EvaluatorRunner,
        *,
        speech_lacks: Callable[[], str | None],
    ) -> None:
        """Take what returns why nothing here speaks, if that is so."""
        self._speech_lacks = speech_lacks
        self._parts = parts
        self._catalog = catalog
        self._runner = runner
        self._results = parts.store.evaluator_results
        self._runs = parts.store.evaluator_runs
        self._ledger = Ledger(parts.store, parts.outboxes)
        self._reading = Reading(parts.store)

    # --- starting -------------------------------------------------------------------------------------------

    async def start(
        self, caller: Identity, body: object, *, as_text: bool, idempotency_key: str | None = None
    ) -> JsonObject:
        """Store a result with its runs and have them played; return what the client is answered.

        Raises Invalid with every problem by field, and Conflict when something else was started under the
        same idempotency key. The same again is answered the same.
        """
        check_may_write(caller)
        digest = _digest([as_text, body], key=idempotency_key)
        if (before := await self._begun(caller, idempotency_key, digest)) is not None:
            return before
        asked = await wanted(self._catalog, caller.org, body, as_text=as_text)
        if not as_text:
            self._check_voice(asked.frozen)
        elif asked.frozen.agent.websocket_url is None:
            raise Invalid({"agent_id": ["The agent has no websocket_url; set one, or send websocket_url."]})
        return await self._begin(
            caller, asked, as_text=as_text, idempotency_key=idempotency_key, digest=digest
        )

    async def rerun(
        self, caller: Identity, result_id: int, *, idempotency_key: str | None = None
    ) -> JsonObject:
        """Start a result once more with everything as it was then; keys and answers are those of `start`."""
        check_may_write(caller)
        digest = _digest(["rerun", result_id], key=idempotency_key)
        if (before := await self._begun(caller, idempotency_key, digest)) is not None:
            return before
        await self._reading.there(caller, result_id)
        old = await self._results.get(result_id)
        if old is None:
            raise NotFound("There is no such result, or it is not yours.")
        again = Wanted(
            name=old.name,
            frozen=(await self._frozen(old)).model_copy(update={"chosen": None}),
            plans=old.plans,
            freq=old.freq,
            concurrency_limit=old.concurrency_limit,
        )
        return await self._begin(
            caller, again, as_text=old.run_as_text, idempotency_key=idempotency_key, digest=digest
        )

    def _check_voice(self, frozen: Frozen) -> None:
        """Raise Invalid for an agent that cannot be called by voice, Unavailable when nothing here speaks."""
        agent = frozen.agent
        if agent.voice_transport is None or agent.voice_url is None:
            lacks = "The agent has no voice transport: set voice_transport and voice_url, or run it as text."
            raise Invalid({"agent_id": [lacks]})
        if missing := self._speech_lacks():
            raise Unavailable(missing, retryable=False)

    async def _begun(self, caller: Identity, key: str | None, digest: str | None) -> JsonObject | None:
        """Return the answer to the same request if it came before; raises Conflict when another one did."""
        before = await self._results.of_key(caller.org, key) if key is not None else None
        return begun_view(_same(before, digest)) if before is not None else None

    async def _begin(
        self,
        caller: Identity,
        asked: Wanted,
        *,
        as_text: bool,
        idempotency_key: str | None,
        digest: str | None,
    ) -> JsonObject:
        counters = self._parts.store.counters
        result = EvaluatorResult(
            id=await counters.reserve("evaluator_results"),
            org=caller.org,
            owner=Owner(kind=caller.kind, id=caller.id),
            name=asked.name,
            agent=asked.frozen.agent_id,
            run_as_text=as_text,
            first_run=await counters.reserve("evaluator_runs", len(asked.plans)),
            plans=asked.plans,
            freq=asked.freq,
            concurrency_limit=asked.concurrency_limit,
            created_at=utc_now(),
            idempotency_key=idempotency_key,
            digest=digest,
        )
        await self._results.save_setup(result.id, await asyncio.to_thread(asked.frozen.packed))
        first = await patiently(lambda: self._create(result), within(CREATE_SECONDS))
        if first is not None:
            return begun_view(_same(first, digest))
        with suppress(Unavailable):  # the result exists: what is missing is made before its runs begin
            await self._ledger.make(result, asked.frozen)
            await self._results.keep_setup(result.id)
        await self._parts.jobs.wake(EVALUATOR, str(result.id))
        return begun_view(result)

    async def _create(self, result: EvaluatorResult) -> EvaluatorResult | None:
        """Store a result, or return the one that was stored under its key meanwhile; raises Unavailable."""
        begun = [ops(result, "started")]
        created = await self._results.create(result, begun)
        if not created and await self._results.org(result.id) is None:
            first = await self._results.of_key(result.org, result.idempotency_key or "")
            if first is None:  # it is deleted already
                raise Conflict("The result could not be stored; try again.", retryable=True)
            return first
        self._parts.outboxes.publish("evaluator_results", result.id, begun)
        return None

    async def _frozen(self, result: EvaluatorResult) -> Frozen:
        packed = await self._results.setup(result.id, version=result.setup)
        if packed is None:
            raise Conflict("What this result was made of is gone; start a new one.")
        return thawed(packed)

    # --- reading --------------------------------------------------------------------------------------------

    async def result(self, caller: Identity, result_id: int, *, transcripts: bool = True) -> JsonObject:
        """Return a result with its runs by id; without `transcripts` what was said in them is left out."""
        there = await self._reading.there(caller, result_id)
        return await self._reading.whole(there, transcripts=transcripts)

    async def results(
        self, caller: Identity, *, agent: int | None = None, page: int = 1, page_size: int = PAGE_SIZE
    ) -> tuple[int, list[JsonObject]]:
        """Return how many results the caller's organisation has, and a page of them, newest first."""
        return await self._reading.results(caller, agent=agent, page=page, page_size=page_size)

    async def run(self, caller: Identity, run_id: int) -> JsonObject:
        """Return a run with its transcript and what is thought of it."""
        return run_view(await self._reading.run_there(caller, run_id))

    async def recording(self, caller: Identity, run_id: int) -> Recording:
        """Return what is known of how a run sounded; raises NotFound when it was not by voice."""
        talked = (await self._reading.run_there(caller, run_id)).talked
        if talked is None or talked.recording is None:
            raise NotFound("There is no recording of this run: it was no call by voice, or goes on.")
        return talked.recording

    async def runs(
        self,
        caller: Identity,
        *,
        result: int | None = None,
        agent: int | None = None,
        status: RunStatus | None = None,
        ids: Sequence[int] | None = None,
        page: int = 1,
        page_size: int = PAGE_SIZE,
    ) -> tuple[int, list[JsonObject]]:
        """Return how many runs are like that, and a page of them, newest first."""
        return await self._reading.runs(
            caller, result=result, agent=agent, status=status, ids=ids, page=page, page_size=page_size
        )

    # --- ending ---------------------------------------------------------------------------------------------

    async def end_calls(self, caller: Identity, result_id: int) -> JsonObject:
        """Have all conversations of a result ended, and no more begun; harmless after its end."""
        check_may_write(caller)
        await self._reading.there(caller, result_id)
        going = {"state": {"$in": ["queued", "running"]}, "ends": 0}
        await self._results.change(result_id, when=going, update={"$set": {"cancel": True}})
        result = await self._reading.there(caller, result_id)
        if result.cancel:
            await self._tell(result, "end_calls", result.id)
        return await self._reading.view(await self._reading.there(caller, result_id))

    async def end_call(self, caller: Identity, run_id: int) -> JsonObject:
        """Have one conversation ended, or not begun; harmless after its end."""
        check_may_write(caller)
        await self._reading.run_there(caller, run_id)
        going = {"state": {"$in": ["queued", "talking"]}}
        await self._runs.change(run_id, when=going, update={"$set": {"cancel": True}})
        run = await self._reading.run_there(caller, run_id)
        result = await self._results.slim(run.result)
        if run.cancel and result is not None:
            await self._tell(result, "end_call", run.id)
        return run_view(run)

    async def _tell(self, result: EvaluatorResult, what: Steer, key: int) -> None:
        """Have whoever plays a result know at once; the calls of one that nobody plays are ended here."""
        if result.state == "running" and result.process is not None:
            self._parts.bell.tell(result.process, what, str(key))
        elif result.state == "queued" and what == "end_calls":
            with suppress(Unavailable):  # whoever comes to it ends it
                await self._runner.cut(result.id)
            await self._parts.jobs.wake(EVALUATOR, str(result.id))  # in case this process may not

    # --- afterwards -----------------------------------------------------------------------------------------

    async def evaluate_metrics(self, caller: Identity, result_id: int, body: object) -> JsonObject:
        """Have the runs of an ended result judged anew, by `metrics` (ids) instead of their scenarios' own.

        Metrics are taken as they are now; transcripts stay. Raises Invalid, and Conflict before the end.
        """
        check_may_write(caller)
        result = await self._reading.there(caller, result_id)
        chosen = read_ids(body, "metrics")
        if result.state != "ended":
            raise Conflict("The result has not ended; judge it anew after that.")
        frozen = await self._renewed(result, chosen)
        version = 1 + await self._parts.store.counters.reserve("evaluator_setups")
        await self._results.save_setup(result.id, await asyncio.to_thread(frozen.packed), version=version)
        update = {
            "$set": {
                "state": "queued",
                "status": "in_progress",
                "setup": version,
                "tries": 0,
                "cancel": False,
            },
            "$unset": {"webhook_at": 1, "ended_at": 1},
        }
        when = {"state": "ended", "ends": result.ends, "setup": result.setup}
        if await self._results.change(result.id, when=when, update=update) is None:
            with suppress(Unavailable):  # else it is found out later
                await self._results.drop_setup(result.id, version=version)
            raise Conflict("The result is being judged anew already.")
        with suppress(Unavailable):  # it is found out later
            await self._results.keep_setup(result.id, version=version)
        await self._parts.jobs.wake(EVALUATOR, str(result.id))
        return await self._reading.view(await self._reading.there(caller, result_id))

    async def _renewed(self, result: EvaluatorResult, chosen: list[int] | None) -> Frozen:
        """Return what a result is made of, with its metrics as they are now; those that are gone stay."""
        frozen = await self._frozen(result)
        ids = chosen if chosen is not None else sorted(frozen.metrics)
        found = await self._catalog.many(result.org, "metrics", ids) if ids else {}
        missing = [number for number in chosen or () if number not in found]
        if missing:
            raise Invalid({"metrics": [f"There is no metric {number}." for number in missing]})
        now = {number: metric for number, metric in found.items() if isinstance(metric, Metric)}
        return frozen.model_copy(update={"metrics": {**frozen.metrics, **now}, "chosen": chosen})

    async def delete_runs(self, caller: Identity, result_id: int, body: object) -> JsonObject:
        """Remove runs, `run_ids`, from an ended result; return the result. Its figures are of those left."""
        check_may_write(caller)
        result = await self._reading.there(caller, result_id)
        ids = read_ids(body, "run_ids")
        if ids is None:
            raise Invalid({"run_ids": ["This field is required: the ids of the runs to delete."]})
        if result.state != "ended":
            raise Conflict("The result has not ended; end its calls before you delete runs.")
        if await self._runs.known(result.id, ids) < len(ids):
            raise Invalid({"run_ids": ["Invalid run IDs or runs not found"]})
        await self._runs.delete(result.id, ids=ids)
        return await self._reading.view(result)

    async def delete(self, caller: Identity, result_id: int) -> None:
        """Remove an ended result and its runs."""
        check_may_write(caller)
        await self._reading.there(caller, result_id)
        if not await self._results.hide(result_id, when={"state": "ended"}):
            raise Conflict("The result has not ended; end its calls before you delete it.")
        with suppress(Unavailable):  # the keepers do what is left of it
            await self._ledger.remove(result_id)


def _digest(asked: Sequence[object], *, key: str | None) -> str | None:
    """Return what tells requests under one idempotency key apart; raises Invalid for a key that is none."""
    if key is None:
        return None
    if not (key.strip() and key.isascii() and len(key) <= MAX_KEY):
        raise Invalid({"Idempotency-Key": [f"A key has 1 to {MAX_KEY} characters of ASCII."]})
    return sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _same(result: EvaluatorResult, digest: str | None) -> EvaluatorResult:
    if result.digest != digest:
        raise Conflict(_AGAIN)
    return result
