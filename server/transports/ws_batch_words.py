"""What is said on the socket of a batch job besides results."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.envelope import MAX_SAFE_INTEGER, ErrorCode, Id, Problem
from server.engine.batch.checking import is_malformed
from server.errors import BadRequest, Conflict, GreenroomError, NotFound, TooLarge
from server.transports.http_query import uuid_of

SMALL = 4096  # bytes; a first message that is longer is a job


@dataclass(frozen=True, slots=True)
class Begun:
    """The job of a socket, and the index from which on its results are sent."""

    job_id: Id
    from_: int


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a socket is closed; an error is told before."""

    code: int
    reason: str = ""
    error: GreenroomError | None = None


class Resume(BaseModel):
    """A first message that goes on with a job: its results from an index on."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    resume: str
    from_: int = Field(default=0, alias="from", ge=0, le=MAX_SAFE_INTEGER)


class Cancel(BaseModel):
    """A message that stops the job of the socket; its summary follows."""

    cancel: Literal[True]


class Refused(BaseModel):
    """An error, after which the socket is closed; with the job of the socket if it has one."""

    error: str
    code: ErrorCode
    details: list[Problem] | None = None
    retry_after: float | None = None
    job_id: Id | None = None


def resumed(first: bytes) -> Begun | None:
    """Return what a first message resumes, None when it is a job.

    Raises BadRequest for wrong types, NotFound for what is no id, and Conflict when there is nothing to stop.
    """
    said = spoken(first) if len(first) <= SMALL else None
    if not isinstance(said, dict):
        return None
    if is_cancel(said):
        raise Conflict("There is no job on this socket yet: send one, or resume one, then stop it.")
    if "resume" not in said:
        return None
    try:
        wish = Resume.model_validate(said)
    except ValidationError as error:
        raise refusal(*(_problem(detail) for detail in error.errors(include_url=False))) from error
    if (job_id := uuid_of(wish.resume)) is None:
        raise NotFound()
    return Begun(job_id, wish.from_)


def spoken(text: bytes) -> Any:
    """Return what a short message says, None when it is no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def is_cancel(said: object) -> bool:
    """Tell whether a message is to stop the job."""
    return isinstance(said, dict) and said.get("cancel") is True


def refusal(*problems: Problem) -> BadRequest:
    """Return the refusal of a message for some reasons."""
    where = ".".join(str(part) for part in problems[0].loc)
    return BadRequest(f"{where}: {problems[0].msg}" if where else problems[0].msg, details=list(problems))


def binary() -> BadRequest:
    """Return the refusal of a message that is not text."""
    return refusal(Problem(loc=[], msg="A text message is needed; this one is binary", type="text_type"))


def close_code(error: GreenroomError) -> int:
    """Return the code with which a socket is closed after an error."""
    if isinstance(error, TooLarge):
        return 1009
    if isinstance(error, BadRequest) and error.details and is_malformed(error.details):
        return 1007
    return 1011 if error.status >= 500 else 1008


def written(error: GreenroomError, *, job_id: Id | None = None) -> bytes:
    """Return an error as the socket tells it, with the job of the socket if it has one."""
    told = Refused(
        error=error.message,
        code=error.code,
        details=error.details,
        retry_after=error.retry_after,
        job_id=job_id,
    )
    return told.model_dump_json(exclude_none=True).encode()


def _problem(detail: Any) -> Problem:
    return Problem(loc=list(detail["loc"]), msg=detail["msg"], type=detail["type"])
