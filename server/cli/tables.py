"""The tables of the documents, generated from what they describe; a test holds the documents to them."""

import inspect
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from handlers import HANDLERS
from schemas.envelope import Reply
from schemas.events import CLIENT_EVENTS, EXTRA_CLIENT_EVENTS, EXTRA_SERVER_EVENTS, SERVER_EVENTS
from server.cli.batch_pages import request_rows
from server.cli.event_pages import client_page, server_page
from server.cli.failure import Failure
from server.cli.wire_types import WIRE_TYPES, wire_types
from server.errors import GreenroomError
from server.settings import Settings, variable

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "docs/events.md", "docs/batch-jobs.md")
BY_TRANSPORTS = {  # served by the transports themselves, so they have no handler; their acks
    "connect": "see [Connecting](#connecting)",
    "disconnect": "see [Connecting](#connecting)",
    "auth_refresh": "–",
}
# Server events whose cause is another family's or not served at all; every other one is sent.
CAUSES = {"test": "test_start", "generation": "generate"}
SPOKEN = ("attempt_assistant_audio", "attempt_user_delta", "attempt_audio_ready", "attempt_audio_ended")
# Defaults that differ from machine to machine, or that are not fixed.
DEFAULTS = {
    "data_dir": "the user's data directory",
    "instance": "random",
    "guests": "yes with the embedded database, else no",
    "private_urls": "yes with the embedded database when listening on loopback only, else no",
    "openai_model": "`gpt-4o-mini` where an endpoint is set, else the embedded one",
}
_TABLE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def docs() -> None:
    """Write the generated tables into README.md and docs/ of this checkout, and the page's types."""
    if not (ROOT / DOCUMENTS[0]).is_file():
        raise Failure(f"there is no {DOCUMENTS[0]} in {ROOT}; this command works in a checkout")
    for name in refresh(ROOT) or ["nothing"]:
        print(f"{name} has changed")


def refresh(root: Path) -> list[str]:
    """Write the tables into the documents of a checkout; return the documents that changed."""
    changed = []
    for name in DOCUMENTS:
        path = root / name
        text = path.read_text()
        if (filled := fill(text)) != text:
            path.write_text(filled)
            changed.append(name)
    types = root / WIRE_TYPES
    if not types.is_file() or types.read_text() != wire_types():
        types.parent.mkdir(parents=True, exist_ok=True)
        types.write_text(wire_types())
        changed.append(WIRE_TYPES)
    return changed


def fill(text: str) -> str:
    """Return a document with its tables as they are now; raises KeyError for a table that does not exist."""
    return _TABLE.sub(lambda match: f"{match[1]}\n{TABLES[match[2]]()}\n\n{match[3]}", text)


def served_client_events() -> list[str]:
    """Return the client events that are answered, in the order of the contract, extras last."""
    events = {**CLIENT_EVENTS, **EXTRA_CLIENT_EVENTS}
    return [name for name in events if name in HANDLERS or name in BY_TRANSPORTS]


def sent_server_events() -> list[str]:
    """Return the server events that clients can receive, in the order of the contract, extras last."""
    return [name for name in {**SERVER_EVENTS, **EXTRA_SERVER_EVENTS} if _is_sent(name)]


def _is_sent(name: str) -> bool:
    if name in SPOKEN:
        return "attempt_audio_start" in HANDLERS
    cause = CAUSES.get(name.partition("_")[0])
    return cause is None or cause in HANDLERS


def client_events() -> str:
    """Return the client events that are served."""
    schemas = {**CLIENT_EVENTS, **EXTRA_CLIENT_EVENTS}
    rows = [
        [
            f"`{name}`",
            fields(schemas[name], leave_out=("client_event_id",)),
            ack_of(name),
            _said(schemas[name]),
        ]
        for name in served_client_events()
    ]
    return table(("Event", "Payload", "Ack", "What it does"), rows)


def server_events() -> str:
    """Return the server events that are sent."""
    schemas = {**SERVER_EVENTS, **EXTRA_SERVER_EVENTS}
    rows = [[f"`{name}`", fields(schemas[name]), _said(schemas[name])] for name in sent_server_events()]
    return table(("Event", "Data", "When"), rows)


def not_served() -> str:
    """Return the one sentence that names what the contract describes and nothing serves yet."""
    served = served_client_events()
    missing = [f"`{name}`" for name in {**CLIENT_EVENTS, **EXTRA_CLIENT_EVENTS} if name not in served]
    if not missing:
        return "Every client event of socket v5 is served."
    return (
        f"Not served yet, although their payloads are described in `schemas/`: {', '.join(missing)}. "
        "They are answered with `not_found`."
    )


def ack_of(name: str) -> str:
    """Return the fields of an event's ack beside `success`, as its handler declares them."""
    if name in BY_TRANSPORTS:
        return BY_TRANSPORTS[name]
    reply = inspect.signature(HANDLERS[name].run).return_annotation
    if not (inspect.isclass(reply) and issubclass(reply, Reply)):
        raise TypeError(f"the handler of {name} does not say what it returns")
    return fields(reply, leave_out=("rooms",)) or "–"


def settings() -> str:
    """Return every setting with its variable, default and description."""
    rows = [
        [f"`{variable(name)}`", _default(name, field), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return table(("Variable", "Default", "What it is"), rows)


def error_codes() -> str:
    """Return the closed set of error codes."""
    rows = [
        [f"`{e.code}`", str(e.status), "yes" if e.retryable else "no", (e.__doc__ or "").strip()]
        for e in sorted(GreenroomError.__subclasses__(), key=lambda e: e.status)
    ]
    return table(("Code", "HTTP", "Try again", "Meaning"), rows)


def fields(model: type[BaseModel], *, leave_out: Sequence[str] = ()) -> str:
    """Return a model's fields in short: `name` is needed, `name?` may be missing, `name=default`."""
    shown = [f"`{_short(n, f)}`" for n, f in model.model_fields.items() if n not in leave_out]
    return ", ".join(shown)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _ack_in_docs(name: str) -> str:
    return ack_of(name).replace("(#", "(../README.md#")


def _short(name: str, field: FieldInfo) -> str:
    name = field.alias or name
    if field.is_required():
        return name
    default = field.get_default(call_default_factory=True)
    return f"{name}?" if default is None else f"{name}={json.dumps(default)}"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS:
        return DEFAULTS[name]
    default = field.get_default(call_default_factory=True)
    if default is None or default == []:
        return "–"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _said(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


TABLES: dict[str, Callable[[], str]] = {
    "client-events": client_events,
    "server-events": server_events,
    "not-served": not_served,
    "settings": settings,
    "error-codes": error_codes,
    "client-event-pages": lambda: client_page(served_client_events(), _ack_in_docs),
    "server-event-pages": lambda: server_page(sent_server_events()),
    "batch-request": lambda: table(("Field", "Takes", "Without it"), request_rows()),
}
