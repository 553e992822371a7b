"""What goes wrong at a model endpoint, in words safe for clients: never its own text, never a key."""

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

_REFUSED_KEY = "The model endpoint refused the key; check the key and its rights."
_RATE_LIMITED = "The model endpoint is rate limited; try again later."
_QUOTA = "The model endpoint's quota is used up; check its plan and billing."
_NO_MODEL = "The model endpoint does not know this model or address; check both."
_CONTENT = "The model endpoint's content filter refused the conversation."
_REFUSED = "The model endpoint refused the request; check that the model can chat."
_REPORTED = "The model endpoint reported a failure during the reply; try again."
_FINAL = {401: _REFUSED_KEY, 403: _REFUSED_KEY, 404: _NO_MODEL, 402: _QUOTA}
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_CONTEXT_WORDS = ("context length", "context size", "context window", "prompt is too long", "too many tokens")


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
    if not isinstance(error, openai.APIStatusError):
        return Upstream(UNREACHABLE if isinstance(error, openai.APIConnectionError) else UNREADABLE)
    status = error.status_code
    if status == 429 and not _has(error, "insufficient_quota"):
        return Upstream(_RATE_LIMITED, retry_after=_retry_after(error))
    if status == 429 or status in _FINAL:
        return Upstream(_FINAL.get(status, _QUOTA), retryable=False)
    if _has(error, "content_filter"):
        return Upstream(_CONTENT, retryable=False)
    if status < 500 and status not in (408, 409):
        return Upstream(_REFUSED, retryable=False)
    return Upstream(f"The model endpoint failed (HTTP {status}); try again.", retry_after=_retry_after(error))


def reported(error: object) -> Upstream:
    """Translate an error object inside a stream, or in the place of a reply."""
    code = str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""
    if code in ("429", "rate_limit_exceeded", "rate_limit_error"):
        return Upstream(_RATE_LIMITED)
    if "content_filter" in code:
        return Upstream(_CONTENT, retryable=False)
    if code in _CONTEXT_CODES:
        return Upstream(TOO_LONG, retryable=False)
    return Upstream(_REPORTED)


def context_exceeded(error: openai.APIStatusError) -> bool:
    """Tell whether an endpoint says that the conversation is longer than the model's context."""
    if error.status_code not in (400, 413, 422):
        return False
    if error.code in _CONTEXT_CODES or error.type in _CONTEXT_CODES:
        return True
    said = refusal(error)
    return any(words in said for words in _CONTEXT_WORDS)


def tools_refused(error: openai.APIStatusError) -> bool:
    """Tell whether an endpoint takes no tools, or not these; endpoints have many statuses for it."""
    said = refusal(error)
    return error.status_code in (400, 404, 422, 500, 501) and ("tool" in said or "function" in said)


def refusal(error: openai.APIStatusError) -> str:
    """Return what an endpoint said in lower case, to be searched and never to be shown."""
    body = error.body
    said = body.get("message", body) if isinstance(body, dict) else body
    return f"{error.param or ''} {said}".lower()


def _has(error: openai.APIStatusError, code: str) -> bool:
    return code in (error.code, error.type)


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 3600 else None
