"""Which plugin or operation is meant: names and addresses as cases, models and documents write them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from server.engine.batch.plugins.plugin import Operation, Plugin

DEFAULT_PORTS = {"http": ":80", "https": ":443"}
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Base = tuple[str, str]  # scheme and host
Segments = tuple[str, ...]
Rank = tuple[int, tuple[bool, ...]]  # how many segments are templates, and which


class Found(NamedTuple):
    """An operation that an address names, and what the address says for the placeholders of its path."""

    plugin: Plugin
    operation: Operation
    path_parameters: dict[str, str]


class Target(NamedTuple):
    """An address in parts that can be compared; base is None for a bare path."""

    base: Base | None
    segments: Segments


class Hit(NamedTuple):
    """An address fits a template: how special the template is, and what stands for its placeholders."""

    rank: Rank
    parameters: dict[str, str]


def same_plugin(plugin: Plugin, expected: str) -> bool:
    """Tell whether a plugin is the expected one, which is given by its manifest's address or by a name.

    A trailing slash, and the case of scheme, host and names do not matter; `_` in a name is a space.
    """
    if plain_name(expected) in _plain_names((plugin.name, *plugin.names)):
        return True
    return "://" in expected and _manifest(plugin.manifest_url) == _manifest(expected)


def plain_name(name: str) -> str:
    """Return a plugin's name as names are compared."""
    return " ".join(name.replace("_", " ").casefold().split())


@lru_cache(maxsize=1024)
def _plain_names(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(plain_name, names))


def same_operation(operation: Operation, expected: str) -> bool:
    """Tell whether an address names an operation, whatever the method.

    The address is a server's with the path behind it, or the path alone; query, trailing slash and
    percent-encoding do not matter; placeholders may be filled in, or named otherwise.
    """
    return _names(operation.path, operation.servers, expected)


@lru_cache(maxsize=4096)  # the same few in run after run
def _names(path: str, servers: tuple[str, ...], address: str) -> bool:
    return _hit(path, servers, target(address)) is not None


def find_operation(plugins: Iterable[Plugin], *, url: str, method: str | None = None) -> Found | None:
    """Return the operation that an address names, or None.

    Static segments win over placeholders (`/pets/mine` over `/pets/{id}`); among operations that share the
    path the one with the method is returned, else the first.
    """
    wanted, verb = target(url), (method or "").lower()
    best: tuple[tuple[Rank, bool], Found] | None = None
    for plugin in plugins:
        for operation in plugin.operations:
            hit = _hit(operation.path, operation.servers, wanted)
            if hit is None:
                continue
            key = (hit.rank, operation.method.lower() != verb)
            if best is None or key < best[0]:
                best = (key, Found(plugin, operation, hit.parameters))
    return best[1] if best else None


def target(address: str) -> Target:
    """Return an address, or a path, in comparable parts; one that cannot be read names nothing."""
    parts = _split(address.strip())
    if parts is None:
        return Target(("", ""), ())
    base = _base(parts) if parts.scheme and parts.netloc else None
    return Target(base, tuple(unquote(part) for part in parts.path.split("/") if part))


def _hit(template: str, servers: tuple[str, ...], wanted: Target) -> Hit | None:
    """Return how an address fits an operation best, or None when it does not.

    A bare path is that of the operation, with or without the path of a server in front.
    """
    path = _known(template).segments
    longer = len(wanted.segments) - len(path)
    if longer < 0:
        return None
    bases = [_known(server) for server in servers]
    if wanted.base is None:
        bases = [Target(None, ()), *bases]
    else:
        bases = [base for base in bases if base.base == wanted.base]
    prefixes = dict.fromkeys(base.segments for base in bases if len(base.segments) == longer)
    hits = [_fit(prefix + path, wanted.segments) for prefix in prefixes]
    return min((hit for hit in hits if hit is not None), key=lambda hit: hit.rank, default=None)


@lru_cache(maxsize=4096)
def _known(address: str) -> Target:
    """Return the parts of an address of a document: those are asked for again and again."""
    return target(address)


def _fit(template: Segments, given: Segments) -> Hit | None:
    parameters: dict[str, str] = {}
    for pattern, segment in zip(template, given, strict=True):
        if not PLACEHOLDER.search(pattern):
            if pattern != segment:
                return None
        elif PLACEHOLDER.sub("{}", pattern) != PLACEHOLDER.sub("{}", segment):  # else a template itself
            filled = _filled(pattern, segment)
            if filled is None:
                return None
            parameters |= filled
    templates = tuple(bool(PLACEHOLDER.search(pattern)) for pattern in template)
    return Hit((sum(templates), templates), parameters)


def _filled(pattern: str, segment: str) -> dict[str, str] | None:
    """Return what stands for the placeholders of `{id}` or `{name}.json`; None when the rest differs.

    Each stands for at least one character, the earlier ones for as few as can be; linear in the segment.
    """
    first, *fixed = PLACEHOLDER.split(pattern)[::2]
    start, values = len(first), []
    for number, text in enumerate(fixed, start=1):
        at_end = len(segment) - len(text)
        end = at_end if number == len(fixed) else segment.find(text, start + 1)
        if end <= start:
            return None
        values.append(segment[start:end])
        start = end + len(text)
    if not segment.startswith(first) or not segment.endswith(fixed[-1]):
        return None
    return dict(zip(PLACEHOLDER.findall(pattern), values, strict=True))


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:  # such as http://[
        return None


def _base(parts: SplitResult) -> Base:
    host = parts.netloc.rpartition("@")[2].lower()
    return parts.scheme, host.removesuffix(DEFAULT_PORTS.get(parts.scheme, " "))


@lru_cache(maxsize=1024)
def _manifest(address: str) -> tuple[Base, str, str] | str:
    parts = _split(address.strip())
    return address if parts is None else (_base(parts), unquote(parts.path).rstrip("/"), parts.query)
