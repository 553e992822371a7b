"""Verbs of generate: what models make in tests, and runs to their end."""

from typing import Any

from tests.support.clients import Recorder, Socket

Data = dict[str, Any]
INSTRUCTIONS = "You are Nia, a nurse at the end of a double shift. SECRET-GENERATED"
PERSONA = [
    {"match": {"schema": "Names"}, "json": {"name": "Nia"}},
    {"match": {"schema": "Descriptions"}, "json": {"description": "A tired nurse."}},
    {"match": {"schema": "Instructions"}, "json": {"instructions": INSTRUCTIONS}},
    {"match": {"schema": "Colors"}, "json": {"color": "#2f7d6d"}},
    {"match": {"schema": "Icons"}, "json": {"icon": "🩺"}},
]


async def generate(
    client: Socket, artifact: str, *resources: Any, operation: str = "create", **more: Any
) -> Data:
    """Start a run that must be taken and return its ack."""
    return await client.send(
        "generate",
        artifact_types=[{"name": artifact, "operation": operation}],
        resource_types=list(resources),
        **more,
    )


async def complete(client: Recorder, ack: Data) -> Data:
    """Wait until a run is complete; an error fails the test."""
    run_id = ack["run_id"]
    await client.when(
        lambda: bool(
            client.named("generation_complete", run_id=run_id)
            + client.named("generation_error", run_id=run_id)
        )
    )
    assert not client.named("generation_error", run_id=run_id), client.named("generation_error")
    return await client.until("generation_complete", run_id=run_id)


async def failed(client: Recorder, ack: Data) -> Data:
    """Wait until a run has failed."""
    error = await client.until("generation_error", run_id=ack["run_id"])
    assert not client.named("generation_complete", run_id=ack["run_id"])
    return error
