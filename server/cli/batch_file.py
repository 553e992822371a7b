"""Reads a batch job from a file: JSON as it stands, YAML as JSON."""

from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from schemas.batch import BatchRequest
from server.cli.documents import as_json, read_object


def read_job(path: Path, *, concurrency: int | None = None) -> str:
    """Return the job of a file as the message that starts it; raises Failure naming the line.

    It gets a `client_event_id`, unless the file has one, so that sent again it is the same job. Whether it is
    a job is for the server to say.
    """
    job = read_object(path, what="a job is one object, with a name, test_cases and so on")
    if job.get("client_event_id") is None:
        job = {**job, "client_event_id": str(uuid4())}
    if concurrency is not None:
        config = job.get("config")
        job = {**job, "config": {**(config if isinstance(config, dict) else {}), "concurrency": concurrency}}
    return as_json(job, path).decode()


def total_of(job: str) -> int | None:
    """Return how many runs a job has, or None when it is no job: the server will say why."""
    try:
        return BatchRequest.model_validate_json(job).total_runs
    except ValidationError:
        return None
