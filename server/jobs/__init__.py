"""Durable jobs: the only place that knows docket."""

from server.jobs.queue import Jobs

__all__ = ["Jobs"]
