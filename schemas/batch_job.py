"""Batch jobs as they are stored: the ledger of the runs (core §13); requests and results lie beside it."""

from pydantic import BaseModel

from schemas.batch import JobState, JobSummary, RunError
from schemas.envelope import Id, Time
from schemas.stored import Owner


class BatchJob(BaseModel):
    """A job: who does it under which fence, and how far it is.

    `digest` is that of its request when it was started with a `client_event_id`.

    `published` counts the results that are in the room; those after it are published again by who takes the
    job over. `keys` are the client's keys, encrypted with the secret that `sealed_by` names; they are erased
    at the end.
    """

    id: Id
    org: str
    owner: Owner
    name: str
    version: str
    total_runs: int
    digest: str | None = None
    state: JobState = "queued"
    process: str | None = None
    fence: int = 0
    cancel: bool = False
    results: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    published: int = 0
    created_at: Time
    started_on: Time | None = None
    completed_on: Time | None = None
    keys: bytes | None = None
    sealed_by: str | None = None
    summary: JobSummary | None = None
    error: RunError | None = None
