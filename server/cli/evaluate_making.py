"""Makes what a file of scenarios names on a server, and removes it again."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from schemas.envelope import JsonObject
from schemas.evaluator import ResourceKind
from server.cli.evaluate_file import REFERENCES, SECTIONS, Evaluation, Part, refusal
from server.cli.failure import Failure

API = "/test_framework/v1"


@dataclass
class Made:
    """What was made: the agent, the scenarios with their names, and the addresses of all, oldest first."""

    agent: int = 0
    scenarios: dict[int, str] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)


class Maker:
    """Makes the parts of one file; `problems` are what the server has against them."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.made = Made()
        self.problems: list[str] = []
        self._http = http
        self._ids: dict[tuple[ResourceKind, str], int] = {}

    async def make(self, evaluation: Evaluation, path: Path) -> Made:
        """Make all parts; raises Failure with everything that the server refuses."""
        self.made.agent = await self._part(evaluation.agent) or 0
        for part in evaluation.named:
            if number := await self._part(part):
                self._ids[part.kind, part.body["name"]] = number
        if not self.problems:
            for part in evaluation.scenarios:
                if number := await self._part(self._linked(part)):
                    self.made.scenarios[number] = part.body["name"]
        if self.problems:
            raise Failure(refusal(path, self.problems))
        return self.made

    async def remove(self) -> list[str]:
        """Remove what was made, the newest first; return the addresses of what had to stay."""
        left = []
        for address in reversed(self.made.addresses):
            try:
                async with self._http.delete(address) as response:
                    if response.status not in (200, 204, 404):
                        left.append(address)
            except (aiohttp.ClientError, OSError, TimeoutError):
                left.append(address)
        return left

    def _linked(self, part: Part) -> Part:
        """Return a scenario with the ids of what it names."""
        body = {**part.body, "agent": self.made.agent}
        for name, section in REFERENCES:
            kind = SECTIONS[section]
            given = body.get(name)
            if isinstance(given, list):
                body[name] = [self._id(kind, item) for item in given]
            elif given is not None:
                body[name] = self._id(kind, given)
        return Part(kind=part.kind, where=part.where, body=body)

    def _id(self, kind: ResourceKind, named: object) -> object:
        return self._ids[kind, named] if isinstance(named, str) else named

    async def _part(self, part: Part) -> int | None:
        """Make one part and return its id; None after taking note of what is wrong with it."""
        status, answer = await asked(self._http, "POST", f"{API}/{part.kind}/", part.body)
        if status == 201:
            number: int = answer["id"]
            self.made.addresses.append(f"{API}/{part.kind}/{number}/")
            return number
        self.problems += [f"{part.where}: {problem}" for problem in problems_of(answer, status)]
        return None


async def asked(
    http: aiohttp.ClientSession,
    method: str,
    address: str,
    body: JsonObject | None = None,
    *,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Return the status and the JSON of an answer; raises Failure when the server does not answer."""
    try:
        async with http.request(method, address, json=body, headers=headers) as response:
            content = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Failure(f"the server did not answer {method} {address}: {error}") from error
    try:
        return response.status, orjson.loads(content) if content else {}
    except orjson.JSONDecodeError as error:
        raise Failure(f"the server answered {method} {address} with no JSON ({response.status})") from error


def problems_of(answer: Any, status: int) -> list[str]:
    """Return what an answer has against a request, a sentence each."""
    if not isinstance(answer, dict):
        return [f"the server refuses it ({status})"]
    if "detail" in answer:
        return [str(answer["detail"])]
    found = [
        f"{name}: {text}"
        for name, texts in answer.items()
        for text in (texts if isinstance(texts, list) else [texts])
    ]
    return found or [f"the server refuses it ({status})"]
