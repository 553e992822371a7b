"""AsyncAPI 3.0: every event of the wire, its acks and its rooms, from the schemas and the handlers."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from handlers import HANDLERS
from schemas.batch import BatchRequest, BatchResult, JobSummary
from schemas.envelope import AuthRefresh, Payload, ServerEvent
from schemas.events import CLIENT_EVENTS, EXTRA_CLIENT_EVENTS, EXTRA_SERVER_EVENTS, SERVER_EVENTS
from server.transports.documents.acks import ack_of
from server.transports.documents.failures import failed
from server.transports.documents.naming import Schema, Schemas, closed, joined
from server.transports.documents.rooms import ROOMS, room_events
from server.transports.ws_batch import ADDRESS
from server.transports.ws_batch_words import Cancel, Refused, Resume

SOCKET, STREAM, BATCH = "socket", "stream", "batch_job"
PLACE: Schema = {
    "room": {"type": "string", "description": "Entries of rooms say which it is."},
    "offset": {"type": "integer", "minimum": 1, "description": "1, 2, 3 … in each room, without a hole."},
    "at": {"type": "integer", "description": "When it was published, in ms since 1970."},
}
JOB_ASKED: Mapping[str, type[BaseModel]] = {"job": BatchRequest, "job_resume": Resume, "job_cancel": Cancel}
JOB_TOLD: Mapping[str, type[BaseModel]] = {
    "job_result": BatchResult,
    "job_summary": JobSummary,
    "job_error": Refused,
}
JOB = {**JOB_ASKED, **JOB_TOLD}
CLIENT: Mapping[str, type[Payload]] = {
    **{
        name: event
        for name, event in {**CLIENT_EVENTS, **EXTRA_CLIENT_EVENTS}.items()
        if name in HANDLERS or name == AuthRefresh.event
    }
}
SERVER: Mapping[str, type[ServerEvent]] = {**SERVER_EVENTS, **EXTRA_SERVER_EVENTS}


def asyncapi(*, version: str) -> dict[str, Any]:
    """Return the document."""
    schemas = Schemas()
    _messages(schemas)  # notes which types there are
    schemas.settle()
    messages = _messages(schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Greenroom",
            "version": version,
            "description": "Events of Socket.IO, of event streams, and of the socket of batch jobs.",
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": messages,
            "schemas": {name: _plain(schema) for name, schema in sorted(schemas.components.items())},
        },
    }


def _messages(schemas: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {}
    refused = failed(schemas)
    for name, event in CLIENT.items():
        found[name] = _message(name, event, schemas.of(event, mode="validation"))
        handler = HANDLERS.get(name)
        done = ack_of(handler, schemas) if handler else closed({"success": {"const": True}})
        found[_ack(name)] = {"name": _ack(name), "payload": {"oneOf": [done, refused]}}
    for name, kind in SERVER.items():
        found[name] = _message(name, kind, _told(kind, schemas))
    for name, model in JOB.items():
        payload = schemas.of(model, mode="validation" if name in JOB_ASKED else "serialization")
        found[name] = _message(name, model, payload)
    return found


def _told(event: type[ServerEvent], schemas: Schemas) -> Schema:
    """Return the schema of a server event with its place; what has no value is left out."""
    shape = schemas.shape(event, mode="validation")
    place = {name: field for name, field in PLACE.items() if name not in shape.get("properties", {})}
    return schemas.named(f"{event.__name__}Entry", lambda: joined(shape, {"properties": place}))


def _message(name: str, model: type[Any], payload: Schema) -> dict[str, Any]:
    return {"name": name, "summary": " ".join((model.__doc__ or "").split()), "payload": payload}


def _ack(name: str) -> str:
    return f"{name}_ack"


def _channels() -> dict[str, Any]:
    both = [*CLIENT, *(_ack(name) for name in CLIENT), *SERVER]
    found: dict[str, Any] = {
        SOCKET: {
            "address": "/socket.io/",
            "description": "Socket.IO 5 over Engine.IO 4, namespace `/`. Events have one argument, and acks.",
            "messages": _refs(both),
        },
        STREAM: {
            "address": "/socket/v5/stream/{session}",
            "description": "Server-Sent Events: `event:` is the name, `data:` the payload.",
            "parameters": {"session": {"description": "As POST /socket/v5/client/connect answers it."}},
            "messages": _refs(SERVER),
        },
        BATCH: {
            "address": ADDRESS,
            "description": "A plain WebSocket: a job is sent, or gone on with; its results and its summary "
            "come. It may be stopped meanwhile. After an error the socket is closed.",
            "messages": _refs(JOB),
        },
    }
    for room in ROOMS:
        found[f"room_{room.family}"] = {
            "address": room.address,
            "title": f"The room {room.address}",
            "description": "Followed over the socket or the stream; entries are numbered without holes.",
            "parameters": {name: {"description": "Whose room it is."} for name in room.parameters},
            "messages": _refs(room_events(room, SERVER)),
        }
    return found


def _refs(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operations() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in CLIENT:
        found[name] = {
            "action": "receive",
            **_at(SOCKET, name),
            "reply": _at(SOCKET, _ack(name)),
        }
    for name in SERVER:
        found[f"send_{name}"] = {"action": "send", **_at(SOCKET, name)}
    found["stream_events"] = {"action": "send", **_at(STREAM, *SERVER)}
    for room in ROOMS:
        events = room_events(room, SERVER)
        found[f"publish_{room.family}"] = {"action": "send", **_at(f"room_{room.family}", *events)}
    found["start_job"] = {"action": "receive", **_at(BATCH, "job")}
    found["resume_job"] = {"action": "receive", **_at(BATCH, "job_resume")}
    found["cancel_job"] = {"action": "receive", **_at(BATCH, "job_cancel")}
    found["tell_job"] = {"action": "send", **_at(BATCH, *JOB_TOLD)}
    return found


def _at(channel: str, *names: str) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    return {"channel": {"$ref": f"#/channels/{channel}"}, "messages": messages}


def _plain(schema: Any) -> Any:
    """Return a schema without what OpenAPI alone knows; properties may have any name."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _plain(part)
        for name, part in schema.items()
        if not (name == "discriminator" and isinstance(part, dict) and "propertyName" in part)
    }
