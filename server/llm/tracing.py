"""Calls to models, as spans: which model and how many tokens, never what was said."""

from schemas.envelope import Usage
from server import tracing
from server.tracing import Span

LONGEST = 64  # names of models come from clients, too


def asking(operation: str, model: str) -> Span:
    """Begin the span of a call to a model, in OpenTelemetry's terms."""
    span = tracing.call(f"{operation} {model[:LONGEST]}")
    span.set("gen_ai.operation.name", operation)
    span.set("gen_ai.request.model", model)
    return span


def used(span: Span, usage: Usage) -> None:
    """Say what a call used."""
    counted(span, prompt=usage.prompt_tokens, completion=usage.completion_tokens, cost=usage.cost_usd)
    span.set("greenroom.finish_reason", usage.finish_reason)
    span.set("greenroom.first_token_ms", usage.first_token_ms)


def counted(span: Span, *, prompt: int, completion: int, cost: float | None) -> None:
    """Say how many tokens a call took."""
    span.set("gen_ai.usage.input_tokens", prompt)
    span.set("gen_ai.usage.output_tokens", completion)
    span.set("greenroom.cost_usd", cost)
