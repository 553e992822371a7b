"""CPU per event to begin its trace while nobody exports: ours against OpenTelemetry's no-op span, in one run.

`python -m bench.tracing` prints microseconds of the processor per event, the least of several rounds, and the
ratio. What each record of the log then pays for its ids is printed, too.
"""

import time
from collections.abc import Callable

from opentelemetry import trace

from server import tracing

EVENTS = 200_000
ROUNDS = 7


def ours() -> None:
    """Begin and end the trace of an event."""
    with tracing.begin("event"):
        pass


def theirs() -> None:
    """Begin and end a span without an exporter, which has no id."""
    with TRACER.start_as_current_span("event"):
        pass


def named() -> None:
    """Write the ids for a record of the log."""
    tracing.ids()


TRACER = trace.get_tracer("bench")


def cost(work: Callable[[], None]) -> float:
    """Return CPU microseconds per call."""
    before = time.process_time()
    for _ in range(EVENTS):
        work()
    return (time.process_time() - before) / EVENTS * 1e6


def main() -> None:
    """Print the costs and the ratio."""
    rounds = [(cost(ours), cost(theirs), cost(named)) for _ in range(ROUNDS)]
    mine, peer, text = (min(column) for column in zip(*rounds, strict=True))
    print(f"a trace begun: {mine:.2f} us per event")
    print(f"OpenTelemetry's no-op span: {peer:.2f} us per event")
    print(f"ratio: {mine / peer:.2f}")
    print(f"ids of a record of the log: {text:.2f} us")


if __name__ == "__main__":
    main()
