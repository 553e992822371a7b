"""Every HTTP request begins a trace, or goes on with its client's; the answer names it."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from server import tracing

UNEXPORTED = ("/socket.io/", "/health", "/readyz", "/metrics")  # asked all the time, or open for hours
TRACE = web.RequestKey("trace", str)
SPAN = web.RequestKey[tracing.Span]("span")
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def attach(app: web.Application) -> None:
    """Name the trace in every answer, also in those that are streams."""
    app.on_response_prepare.append(_name_it)


@web.middleware
async def middleware(request: web.Request, handler: Handle) -> web.StreamResponse:
    """Answer a request within its trace."""
    resource = request.match_info.route.resource
    place = resource.canonical if resource else "?"
    given = request.headers.getall("traceparent", ())
    with tracing.begin(
        f"{request.method} {place}" if resource else "unknown address",
        after=given[0] if len(given) == 1 else None,
        exported=not request.path.startswith(UNEXPORTED),
    ) as span:
        request[TRACE], request[SPAN] = tracing.traceparent() or "", span
        span.set("http.request.method", request.method if resource else None)
        span.set("http.route", place)
        response = await handler(request)
        span.set("http.response.status_code", response.status)
        return response


async def _name_it(request: web.Request, response: web.StreamResponse) -> None:
    if not isinstance(response, web.Response) and (span := request.get(SPAN)) is not None:
        # a stream or a WebSocket, which may be open for hours; what is done for it then is below this span
        span.set("http.response.status_code", response.status)
        span.end()
    if trace := request.get(TRACE):
        response.headers["traceparent"] = trace
        response.headers["Trace-Id"] = trace.split("-")[1]
