"""The closed tree of errors that clients see; the class docstring is the default message."""

from typing import ClassVar

from schemas.envelope import ErrorCode, Failure, Problem


class GreenroomError(Exception):
    """Something went wrong on our side; please report it."""

    code: ClassVar[ErrorCode] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        details: list[Problem] | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.details = details
        self.retry_after = retry_after
        self.may_retry = type(self).retryable if retryable is None else retryable
        super().__init__(self.message)

    def failure(self) -> Failure:
        """Return the error as a client sees it."""
        return Failure(
            code=self.code,
            message=self.message,
            retryable=self.may_retry,
            retry_after=self.retry_after,
            details=self.details,
        )


class BadRequest(GreenroomError):
    """The payload is not what this event takes."""

    code = "bad_request"
    status = 400


class Unauthenticated(GreenroomError):
    """A valid token or API key is needed."""

    code = "unauthenticated"
    status = 401


class Forbidden(GreenroomError):
    """Your role does not allow this."""

    code = "forbidden"
    status = 403


class NotFound(GreenroomError):
    """There is no such object, or it is not yours."""

    code = "not_found"
    status = 404


class Conflict(GreenroomError):
    """The object is not in a state that allows this."""

    code = "conflict"
    status = 409


class Gone(GreenroomError):
    """This no longer exists."""

    code = "gone"
    status = 410


class TooLarge(GreenroomError):
    """The message is larger than allowed."""

    code = "too_large"
    status = 413


class RateLimited(GreenroomError):
    """Too many events; slow down."""

    code = "rate_limited"
    status = 429
    retryable = True


class Internal(GreenroomError):
    """Something went wrong on our side; please report it."""


class Upstream(GreenroomError):
    """The model did not answer; try again."""

    code = "upstream"
    status = 502
    retryable = True


class Unavailable(GreenroomError):
    """A part of the service is away; try again soon."""

    code = "unavailable"
    status = 503
    retryable = True
