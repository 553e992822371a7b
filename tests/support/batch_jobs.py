"""Talks the WebSocket protocol of batch jobs, one message after the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import WSMsgType

from tests.imports import ROOT

PATH = "/api/ws/start-batch-job"
KLARNA = ROOT / "content" / "batch" / "klarna"
MIRROR = KLARNA / "mirror"
Message = dict[str, Any]

# the keys of a result message, in the order of the contract
KEYS = (
    "permutation_name",
    "permutation_summary",
    "test_type",
    "test_case_name",
    "is_run_completed",
    "language",
    "prompt",
    "final_output",
    "match_score",
    "is_plugin_detected",
    "is_plugin_operation_found",
    "is_plugin_parameter_mapped",
    "plugin_name",
    "plugin_operation",
    "plugin_parameters_mapped",
    "parameter_mapped_percentage",
    "response_time_sec",
    "total_llm_tokens_used",
    "llm_api_cost",
)


class Ended(Exception):
    """The server closed the socket; `code` is its close code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class Talk:
    """One socket of a job."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, message: object) -> None:
        """Send a message: text as it is, anything else as JSON."""
        await self.socket.send_str(message if isinstance(message, str) else orjson.dumps(message).decode())

    async def hear(self) -> Message:
        """Return the next message; raises Ended."""
        message = await self.socket.receive(timeout=60)
        if message.type is not WSMsgType.TEXT:
            raise Ended(self.socket.close_code)
        heard: Message = orjson.loads(message.data)
        return heard

    async def results(self, count: int | None = None) -> list[Message]:
        """Return the next results, so many or all up to the summary, which is then the last."""
        heard: list[Message] = []
        while count is None or len(heard) < count:
            heard.append(await self.hear())
            if is_summary(heard[-1]):
                break
        return heard

    async def whole(self) -> tuple[list[Message], Message]:
        """Return all that follows, results and summary, up to the close with 1000."""
        *results, summary = await self.results()
        assert is_summary(summary), summary
        with pytest.raises(Ended) as ended:
            await self.hear()
        assert ended.value.code == 1000
        return results, summary


@asynccontextmanager
async def talk(url: str, token: str, first: object) -> AsyncIterator[Talk]:
    """Connect and send the first message."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.ws_connect(f"{url}{PATH}", max_msg_size=0) as socket,
    ):
        begun = Talk(socket)
        await begun.say(first)
        yield begun


def is_summary(message: Message) -> bool:
    """Tell whether a message is the last one of a job."""
    return "summary" in message


def seed_job() -> str:
    """Return the ready job as its file holds it."""
    return (KLARNA / "job.json").read_text()


def klarna_cases(count: int, *, name: str = "many", concurrency: int = 4) -> Message:
    """Return a job of one permutation over Klarna's plugin whose cases have prompts of their own."""
    job: Message = orjson.loads(seed_job())
    case = job["test_cases"][1]
    job |= {"name": name, "config": {"concurrency": concurrency}, "permutations": job["permutations"][:1]}
    job["test_cases"] = [case | {"name": f"case {n}", "prompt": f"Show me hat {n}."} for n in range(count)]
    return job
