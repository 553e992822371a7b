"""A client that holds answers, and requests that are taken, to what /openapi.json says of their address."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import orjson
from jsonschema import Draft202012Validator

JSON = "application/json"
Body = Any


class Checked:
    """Asks for addresses; `seen` are the operations and statuses that were answered as documented."""

    def __init__(self, http: aiohttp.ClientSession, url: str, document: Mapping[str, Any]) -> None:
        self._http = http
        self._url = url
        self.document = document
        self._patterns: list[tuple[re.Pattern[str], str]] = sorted(
            ((_pattern(address), address) for address in document["paths"]),
            key=lambda found: found[1].count("{"),
        )
        self.headers: dict[str, str] = {}
        self.seen: set[tuple[str, str, int]] = set()

    async def ask(
        self, method: str, path: str, body: object = None, *, status: int = 200, **headers: str
    ) -> Body:
        """Return an answer that has a status, and is as documented."""
        data = None if body is None else orjson.dumps(body)
        async with self._http.request(
            method, self._url + path, data=data, headers={**self.headers, **headers}
        ) as response:
            text = await response.read()
            assert response.status == status, (method, path, response.status, text[:2000])
            if status < 300:
                self._check_request(method, path, body)
            return self._check(method, path, status, response.content_type, text)

    def _check(self, method: str, path: str, status: int, content_type: str, text: bytes) -> Body:
        address = self.address_of(path.partition("?")[0])
        answers = self.document["paths"][address].get(method.lower(), {}).get("responses", {})
        if method.lower() not in self.document["paths"][address]:
            assert status == 405, (method, address)
            answers = next(iter(self.document["paths"][address].values()))["responses"]
        assert str(status) in answers, (method, address, status)
        answer = answers[str(status)]
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        self.seen.add((method, address, status))
        content = answer.get("content", {})
        if not content:
            assert text == b"", (method, address, text)
            return None
        assert content_type in content, (method, address, content_type)
        if content_type != JSON:
            return text
        read = orjson.loads(text)
        self.validate(content[JSON]["schema"], read, where=f"{method} {address} {status}")
        return read

    def declares(self, method: str, path: str, name: str) -> bool:
        """Tell whether the document has a parameter of the query at an address."""
        operation = self.document["paths"][self.address_of(path)].get(method.lower(), {"parameters": []})
        return ("query", name) in ((p["in"], p["name"]) for p in operation["parameters"])

    def _check_request(self, method: str, path: str, body: object) -> None:
        address, _, query = path.partition("?")
        operation = self.document["paths"][self.address_of(address)][method.lower()]
        where = f"{method} {path}"
        if body is not None:
            schema = operation["requestBody"]["content"][JSON]["schema"]
            self.validate(schema, body, where=where)
        assert all(self.declares(method, address, name) for name, _ in parse_qsl(query)), where

    def validate(self, schema: Mapping[str, Any], value: object, *, where: str) -> None:
        """Hold a value to a schema of the document."""
        whole = {**schema, "components": self.document["components"]}
        errors = [
            e.message[:500] + " at " + e.json_path for e in Draft202012Validator(whole).iter_errors(value)
        ]
        assert errors == [], (where, errors)

    def address_of(self, path: str) -> str:
        """Return the documented address of a path."""
        for pattern, address in self._patterns:
            if pattern.fullmatch(path):
                return address
        raise AssertionError(f"{path} is not in the document")


def _pattern(address: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", address)
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts))
