"""An OTLP/HTTP collector: it decodes what it is sent and keeps the spans."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Span:
    """A span as it arrived; ids are hexadecimal, a root's parent is empty."""

    name: str
    trace: str
    id: str
    parent: str
    service: str
    process: str
    failed: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    """The spans that have arrived."""

    url: str
    spans: list[Span] = field(default_factory=list)

    def named(self, name: str, *, trace: str | None = None) -> list[Span]:
        """Return the spans of a name, of one trace or of all."""
        return [s for s in self.spans if s.name == name and trace in (None, s.trace)]

    def one(self, name: str, *, trace: str | None = None) -> Span:
        """Return the only span of a name."""
        (found,) = self.named(name, trace=trace)
        return found

    async def take(self, request: web.Request) -> web.Response:
        """Keep the spans of a request."""
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            about = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [_span(span, about) for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run a collector on a free port."""
    running = Collector("")
    app = web.Application()
    app.router.add_post("/v1/traces", running.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield running
    finally:
        await runner.cleanup()


def _span(span: Any, about: dict[str, Any]) -> Span:
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        service=about["service.name"],
        process=about["service.instance.id"].partition("-")[0],
        failed=span.status.code == 2,
        attributes=_values(span.attributes),
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
