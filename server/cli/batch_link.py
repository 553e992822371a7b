"""Follows a batch job over its WebSocket, however often that breaks."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import orjson
from aiohttp import ClientWebSocketResponse, WSMsgType

from schemas.envelope import Id, JsonObject
from server.cli.failure import Failure

PATH = "/api/ws/start-batch-job"
PATIENCE = 60.0  # seconds without a server, until following is given up
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
HEARTBEAT = 20.0
PASSING = frozenset({"unavailable", "rate_limited", "internal"})  # errors after which a job goes on


class JobRefused(Exception):
    """The server does not take the job; `problems` are sentences that name the place."""

    def __init__(self, message: str, code: str, problems: list[str]) -> None:
        super().__init__(message)
        self.code = code
        self.problems = problems


@dataclass(frozen=True)
class Heard:
    """A message of a job: as it came, and what it holds."""

    text: str
    data: JsonObject

    @property
    def is_summary(self) -> bool:
        """Tell whether it is the last one."""
        return "summary" in self.data and "status" in self.data


class BatchLink:
    """Starts or resumes one job and hears each of its results once, in order.

    When the connection breaks it connects again and goes on after the last result. Should it break before
    the server has named the job, the job is sent again: by its `client_event_id` it is the same one.
    """

    def __init__(self, http: aiohttp.ClientSession, *, job: str | None, job_id: Id | None) -> None:
        self.job_id = job_id
        self.is_cancelling = False
        self._http = http
        self._job = job
        self._next = 0
        self._sent = False
        self._put_off = ""  # why the server takes no job for now
        self._answered_at = 0.0
        self._socket: ClientWebSocketResponse | None = None

    async def follow(self, heard: Callable[[Heard], None]) -> Heard:
        """Return the summary after all results; raises JobRefused, and Failure when no server comes back."""
        loop = asyncio.get_running_loop()
        self._answered_at, pause = loop.time(), FIRST_PAUSE
        while True:
            before = self._next
            try:
                if summary := await self._once(heard):
                    return summary
            except aiohttp.ClientResponseError as error:
                if error.status < 500:
                    raise Failure(f"the server refuses to speak of jobs: {error.status}") from error
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass  # it is tried again
            if loop.time() - self._answered_at > PATIENCE:
                raise Failure(f"{self._put_off or 'the server does not answer any more'}{self.hint()}")
            pause = FIRST_PAUSE if self._next > before else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def cancel(self) -> None:
        """Ask the server to stop the job, now or when there is a connection again."""
        self.is_cancelling = True
        if self._socket is not None and not self._socket.closed:
            with suppress(aiohttp.ClientError, OSError):  # then it is sent with the next connection
                await self._socket.send_str('{"cancel": true}')

    def hint(self) -> str:
        """Return how the job can be followed again, to be added to a sentence."""
        if self.job_id is None:
            return "; the job may have begun, see GET /api/jobs" if self._sent else ""
        return f"; the job goes on where a server runs, see python -m server batch --resume {self.job_id}"

    async def _once(self, heard: Callable[[Heard], None]) -> Heard | None:
        """Hear what one connection has to say; return the summary, None when it broke before."""
        async with self._http.ws_connect(PATH, heartbeat=HEARTBEAT, max_msg_size=0) as socket:
            self._socket, self._put_off = socket, ""
            await socket.send_str(self._first())
            self._sent = True
            if self.is_cancelling:
                await self.cancel()
            async for message in socket:
                if message.type is WSMsgType.TEXT and (summary := self._take(message.data, heard)):
                    return summary
            if not self._put_off:
                self._answered_at = asyncio.get_running_loop().time()
        return None

    def _first(self) -> str:
        if self.job_id is None:
            assert self._job is not None
            return self._job
        return orjson.dumps({"resume": self.job_id, "from": self._next}).decode()

    def _take(self, text: str, heard: Callable[[Heard], None]) -> Heard | None:
        """Pass a result on; return the message when it is the summary. Raises JobRefused."""
        message = Heard(text, orjson.loads(text))
        if "error" in message.data and "index" not in message.data and not message.is_summary:
            self._refuse(message.data)
            return None
        self.job_id = message.data["job_id"]
        if message.is_summary:
            return message
        index = message.data["index"]
        if index > self._next:
            raise Failure(f"the server left out result {self._next}{self.hint()}", code=1)
        if index == self._next:
            self._next += 1
            heard(message)
        return None

    def _refuse(self, error: JsonObject) -> None:
        code = str(error.get("code", ""))
        if code in PASSING and self.job_id is not None:
            return  # a job that runs: it is followed again
        if code == "unavailable":
            self._put_off = str(error["error"])
            return  # perhaps it is stored all the same; it is sent again
        problems = [f"{path_of(p.get('loc', ()))}: {p.get('msg', '')}" for p in error.get("details") or ()]
        raise JobRefused(str(error["error"]), code, problems)


def path_of(loc: object) -> str:
    """Return where a problem is as people write it: `permutations[1].llm.provider`."""
    if not isinstance(loc, list | tuple):
        return str(loc)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return path.removeprefix(".") or "the job"
