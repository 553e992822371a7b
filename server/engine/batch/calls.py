"""The model calls of one job: each made once, as fast as the endpoint allows, tried again if it helps."""

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from weakref import WeakValueDictionary

import orjson
import structlog

from server.engine.batch.breath import Breath
from server.engine.batch.call_cache import OnceCache
from server.engine.batch.pacing import MAX_PAUSE, Pace
from server.engine.batch.waits import Waits
from server.errors import GreenroomError, RateLimited
from server.llm.completions import Completion, CompletionAsk, Completions

log = structlog.get_logger(__name__)
MAX_RETRIES = 2  # of a permutation that does not say
BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
# A rate limit is no failure: it uses up no retries. Halving leads from the highest concurrency to one within
# 8 refusals, and the oldest call goes first, so that a call that is refused more often has no hope. How long
# they may go on is for the pace to say.
MAX_REFUSALS = 20
CACHE_BYTES = 32 * 1024 * 1024
COMPLETION_BYTES = 200  # its objects, besides the texts
CALL_BYTES = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion, and whether it was made for somebody else."""

    completion: Completion
    cached: bool


@dataclass(slots=True)
class Spent:
    """What a run has used: every answer counts, also a cached one, so that runs compare.

    `answered_by` is the model that answered, `ignored` are the settings that were not sent, `waited` the
    seconds before its calls had their turn.
    """

    tokens: int = 0
    cost: float = 0.0
    cached_calls: int = 0
    waited: float = 0.0
    answered_by: str | None = None
    ignored: dict[str, None] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        """Count an answer of the selection."""
        self.pay(answer.completion)
        self.cached_calls += answer.cached
        self.answered_by = answer.completion.model
        self.ignored |= dict.fromkeys(answer.completion.ignored)

    def pay(self, completion: Completion) -> None:
        """Count tokens and cost only."""
        self.tokens += completion.prompt_tokens + completion.completion_tokens
        self.cost += completion.cost or 0.0


class Calls:
    """Makes the model calls of one job; equal ones once, unless `cache` is off.

    `api_key` is the client's. Tokens and secrets are part of neither the cache nor the log.
    """

    def __init__(
        self,
        completions: Completions,
        *,
        concurrency: int,
        cache: bool = True,
        api_key: str | None = None,
        backoff: float = BACKOFF,
        refusals: int = MAX_REFUSALS,
    ) -> None:
        self._completions = completions
        self._pace = Pace(concurrency)
        self._breath = Breath()
        self._cache = OnceCache[Completion](most=CACHE_BYTES, size=size_of) if cache else None
        self._api_key = api_key
        self._backoff = backoff
        self._refusals = refusals
        self._ages = count()
        self._waits: WeakValueDictionary[bytes, Waits] = WeakValueDictionary()  # of calls under way

    async def complete(
        self, ask: CompletionAsk, *, max_retries: int | None = None, spent: Spent | None = None
    ) -> Answer:
        """Return the answer to a request; raises GreenroomError after all tries. Cancelling is safe.

        A failure that may pass is tried again `max_retries` times, 2 by default, after growing pauses.
        `spent` is told how long the call waited for its turn, also when it fails.
        """
        retries = MAX_RETRIES if max_retries is None else max_retries
        key = key_of(ask) if self._cache is not None else b""
        waits = self._waits_of(key)
        asked = time.perf_counter()
        try:
            if self._cache is None:
                return Answer(await self._tried(ask, retries, waits), cached=False)
            completion, cached = await self._cache.get(key, lambda: self._tried(ask, retries, waits))
            return Answer(completion, cached)
        finally:
            if spent is not None:
                spent.waited += waits.since(asked)

    def _waits_of(self, key: bytes) -> Waits:
        """Return the waits that those who ask the same at the same time share; without a key, fresh ones."""
        waits = self._waits.get(key) if key else None
        if waits is None:
            waits = Waits()
            if key:
                self._waits[key] = waits
        return waits

    async def _tried(self, ask: CompletionAsk, retries: int, waits: Waits) -> Completion:
        age = next(self._ages)  # kept by further tries: the oldest call goes first
        failures = refusals = 0
        while True:
            try:
                return await self._once(ask, age, waits)
            except RateLimited as refusal:
                refusals += 1
                if not refusal.may_retry or refusals >= self._refusals:
                    raise
            except GreenroomError as error:
                if not error.may_retry or failures >= retries:
                    raise
                failures += 1
                await asyncio.sleep(self._pause(failures, error.retry_after))

    async def _once(self, ask: CompletionAsk, age: int, waits: Waits) -> Completion:
        began = time.perf_counter()
        try:
            turn = await self._pace.begin(age)
        finally:
            waits.add(began, time.perf_counter())
        try:
            completion = await self._completions.complete(ask, api_key=self._api_key)
        except RateLimited as refusal:
            before = self._pace.limit
            self._pace.refused(turn, retry_after=refusal.retry_after)
            if self._pace.limit < before:
                log.info("model endpoint limits the rate", provider=ask.provider, limit=self._pace.limit)
            raise
        except BaseException:
            self._pace.ended(turn)
            raise
        self._pace.succeeded(turn)
        await self._breath.take()
        return completion

    def _pause(self, failures: int, retry_after: float | None) -> float:
        """Return how long to wait before the next try (s); spread, so that tries do not come in waves."""
        if retry_after is not None:
            return min(retry_after, MAX_PAUSE)
        return min(self._backoff * 2.0 ** (failures - 1), LONGEST_BACKOFF) * random.uniform(0.5, 1.0)


def key_of(ask: CompletionAsk) -> bytes:
    """Return the digest of everything that is sent."""
    return sha256(orjson.dumps(ask, option=orjson.OPT_NON_STR_KEYS)).digest()


def size_of(completion: Completion) -> int:
    """Return about how many bytes of memory a completion takes."""
    texts = sum(sys.getsizeof(call.arguments) + sys.getsizeof(call.name) for call in completion.calls)
    return COMPLETION_BYTES + sys.getsizeof(completion.text) + texts + CALL_BYTES * len(completion.calls)
