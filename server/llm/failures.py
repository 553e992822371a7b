"""What goes wrong at a model endpoint, in words safe for clients: never its own text, never a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai

from server.errors import Upstream

BROKE_OFF = "The model's reply broke off; try again."
UNREADABLE = "The model endpoint sent a reply that cannot be read; check that it is OpenAI-compatible."
TOO_LARGE = "The model endpoint sent far more than a reply can be; try again, or check the endpoint."
UNREACHABLE = "The model endpoint cannot be reached; try again, and check its address if this goes on."
TOO_LONG = "The conversation does not fit the model's context; shorten it, or use a model with a larger one."
SMALL_NO_TOOLS = (
    "The embedded model cannot call tools; set OPENAI_API_KEY, or OPENAI_BASE_URL for another endpoint."
)
NO_TOOLS = "The model refused the tools; use a model that can call tools, or check their definitions."
BAD_KEY = "The model endpoint refused the key; check the key and its rights."

_RATE_LIMITED = "The model endpoint is rate limited; try again later."
_QUOTA = "The model endpoint's quota is used up; check its plan and billing."
_NO_MODEL = "The model endpoint does not know this model or address; check both."
_CONTENT = "The model endpoint's content filter refused the conversation."
_REFUSED = "The model endpoint refused the request; check that the model can chat."
_REPORTED = "The model endpoint reported a failure during the reply; try again."
_FINAL = {401: BAD_KEY, 403: BAD_KEY, 404: _NO_MODEL, 402: _QUOTA}
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_CONTEXT_WORDS = ("context length", "context size", "context window", "prompt is too long", "too many tokens")


class Throttled(Upstream):
    """The model endpoint is rate limited; try again later."""


class ToolsRefused(Upstream):
    """The model cannot call tools."""

    retryable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An answer with an HTTP status that is no success; `said` is its text in lower case.

    It is searched and never shown, as are the endpoint's own code and type.
    """

    status: int
    code: str = ""
    type: str = ""
    said: str = ""
    retry_after: float | None = None

    @classmethod
    def of(cls, error: openai.APIStatusError) -> "Refused":
        """Return the SDK's error in this form."""
        return cls.read(error.status_code, body=error.body, headers=error.response.headers)

    @classmethod
    def read(cls, status: int, *, body: object, headers: Mapping[str, str]) -> "Refused":
        """Return what an endpoint answered; `body` is decoded JSON, or a text where it is none."""
        whole = body.get("error", body) if isinstance(body, dict) else body
        error = whole if isinstance(whole, dict) else {}
        said = error.get("message", whole)
        return cls(
            status=status,
            code=str(error.get("code") or ""),
            type=str(error.get("type") or ""),
            said=f"{error.get('param') or ''} {said}".lower(),
            retry_after=retry_after_of(headers),
        )

    def has(self, *codes: str) -> bool:
        """Tell whether one of these is the endpoint's code or type."""
        return self.code in codes or self.type in codes


def late(seconds: float, *, begun: bool = False) -> Upstream:
    """Return the error for a reply that took longer than allowed."""
    return Upstream(
        f"The model did not {'finish its reply' if begun else 'answer'} within {seconds:g} s; try again."
    )


def unusable(wanted: str) -> Upstream:
    """Return the error for an answer that is not what was asked for, after all repairs."""
    return Upstream(f"The model did not return valid {wanted}; try again, or use a stronger model.")


def upstream(error: Exception) -> Upstream:
    """Translate an error of the SDK, or of the transport below, which it lets through."""
    if isinstance(error, openai.APIStatusError):
        return refusal(Refused.of(error))
    return Upstream(UNREACHABLE if isinstance(error, openai.APIConnectionError) else UNREADABLE)


def refusal(refused: Refused) -> Upstream:
    """Translate a refusal; Throttled when asking again later is all that it takes."""
    status = refused.status
    if status == 429 and not refused.has("insufficient_quota"):
        return Throttled(_RATE_LIMITED, retry_after=refused.retry_after)
    if status == 429 or status in _FINAL:
        return Upstream(_FINAL.get(status, _QUOTA), retryable=False)
    if refused.has("content_filter"):
        return Upstream(_CONTENT, retryable=False)
    if status < 500 and status not in (408, 409):
        return Upstream(_REFUSED, retryable=False)
    return Upstream(f"The model endpoint failed (HTTP {status}); try again.", retry_after=refused.retry_after)


def reported(error: object) -> Upstream:
    """Translate an error object inside a stream, or in the place of a reply."""
    code = str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""
    if code in ("429", "rate_limit_exceeded", "rate_limit_error"):
        return Throttled(_RATE_LIMITED)
    if "content_filter" in code:
        return Upstream(_CONTENT, retryable=False)
    if code in _CONTEXT_CODES:
        return Upstream(TOO_LONG, retryable=False)
    return Upstream(_REPORTED)


def context_exceeded(refused: Refused) -> bool:
    """Tell whether an endpoint says that the conversation is longer than the model's context."""
    if refused.status not in (400, 413, 422):
        return False
    return refused.has(*_CONTEXT_CODES) or any(words in refused.said for words in _CONTEXT_WORDS)


def tools_refused(refused: Refused) -> bool:
    """Tell whether an endpoint takes no tools, or not these; endpoints have many statuses for it."""
    says = "tool" in refused.said or "function" in refused.said
    return says and refused.status in (400, 404, 422, 500, 501)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an endpoint names, as a number or as a date; None for what nobody waits for."""
    given, exact = headers.get("retry-after", ""), headers.get("retry-after-ms", "")
    try:
        seconds = float(exact) / 1000 if exact else float(given)
    except ValueError:
        seconds = _until(given)
    return seconds if 0 <= seconds <= 3600 else None


def _until(date: str) -> float:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return -1
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
