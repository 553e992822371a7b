"""Checks the job that a client sends, and says everything that is wrong with it at once."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson
from pydantic import ValidationError

from schemas.batch import MAX_RUNS, BatchRequest, inner
from schemas.envelope import MAX_SAFE_INTEGER, Problem
from schemas.storable import MAX_DEPTH, MAX_NUMBER, check_storable
from server.engine.batch import selectors
from server.engine.batch.plugins.plugin import METHODS
from server.engine.batch.spelling import Spelling, is_method, short, which
from server.errors import BadRequest
from server.llm import model_table

LARGE = 1024 * 1024  # from here on a job is read beside the loop
MAX_VALUES = 2_500_000  # 12 for each of the most cases; six million hold up everybody for longer than a lease
MAX_PROBLEMS = 1000
KEYS = ("openplugin_api_key", "openai_api_key")
MALFORMED = frozenset({"json_invalid", "missing", "not_storable"})
Loc = list[str | int]


async def checked(raw: object) -> BatchRequest:
    """Return the job in JSON text, or in what it holds; raises BadRequest with details."""
    large = not isinstance(raw, str | bytes) or len(raw) > LARGE
    found = await asyncio.to_thread(_check, raw) if large else _check(raw)
    if isinstance(found, BatchRequest):
        return found
    where = ".".join(str(part) for part in found[0].loc)
    raise BadRequest(f"{where}: {found[0].msg}" if where else found[0].msg, details=found)


def problems(raw: object) -> list[Problem]:
    """Return everything that is wrong with a job: what it is made of, and what it refers to."""
    found = _check(raw)
    return [] if isinstance(found, BatchRequest) else found


def is_malformed(found: list[Problem]) -> bool:
    """Tell whether a job is no job at all: bad JSON, a wrong type, something missing."""
    return any(p.type in MALFORMED or p.type.endswith("_type") for p in found)


def _check(raw: object) -> BatchRequest | list[Problem]:
    if _has_too_many_values(raw):
        return [Problem(loc=[], msg=f"A job holds at most {MAX_VALUES:,} values", type="too_long")]
    if isinstance(raw, str | bytes):
        try:
            raw = orjson.loads(raw)
        except ValueError as error:
            return [Problem(loc=[], msg=f"This is not JSON: {error}", type="json_invalid")]
    if not isinstance(raw, dict):
        return [Problem(loc=[], msg="A job is one JSON object", type="model_type")]
    found = list(islice(_unstorable(raw, []), MAX_PROBLEMS))
    request: BatchRequest | None = None
    try:
        request = BatchRequest.model_validate(raw)
    except ValidationError as error:
        found += [
            Problem(loc=list(e["loc"]), msg=e["msg"].removeprefix("Value error, "), type=e["type"])
            for e in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    found += CrossCheck(raw).problems()
    found += islice(Spelling().problems(raw), MAX_PROBLEMS)
    return _cut(found) if found or request is None else request


def _has_too_many_values(raw: object) -> bool:
    """Tell whether a job holds more values than can be read in time, before text is read at all.

    Read, 64 MB of empty lists would be gigabytes.
    """
    if isinstance(raw, str):
        return raw.count(",") > MAX_VALUES and _divides_too_many(raw.encode(errors="replace"))
    if isinstance(raw, bytes):
        return raw.count(b",") > MAX_VALUES and _divides_too_many(raw)
    count, waiting = 0, [raw]
    while waiting and count <= MAX_VALUES:
        items = [item for _, item in _inside(waiting.pop())]
        count += len(items)
        waiting += [item for item in items if isinstance(item, dict | list)]
    return count > MAX_VALUES


def _divides_too_many(text: bytes) -> bool:
    """Tell whether too many commas of JSON text are outside of its strings."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * (MAX_VALUES + MAX_DEPTH):  # a name and a text for each value
        return True
    count = at = 0
    while count <= MAX_VALUES and (start := plain.find(b'"', at)) >= 0:
        count += plain.count(b",", at, start)
        end = plain.find(b'"', start + 1)
        at = end + 1 if end >= 0 else len(plain)
    return count + plain.count(b",", at) > MAX_VALUES


def _unstorable(value: object, loc: Loc) -> Iterator[Problem]:
    """Yield where something is that cannot be kept; what is inside of what is fine is not looked at again."""
    try:
        check_storable(value, len(loc))
    except ValueError as error:
        inside = _inside(value) if len(loc) <= MAX_DEPTH else []
        found = False
        for name, item in inside:
            for problem in _unstorable(item, [*loc, name]):
                found = True
                yield problem
        if not found:
            yield Problem(loc=loc, msg=f"This cannot be kept: {error}", type="not_storable")


