"""Traces: which event caused what, over tasks, threads, processes and the log.

Where we are in a trace is one number in a context variable, the trace's id (128 bits) before the span's (64),
so that every task and thread that is started under an event has it. It becomes text only where something is
logged, answered or exported. Spans cost nothing until somebody exports them (server/tracing_otel.py).

Whether a trace is exported is decided where it begins in this process, and holds for all that it causes here,
so that what is exported has its parent. The decision is one more bit before the trace's id.
"""

import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from random import Random
from types import TracebackType
from typing import Literal, NamedTuple, Protocol

Kind = Literal["internal", "server", "client", "consumer"]
Value = str | int | float

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST = 256
_BELOW = (1 << 64) - 1  # the span's part
_PLACE = (1 << 192) - 1  # both ids
_UNSAMPLED = 1 << 192
_current: ContextVar[int] = ContextVar("trace", default=0)
_random = Random()  # seeded by the system; ids are no secrets


class Span(Protocol):
    """Something that takes time, within a trace; leaving it ends it."""

    def set(self, name: str, value: Value | None) -> None:
        """Say more of it; None is left out."""

    def end(self) -> None:
        """End it before it is left; harmless when it has ended, and what is set after that is lost."""

    def __enter__(self) -> "Span": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None: ...


class Recorded:
    """A span that is exported when it ends; `here` and `parent` are places in the trace, 0 for none."""

    __slots__ = ("attributes", "ended", "error", "here", "kind", "name", "parent", "restores", "started")

    def __init__(self, name: str, kind: Kind, *, here: int, parent: int, restores: bool) -> None:
        self.name = name
        self.kind = kind
        self.here = here
        self.parent = parent
        self.restores = restores
        self.attributes: dict[str, Value] = {}
        self.error: str | None = None
        self.started = time.time_ns()
        self.ended = 0

    def set(self, name: str, value: Value | None) -> None:
        """Say more of it; None is left out."""
        if value is not None:
            self.attributes[name] = value

    def end(self) -> None:
        """End and export it; harmless when that was done."""
        if self.ended:
            return
        self.ended = time.time_ns()
        if _export is not None:
            _export(self)

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if kind is not None:
            self.error = kind.__name__  # its message may quote what people wrote
        if self.restores:
            _current.set(self.parent)
        self.end()


class _Unrecorded:
    """The span of who exports nothing."""

    __slots__ = ()

    def set(self, name: str, value: Value | None) -> None:
        """Forget it."""

    def end(self) -> None:
        """Do nothing."""

    def __enter__(self) -> "_Unrecorded":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        return None


_UNRECORDED = _Unrecorded()


class Begun(NamedTuple):
    """A span with which a trace begins or comes into this process; `sampled`: what its parent decided."""

    name: str
    kind: Kind
    here: int
    parent: int
    sampled: bool


_export: Callable[[Recorded], None] | None = None
_samples: Callable[[Begun], bool] | None = None


def export_to(
    export: Callable[[Recorded], None] | None, *, samples: Callable[[Begun], bool] | None = None
) -> None:
    """Have the spans that end in this process exported, also from threads; None ends that.

    `samples` decides of whole traces; without it those are left out whose `traceparent` says so.
    """
    global _export, _samples  # of the process, as its log
    _export, _samples = export, samples


def begin(name: str, kind: Kind = "server", *, after: str | None = None, exported: bool = True) -> Span:
    """Begin a trace, or go on with that of a `traceparent`; this task belongs to it from now on.

    A `traceparent` that is not well-formed is none. Without `exported` there is a trace and no span in it.
    """
    above = parsed(after) if after is not None else 0
    parent, sampled = above & _PLACE, not above & _UNSAMPLED
    here = parent & ~_BELOW | _random.getrandbits(64) if parent else _random.getrandbits(192)
    if not exported:
        sampled = False
    elif _samples is not None:
        sampled = _samples(Begun(name, kind, here, parent, sampled))
    _current.set(here if sampled else here | _UNSAMPLED)
    if _export is None or not sampled:
        return _UNRECORDED
    return Recorded(name, kind, here=here, parent=parent, restores=False)


def span(name: str, kind: Kind = "internal") -> Span:
    """Begin a part of the trace, in which what follows in this task happens until it ends."""
    parent = _current.get()
    if not parent:
        return begin(name, kind)
    if _export is None or parent & _UNSAMPLED:
        return _UNRECORDED
    here = parent & ~_BELOW | _random.getrandbits(64)
    _current.set(here)
    return Recorded(name, kind, here=here, parent=parent, restores=True)


def call(name: str, kind: Kind = "client") -> Span:
    """Begin a part of the trace in which nothing else happens: somebody else is asked."""
    parent = _current.get()
    if _export is None or not parent or parent & _UNSAMPLED:
        return _UNRECORDED
    here = parent & ~_BELOW | _random.getrandbits(64)
    return Recorded(name, kind, here=here, parent=parent, restores=False)


def called(name: str, *, nanoseconds: int, attributes: dict[str, Value], error: str | None = None) -> None:
    """Export a call that has just ended."""
    parent = _current.get()
    if _export is None or not parent or parent & _UNSAMPLED:
        return
    here = parent & ~_BELOW | _random.getrandbits(64)
    done = Recorded(name, "client", here=here, parent=parent, restores=False)
    done.attributes, done.error = attributes, error
    done.ended = done.started
    done.started -= nanoseconds
    _export(done)


def ids() -> tuple[str, str] | None:
    """Return the ids of the trace and of the span in which we are, None outside of any."""
    here = _current.get() & _PLACE
    return (f"{here >> 64:032x}", f"{here & _BELOW:016x}") if here else None


def traceparent() -> str | None:
    """Return what W3C's header says of where we are, None outside of any trace."""
    found = ids()
    sampled = not _current.get() & _UNSAMPLED
    return f"00-{found[0]}-{found[1]}-{sampled:02x}" if found else None


def parsed(header: str) -> int:
    """Return the place in a trace that a `traceparent` names, 0 for one that is not well-formed.

    The bit before the ids tells that its sender left the trace out.
    """
    match = _TRACEPARENT.fullmatch(header) if len(header) <= _LONGEST else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return 0
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    if not trace_id or not span_id:
        return 0
    place = trace_id << 64 | span_id
    return place if int(match[4], 16) & 1 else place | _UNSAMPLED
