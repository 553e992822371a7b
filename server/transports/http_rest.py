"""Reading back over HTTP (socket-v5 §10)."""

from aiohttp import web

from server.transports import (
    http_batch,
    http_batch_report,
    http_content,
    http_drafts,
    http_evaluator,
    http_export,
    http_media,
    http_pipelines,
    http_playground,
    http_reading,
    http_recordings,
    http_report,
    http_retrieve,
    http_sounds,
    http_tests,
)


def attach(app: web.Application) -> None:
    """Add the addresses of what is read back, and those of batch jobs and evaluators."""
    reading = (http_recordings, http_reading, http_export, http_tests, http_report)
    for part in (
        http_content,
        http_drafts,
        http_media,
        http_sounds,
        *reading,
        http_batch,
        http_batch_report,
        http_evaluator,
        http_pipelines,
        http_retrieve,
        http_playground,
    ):
        part.attach(app)
