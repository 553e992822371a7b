"""Tells the agents' owners over HTTP that a result has ended: signed, tried again, once per end."""

import asyncio
import hashlib
import hmac
from collections import Counter
from contextlib import suppress

import aiohttp
import orjson
import structlog

from schemas.envelope import JsonObject
from schemas.evaluator import AiAgent
from schemas.evaluator_run import EvaluatorResult
from server.engine.addresses import PublicResolver, checked, shown
from server.engine.evaluator.frozen import thawed
from server.engine.evaluator.parts import Parts
from server.engine.evaluator.reading import MAX_BRIEF_RUNS, Reading
from server.errors import BadRequest, Unavailable

log = structlog.get_logger(__name__)
TIMEOUT_SECONDS = 10.0
LEASE_SECONDS = 30.0  # of a try: after that somebody else may make the next one
LOOK_SECONDS = 1.0
AT_ONCE = 32
OF_AN_AGENT = 2  # at once: who answers slowly holds no places of others
OF_AN_ORG = 8
DELAYS = (2.0, 10.0, 60.0, 300.0)  # before each further try


class Webhooks:
    """Posts `result.completed` until an answer is 2xx, five times at most; what waits outlives the process.

    A try counts once it has come to something: one that a stop or a kill cut off is made again.

    Only allowed addresses are called, redirects are not followed, and answers are not read.
    """

    def __init__(self, parts: Parts, *, private: bool) -> None:
        self.delays: tuple[float, ...] = DELAYS
        self._results = parts.store.evaluator_results
        self._process = parts.process
        self._reading = Reading(parts.store)
        self._private = private
        self._some = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], EvaluatorResult] = {}

    def look(self) -> None:
        """Look at once for what is to be told."""
        self._some.set()

    async def run(self) -> None:
        """Tell what is due, until cancelled."""
        resolver = PublicResolver(private=self._private)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, limit=AT_ONCE, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            headers={"User-Agent": "Greenroom", "Content-Type": "application/json"},
        ) as session:
            try:
                await self._tell_all(session)
            finally:
                left = list(self._tasks)
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)

    async def _tell_all(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                while len(self._tasks) < AT_ONCE and (result := await self._next()) is not None:
                    task = asyncio.create_task(self._tell(session, result))
                    self._tasks[task] = result
                    task.add_done_callback(self._told)
            except Unavailable:
                log.warning("webhooks cannot be looked for")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._some.wait()
            self._some.clear()

    def _told(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._some.set()  # another one may have its place
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a webhook broke", exc_info=error)

    async def _next(self) -> EvaluatorResult | None:
        if not self._process.alive:
            return None
        agents = Counter(result.agent for result in self._tasks.values())
        orgs = Counter(result.org for result in self._tasks.values())
        return await self._results.take_webhook(
            lease_seconds=LEASE_SECONDS,
            besides=[agent for agent, count in agents.items() if count >= OF_AN_AGENT],
            not_of=[org for org, count in orgs.items() if count >= OF_AN_ORG],
        )

    async def _tell(self, session: aiohttp.ClientSession, result: EvaluatorResult) -> None:
        """Make one try, and note what came of it; cancelled, give it back."""
        try:
            agent = await self._agent(result)
            done = agent is None or await self._post(session, agent, result)
            again = self.delays[result.tries] if result.tries < len(self.delays) else None
            if not done and again is None:
                log.warning("webhook given up", result=result.id, tries=result.tries + 1)
            await self._results.settle_webhook(result, again_in=None if done else again)
        except asyncio.CancelledError:
            with suppress(Unavailable):  # it is due again when its lease is over
                await self._results.give_back_webhook(result)
            raise
        except Unavailable:
            log.warning("what came of a webhook is not stored; it is tried again", result=result.id)

    async def _agent(self, result: EvaluatorResult) -> AiAgent | None:
        """Return the agent as it was when the result was started; None when nobody is to be told."""
        packed = await self._results.setup(result.id, version=result.setup)
        if packed is None:
            return None
        agent = (await asyncio.to_thread(thawed, packed)).agent
        return agent if agent.webhook_url else None

    async def _post(self, session: aiohttp.ClientSession, agent: AiAgent, result: EvaluatorResult) -> bool:
        """Tell once; whether that was answered 2xx."""
        url = agent.webhook_url or ""
        body = orjson.dumps({"event_type": "result.completed", "data": await self._data(result)})
        headers = {"X-Greenroom-Delivery": f"{result.id}-{result.ends}", **signed(body, agent.webhook_secret)}
        try:
            address = checked(url, private=self._private)
            async with session.post(address, data=body, headers=headers, allow_redirects=False) as response:
                if 200 <= response.status < 300:
                    return True
                log.info("webhook refused", result=result.id, status=response.status)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.info("webhook not told", result=result.id, url=shown(url), error=type(error).__name__)
        except BadRequest:
            log.info("webhook at an address that is not allowed", result=result.id, url=shown(url))
        return False

    async def _data(self, result: EvaluatorResult) -> JsonObject:
        return await self._reading.brief(result, runs=MAX_BRIEF_RUNS)


def signed(body: bytes, secret: str | None) -> dict[str, str]:
    """Return the headers that show a receiver that it is us: the secret, and its HMAC-SHA256 of the body."""
    if not secret:
        return {}
    mark = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-CEKURA-SECRET": secret, "X-Greenroom-Signature": f"sha256={mark}"}
