"""Holds the source to the layering: who imports whom, which library lives where, what a handler file is."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.imports import ROOT, part_of, sources, violations

PRODUCT = ("schemas", "handlers", "server")
NOT_EVENTS = {"__init__", "base"}


def test_every_module_imports_only_what_its_layer_may() -> None:
    assert [v for module, source in sources(*PRODUCT) for v in violations(module, source)] == []


def test_every_module_has_a_place() -> None:
    names = [module for module, _ in sources(*PRODUCT) if module != "server"]
    assert [name for name in names if part_of(name) is None] == []


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("schemas.room", "from server.errors import NotFound", "stands below"),
        ("server.store.chats", "from server.rooms.log import Log", "stands below"),
        ("server.store.chats", "from server.llm.stream import stream", "stands below"),
        (
            "server.engine.tasks",
            "def f():\n    import handlers.attempt_start",
            "server.engine.tasks:2 imports handlers",
        ),
        ("handlers.attempt_start", "from server.dispatch import dispatch", "stands below"),
        (
            "server.transports.http_events",
            "from server.app import make_app",
            "only server.cli, server.__main__",
        ),
        ("server.app", "from server.embedded.mongod import embedded_mongod", "only server.cli"),
        ("server.engine.replay", "from motor.motor_asyncio import AsyncIOMotorClient", "only server.store"),
        ("server.rooms.log", "from bson import ObjectId", "only server.store"),
        ("server.engine.grading.judge", "import openai", "only server.llm"),
        ("server.transports.http_events", "import socketio", "only server.transports.socketio"),
        ("server.cli.load", "import socketio", "only server.transports.socketio"),
        ("server.cli.run", "from server.__main__ import app", "stands below"),
        ("server.store.chats", "import server.logs\nfrom server.cli import run", "stands below"),
        ("server.engine.tasks", "from . import access", "absolute"),
        ("server.engine.tasks", "from server.helpers import x", "no place"),
        ("server.helpers", "from server.errors import x", "no place"),
    ],
)
def test_a_violation_is_found(module: str, source: str, reason: str) -> None:
    found = violations(module, source)
    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("server.store.chats", "import motor.motor_asyncio"),
        ("server.engine.tasks", "from server.engine.access import check\nfrom server import errors"),
        (
            "server.__main__",
            "from server.app import make_app\nfrom server.embedded.mongod import embedded_mongod",
        ),
        ("server.transports.socketio.socket", "import engineio"),
        ("server.cli.serve", "from server.app import make_app\nfrom server import logs"),
        ("server.cli.chat_link", "import socketio"),
        ("server.__main__", "from server.cli.serve import serve"),
        ("handlers.attempt_start", "from schemas.attempt import AttemptStart"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert violations(module, source) == []


def environment_readers(source: str) -> list[int]:
    """Return the lines that read the environment."""
    names = {"environ", "environb", "getenv"}
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names})
    ]


def test_only_settings_read_the_environment() -> None:
    found = [(m, line) for m, source in sources(*PRODUCT) for line in environment_readers(source)]
    assert [entry for entry in found if entry[0] != "server.settings"] == []
    assert environment_readers("import os\nos.environ['X']\nfrom os import getenv") == [3, 2]


def tagged(source: str) -> list[str]:
    """Return the functions of a module that `@handles(...)` decorates."""
    return [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id == "handles"
    ]


def handler_files() -> dict[str, Path]:
    return {p.stem: p for p in (ROOT / "handlers").glob("*.py") if p.stem not in NOT_EVENTS}


def test_a_handler_file_holds_the_one_handler_of_its_name() -> None:
    assert [name for name, path in handler_files().items() if tagged(path.read_text()) != [name]] == []
    assert tagged("@handles(AttemptStart)\nasync def attempt_start(ctx, msg): ...\ndef other(): ...") == [
        "attempt_start"
    ]


def test_the_table_names_every_handler_file() -> None:
    """An event without its handler is not in the table, and no handler is outside it."""
    files = set(handler_files())
    table = set(importlib.import_module("handlers").HANDLERS) if files else set()
    assert table == files