def _inside(value: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _cut(found: list[Problem]) -> list[Problem]:
    if len(found) <= MAX_PROBLEMS:
        return found
    more = f"There are {len(found) - MAX_PROBLEMS} more problems; mend these first"
    return [*found[:MAX_PROBLEMS], Problem(loc=[], msg=more, type="more")]


class CrossCheck:
    """What a job refers to and is sent with, looked at whatever else is wrong with it."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._config = _object(raw.get("config"))
        self._groups = _items(raw, "plugin_groups", "plugin_group")
        self._permutations = _items(raw, "permutations", "permutation")
        self._cases = _items(raw, "test_cases", "test_case")
        named = (group.get("name") for _, group in self._groups)
        self._names = dict.fromkeys(name for name in named if isinstance(name, str))

    def problems(self) -> list[Problem]:
        """Return what is referred to and not there, twice there, too much, or cannot be sent."""
        found = [*_unsendable(self._config), *_repeated("plugin_groups", self._groups)]
        found += _repeated("permutations", self._permutations)
        for index, permutation in self._permutations:
            found += self._of_permutation(permutation, ["permutations", index])
        for index, case in self._cases:
            found += self._group_of(case, ["test_cases", index])
            found += _unknown_method(case, ["test_cases", index])
            found += _inexact(case.get("expected_parameters"), ["test_cases", index, "expected_parameters"])
        return [*found, *self._too_many()]

    def _of_permutation(self, permutation: dict[str, Any], loc: Loc) -> Iterator[Problem]:
        provider = _object(permutation.get("llm")).get("provider")
        if isinstance(provider, str) and not model_table.known(provider):
            msg = f"This server has no models of “{short(provider)}”"
            yield Problem(loc=[*loc, "llm", "provider"], msg=msg, type="unknown_provider")
        selector = _object(permutation.get("tool_selector"))
        who, pipeline = selector.get("provider"), selector.get("pipeline_name")
        if isinstance(who, str) and isinstance(pipeline, str) and not selectors.known(who, pipeline):
            there = which(selectors.pipelines(who))
            msg = f"There is no pipeline “{short(pipeline)}” of {short(who)}; {there}"
            yield Problem(loc=[*loc, "tool_selector", "pipeline_name"], msg=msg, type="unknown_pipeline")
        yield from self._group_of(selector, [*loc, "tool_selector"])

    def _group_of(self, value: dict[str, Any], loc: Loc) -> Iterator[Problem]:
        name = value.get("plugin_group_name")
        if isinstance(name, str) and name not in self._names:
            msg = f"No plugin group of this job is named “{short(name)}”; {which(self._names)}"
            yield Problem(loc=[*loc, "plugin_group_name"], msg=msg, type="unknown_plugin_group")

    def _too_many(self) -> Iterator[Problem]:
        listed = self._config.get("auto_translate_to_languages")
        languages = {str(x) for x in listed} if isinstance(listed, list) else set()
        runs = len(self._permutations) * len(self._cases) * max(1, len(languages))
        if runs > MAX_RUNS:
            msg = f"The job has {runs} runs; a job has {MAX_RUNS} at most"
            yield Problem(loc=["test_cases"], msg=msg, type="too_many_runs")


def _unknown_method(case: dict[str, Any], loc: Loc) -> Iterator[Problem]:
    method = case.get("expected_method")
    if isinstance(method, str) and not is_method(method):
        msg = f"There is no HTTP method “{short(method)}”; {which(map(str.upper, METHODS))}"
        yield Problem(loc=[*loc, "expected_method"], msg=msg, type="unknown_method")


def _inexact(parameters: object, loc: Loc) -> Iterator[Problem]:
    """Yield where numbers are that can be kept, and are not the same everywhere."""
    if not _has_inexact(parameters):
        return
    waiting: list[tuple[Loc, object]] = [(loc, parameters)]
    for at, value in waiting:
        if _is_inexact(value):
            msg = "A number is larger than 2^53; write it as a text"
            yield Problem(loc=at, msg=msg, type="number_too_large")
        waiting += [([*at, name], item) for name, item in _inside(value)]


def _has_inexact(value: object) -> bool:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if _is_inexact(value):
            return True
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return False


def _is_inexact(value: object) -> bool:
    return isinstance(value, int | float) and MAX_SAFE_INTEGER < abs(value) < MAX_NUMBER


def _unsendable(config: dict[str, Any]) -> Iterator[Problem]:
    for name in KEYS:
        key = config.get(name)
        if isinstance(key, str) and not ((sent := key.strip()).isascii() and sent.isprintable()):
            msg = "This holds characters that no key has; copy it again"
            yield Problem(loc=["config", name], msg=msg, type="unsendable_key")


def _repeated(field: str, items: list[tuple[int, dict[str, Any]]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in items:
        name = item.get("name")
        if isinstance(name, str):
            if name in seen:
                msg = f"Another one is named “{short(name)}”; results could not be told apart"
                yield Problem(loc=[field, index, "name"], msg=msg, type="repeated")
            seen.add(name)


def _items(raw: dict[str, Any], field: str, wrapper: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects of a list with their places, without wrappers; what is no object is left out."""
    listed = raw.get(field)
    unwrapped = (
        (i, inner(item, wrapper)) for i, item in enumerate(listed if isinstance(listed, list) else [])
    )
    return [(i, item) for i, item in unwrapped if isinstance(item, dict)]


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
