"""Evaluators over HTTP (evaluators §1, §4): the addresses of all their parts."""

from aiohttp import web

from server.transports import (
    http_evaluator_report,
    http_evaluator_resources,
    http_evaluator_runs,
    http_evaluator_start,
    http_evaluator_verify,
)

PARTS = (
    http_evaluator_resources,
    http_evaluator_verify,
    http_evaluator_start,
    http_evaluator_runs,
    http_evaluator_report,
)


def attach(app: web.Application) -> None:
    """Add the addresses below /test_framework/."""
    for part in PARTS:
        part.attach(app)
