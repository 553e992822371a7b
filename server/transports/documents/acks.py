"""The acks of events that were handled."""

from typing import Any, get_type_hints

from handlers.base import Handler
from server.transports.documents.naming import Schema, Schemas, joined


def ack_of(handler: Handler, schemas: Schemas) -> Schema:
    """Return the schema of an event's ack; what has a default is left out when it has it."""
    reply: Any = get_type_hints(handler.run)["return"]
    shape = schemas.shape(reply, mode="validation")

    def make() -> Schema:
        done: Schema = {"type": "object", "properties": {"success": {"const": True}}, "required": ["success"]}
        return {**joined(shape, done), "title": f"{handler.event}_ack"}

    return schemas.named(f"{handler.event}_ack", make)
