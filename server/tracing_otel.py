"""Spans over OTLP/HTTP to a collector: the only importer of OpenTelemetry, imported when asked for."""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from server import tracing

log = structlog.get_logger(__name__)
PATH = "/v1/traces"
FLUSH_SECONDS = 2.0
_KINDS: Final[Mapping[tracing.Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_SPAN = (1 << 64) - 1


class Exporter:
    """Sends the spans of this process in batches, from a thread; what finds no room is dropped.

    OpenTelemetry's own variables hold for the rest: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
    OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_BSP_SCHEDULE_DELAY and so on.
    """

    def __init__(self, endpoint: str, *, process: str) -> None:
        ours = Resource({"service.name": "greenroom", "service.instance.id": process})
        self._ids = _Given()
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler  # of OTEL_TRACES_SAMPLER
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # the trace was decided of when it began
            resource=ours.merge(OTELResourceDetector().detect()),
            id_generator=self._ids,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_span_attributes=32, max_span_attribute_length=256),
        )
        collector = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + PATH)
        self._batches = BatchSpanProcessor(_Told(collector))
        self._provider.add_span_processor(self._batches)
        self._tracer = self._provider.get_tracer("greenroom")

    def samples(self, begun: tracing.Begun) -> bool:
        """Decide whether a trace is exported."""
        given = self._sampler.should_sample(
            _below(begun.parent, sampled=begun.sampled), begun.here >> 64, begun.name, _KINDS[begun.kind]
        )
        return given.decision.is_sampled()

    def __call__(self, span: tracing.Recorded) -> None:
        """Take a span that has ended; safe in every thread."""
        self._ids.give(span.here)
        made = self._tracer.start_span(
            span.name,
            context=_below(span.parent),
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            start_time=span.started,
        )
        if span.error is not None:
            made.set_attribute("error.type", span.error)
            made.set_status(Status(StatusCode.ERROR))
        made.end(span.ended)

    def close(self) -> None:
        """Send what is left, for two seconds at most; blocks meanwhile."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(FLUSH_SECONDS)
        if closing.is_alive():
            log.warning("the last spans could not be exported in time", seconds=FLUSH_SECONDS)


class _Given(IdGenerator):
    """Gives a span the ids that it has; they are set and read in one thread, without a pause between."""

    def __init__(self) -> None:
        self._here = threading.local()

    def give(self, here: int) -> None:
        """Have the next span of this thread be this one."""
        self._here.value = here

    def generate_span_id(self) -> int:
        """Return the id of the span that is made."""
        return int(self._here.value) & _SPAN

    def generate_trace_id(self) -> int:
        """Return the id of its trace."""
        return int(self._here.value) >> 64


class _Told(SpanExporter):
    """Tells once that a collector is away, and once that it is back."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that the collector does not take is dropped."""
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            log.warning("spans are dropped: the collector does not take them")
        elif self._away and not away:
            log.info("spans are exported again")
        self._away = away
        return result

    def shutdown(self) -> None:
        """Try no more."""
        self._exporter.shutdown()


def _below(parent: int, *, sampled: bool = True) -> Context:
    """Return the context of a span's parent, empty for a trace that begins."""
    if not parent:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    above = SpanContext(parent >> 64, parent & _SPAN, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(above), Context())
